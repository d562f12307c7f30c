//! The alerts as the helm chart reads them: with a token in the place of each number that a value
//! of the chart may change. The contract is `helm/GENERATE.md`.

use std::collections::BTreeMap;

use serde::Serialize;

use super::prometheus::{Entry, alert_labels, recordings};
use crate::overrides::RuleSet;
use crate::rule::{Decimal, Rule, Unit, duration};
use crate::scale::Scale;
use crate::{DASHBOARDS_URL, RUNBOOKS_URL};

/// Alerts that one panel shows, from the lowest threshold up: values may not cross them. A test of
/// the boards says when this list is not that of the panels.
pub const ASCENDING: &[&[&str]] = &[
    &["SequencerDatabasePoolNearlyExhausted", "SequencerDatabasePoolExhausted"],
    &["SequencerDiskFilling", "SequencerDiskAlmostFull", "SequencerDiskFull"],
    &["SequencerTlsCertificateEnding", "SequencerTlsCertificateExpiring"],
];

/// `helm/files/alerts.json`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChartAlerts {
    runbooks_url: &'static str,
    dashboards_url: &'static str,
    ascending: &'static [&'static [&'static str]],
    groups: Vec<Group>,
}

#[derive(Debug, Serialize)]
struct Group {
    name: String,
    interval: String,
    records: Vec<Entry>,
    alerts: Vec<Alert>,
}

#[derive(Debug, Serialize)]
struct Alert {
    alert: String,
    enabled: bool,
    severity: &'static str,
    #[serde(rename = "for")]
    for_: String,
    #[serde(flatten)]
    number: Number,
    expr: String,
    labels: BTreeMap<String, String>,
    summary: &'static str,
    description: String,
    board: &'static str,
}

/// What the alert compares with.
#[derive(Debug, Serialize)]
#[serde(untagged)]
enum Number {
    /// A number that a value may change.
    Threshold { threshold: String, operator: &'static str, unit: &'static str },
    /// One that follows from an objective, in words.
    Objective { fires: String },
}

/// Every alert, those that are off too.
#[must_use]
pub fn alerts(set: &RuleSet) -> ChartAlerts {
    let mut groups: Vec<Group> = Vec::new();
    for rule in &set.rules {
        let name = super::prometheus::group_name(rule);
        if groups.last().is_none_or(|group| group.name != name) {
            let records =
                if rule.group == "slo" { recordings(Scale::REAL).collect() } else { vec![] };
            let interval = super::prometheus::interval(Scale::REAL);
            groups.push(Group { name, interval, records, alerts: Vec::new() });
        }
        if let Some(group) = groups.last_mut() {
            group.alerts.push(alert(rule));
        }
    }
    ChartAlerts {
        runbooks_url: RUNBOOKS_URL,
        dashboards_url: DASHBOARDS_URL,
        ascending: ASCENDING,
        groups,
    }
}

fn alert(rule: &Rule) -> Alert {
    let mut labels = alert_labels(rule);
    labels.remove("severity");
    let (number, expr) = match rule.objective {
        Some(_) => (Number::Objective { fires: rule.fires() }, rule.expression()),
        None => (
            Number::Threshold {
                threshold: Decimal(rule.threshold).to_string(),
                operator: rule.comparison.operator(),
                unit: unit(rule.unit),
            },
            rule.expression_with(&format!("@threshold:{}@", rule.name)),
        ),
    };
    Alert {
        alert: rule.name.clone(),
        enabled: rule.enabled,
        severity: rule.severity.as_str(),
        for_: duration(rule.for_seconds),
        number,
        expr,
        labels,
        summary: rule.summary,
        description: rule.description(),
        board: rule.board,
    }
}

/// How the chart says a number.
fn unit(unit: Unit) -> &'static str {
    match unit {
        Unit::Ratio => "ratio",
        Unit::Seconds | Unit::AgeSeconds => "seconds",
        Unit::Bytes => "bytes",
        Unit::PerSecond => "per_second",
        Unit::Count | Unit::Flag => "count",
    }
}
