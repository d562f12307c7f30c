//! Plain rule files, as Prometheus loads them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::overrides::RuleSet;
use crate::rule::{Rule, duration};
use crate::scale::Scale;
use crate::slo;

/// Label of every alert of this product; inhibition and annotations select by it.
pub(super) const PRODUCT: &str = "stateset-sequencer";
/// Seconds between two evaluations.
const EVALUATION_SECONDS: u32 = 15;

/// One rule file.
#[derive(Clone, Debug, Serialize)]
pub(super) struct RuleFile {
    /// Its groups.
    pub(super) groups: Vec<Group>,
}

/// A group of rules, evaluated one after the other.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// Name, unique over all files.
    pub name: String,
    /// Time between two evaluations.
    pub interval: String,
    /// Recording and alerting rules.
    pub rules: Vec<Entry>,
}

/// A rule as Prometheus reads it.
#[derive(Clone, Debug, Serialize)]
#[serde(untagged)]
pub enum Entry {
    /// A recorded series.
    Recording {
        /// Its name.
        record: String,
        /// What is recorded.
        expr: String,
    },
    /// An alert.
    Alerting {
        /// Its name.
        alert: String,
        /// When it fires.
        expr: String,
        /// For how long first.
        #[serde(rename = "for")]
        for_: String,
        /// Labels beside those of the expression.
        labels: BTreeMap<String, String>,
        /// What people read.
        annotations: BTreeMap<String, String>,
    },
}

/// The enabled rules by group.
#[must_use]
pub fn groups(set: &RuleSet, scale: Scale) -> Vec<Group> {
    let mut groups: Vec<Group> = Vec::new();
    for rule in set.enabled() {
        let name = group_name(rule);
        if groups.last().is_none_or(|group| group.name != name) {
            groups.push(Group { name, interval: interval(scale), rules: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            if rule.group == "slo" && group.rules.is_empty() {
                group.rules.extend(recordings(scale));
            }
            group.rules.push(alert(set, &scale.rule(rule)));
        }
    }
    groups
}

/// Name of a rule's group.
pub(super) fn group_name(rule: &Rule) -> String {
    format!("stateset-sequencer-{}", rule.group)
}

/// Time between two evaluations.
pub(super) fn interval(scale: Scale) -> String {
    duration(scale.wait(EVALUATION_SECONDS))
}

/// What the burn rates read.
pub(super) fn recordings(scale: Scale) -> impl Iterator<Item = Entry> {
    slo::recordings().into_iter().map(move |recording| Entry::Recording {
        record: recording.record,
        expr: scale.expression(&recording.expression),
    })
}

/// Labels of an alert beside those of its expression.
pub(super) fn alert_labels(rule: &Rule) -> BTreeMap<String, String> {
    let mut labels: BTreeMap<String, String> = rule.labels.iter().cloned().collect();
    labels.insert("product".to_owned(), PRODUCT.to_owned());
    labels.insert("severity".to_owned(), rule.severity.as_str().to_owned());
    if let Some(objective) = rule.objective {
        labels.insert("objective".to_owned(), objective.to_owned());
    }
    labels
}

fn alert(set: &RuleSet, rule: &Rule) -> Entry {
    let annotations = [
        ("summary", rule.summary.to_owned()),
        ("description", rule.description()),
        ("runbook_url", format!("{}/{}", set.runbooks_url, rule.name)),
        ("dashboard_url", format!("{}/{}", set.dashboards_url, rule.board)),
    ];
    Entry::Alerting {
        alert: rule.name.clone(),
        expr: rule.expression(),
        for_: duration(rule.for_seconds),
        labels: alert_labels(rule),
        annotations: annotations.map(|(name, text)| (name.to_owned(), text)).into(),
    }
}
