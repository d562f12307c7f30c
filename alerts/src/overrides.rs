//! What a platform team changes without touching the rules: one file of values.

use std::collections::BTreeMap;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::rule::{Rule, Severity, parse_duration};
use crate::{DASHBOARDS_URL, RUNBOOKS_URL, rules};

/// Largest file that is read.
const MAX_FILE_BYTES: u64 = 1 << 20;

/// The values file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Overrides {
    /// Base of the links to runbooks, without a slash at its end.
    pub runbooks_url: Option<String>,
    /// Base of the links to boards, without a slash at its end.
    pub dashboards_url: Option<String>,
    /// Changes by the name of an alert.
    pub alerts: BTreeMap<String, Change>,
}

/// Changes to one alert.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// Left out of the output when false.
    pub enabled: Option<bool>,
    /// What is done about it.
    pub severity: Option<Severity>,
    /// Time for which the condition must hold, as in Prometheus.
    #[serde(rename = "for")]
    pub for_: Option<String>,
    /// A number, or the text of one.
    pub threshold: Option<Number>,
    /// Labels beside the usual ones.
    pub labels: BTreeMap<String, String>,
}

/// A number that a values file may hold as text, because some tools write large ones as floats.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Number {
    /// As it is.
    Plain(f64),
    /// As text.
    Text(String),
}

/// The rules as they are to be generated.
#[derive(Clone, Debug)]
pub struct RuleSet {
    /// All of them, disabled ones too.
    pub rules: Vec<Rule>,
    /// Base of the links to runbooks.
    pub runbooks_url: String,
    /// Base of the links to boards.
    pub dashboards_url: String,
}

impl RuleSet {
    /// The rules with these changes.
    ///
    /// # Errors
    /// An alert that does not exist, or a value that cannot be.
    pub fn new(overrides: &Overrides) -> anyhow::Result<Self> {
        let mut rules = rules::all();
        for (name, change) in &overrides.alerts {
            let rule = rules.iter_mut().find(|rule| rule.name == *name);
            let rule = rule.with_context(|| format!("there is no alert {name}"))?;
            change.apply(rule).with_context(|| format!("alerts.{name}"))?;
        }
        let url = |given: &Option<String>, default: &str| {
            given.as_deref().unwrap_or(default).trim_end_matches('/').to_owned()
        };
        Ok(Self {
            rules,
            runbooks_url: url(&overrides.runbooks_url, RUNBOOKS_URL),
            dashboards_url: url(&overrides.dashboards_url, DASHBOARDS_URL),
        })
    }

    /// Those that are generated.
    pub fn enabled(&self) -> impl Iterator<Item = &Rule> {
        self.rules.iter().filter(|rule| rule.enabled)
    }
}

impl Change {
    fn apply(&self, rule: &mut Rule) -> anyhow::Result<()> {
        rule.enabled = self.enabled.unwrap_or(rule.enabled);
        rule.severity = self.severity.unwrap_or(rule.severity);
        if let Some(text) = &self.for_ {
            let seconds = parse_duration(text);
            rule.for_seconds =
                seconds.with_context(|| format!("for: {text} is no duration such as 5m"))?;
        }
        if let Some(threshold) = &self.threshold {
            ensure!(rule.objective.is_none(), "threshold: it follows from the objective");
            let threshold = match threshold {
                Number::Plain(number) => Some(*number),
                Number::Text(text) => text.parse().ok(),
            };
            let threshold = threshold.filter(|number: &f64| number.is_finite());
            rule.threshold = threshold.context("threshold: it is no number")?;
        }
        for (name, value) in &self.labels {
            if ["alertname", "severity", "product"].contains(&name.as_str()) {
                bail!("labels.{name}: it is set by the generator");
            }
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '_';
            let begins_well = name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
            ensure!(begins_well && name.chars().all(is_name), "labels: `{name}` is no label name");
            rule.labels.push((name.clone(), value.clone()));
        }
        Ok(())
    }
}

/// Reads a values file.
///
/// # Errors
/// When it cannot be read, or holds something unknown.
pub fn read(file: &std::path::Path) -> anyhow::Result<Overrides> {
    let context = || format!("cannot read {}", file.display());
    let size = std::fs::metadata(file).with_context(context)?.len();
    ensure!(size <= MAX_FILE_BYTES, "{} is larger than {MAX_FILE_BYTES} bytes", file.display());
    let text = std::fs::read_to_string(file).with_context(context)?;
    parse(&text).with_context(|| file.display().to_string())
}

fn parse(text: &str) -> anyhow::Result<Overrides> {
    let options = serde_saphyr::options! { strict_booleans: true };
    Ok(serde_saphyr::from_str_with_options(text, options)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_changes_its_rule_and_nothing_else() -> anyhow::Result<()> {
        let text = "runbooks_url: https://ops.example.com/runbooks/\n\
                    alerts:\n  SequencerHighLatency:\n    threshold: \"2.5\"\n    for: 10m\n    \
                    severity: critical\n    labels: {team: events}\n  \
                    SequencerLowThroughput: {enabled: true}\n";
        let set = RuleSet::new(&parse(text)?)?;
        assert_eq!(set.runbooks_url, "https://ops.example.com/runbooks");
        let plain = RuleSet::new(&Overrides::default())?;
        for (changed, plain) in set.rules.iter().zip(&plain.rules) {
            let same = format!("{changed:?}") == format!("{plain:?}");
            let named = ["SequencerHighLatency", "SequencerLowThroughput"];
            assert_eq!(!same, named.contains(&plain.name.as_str()), "{}", plain.name);
        }
        let slow = set.rules.iter().find(|rule| rule.name == "SequencerHighLatency");
        let slow = slow.context("it is there")?;
        assert!(slow.expression().contains("> 2.5)"), "{}", slow.expression());
        assert_eq!((slow.for_seconds, slow.severity), (600, Severity::Critical));
        Ok(())
    }

    #[test]
    fn what_cannot_be_is_refused_in_words() {
        for (text, expect) in [
            ("alerts: {SequencerSlow: {for: 1m}}", "there is no alert SequencerSlow"),
            ("alerts: {SequencerDown: {for: 1y}}", "no duration"),
            ("alerts: {SequencerDown: {threshold: many}}", "no number"),
            ("alerts: {SequencerDown: {treshold: 1}}", "treshold"),
            ("alerts: {SequencerAvailabilityBudgetBurn1h: {threshold: 1}}", "objective"),
            ("alerts: {SequencerDown: {labels: {severity: x}}}", "set by the generator"),
            ("alerts: {SequencerDown: {labels: {\"a b\": x}}}", "no label name"),
            ("alerts: {SequencerDown: {severity: page}}", "page"),
            ("rules: {}", "rules"),
        ] {
            let refused = parse(text).and_then(|overrides| RuleSet::new(&overrides));
            let said = refused.err().map(|error| format!("{error:#}")).unwrap_or_default();
            assert!(said.contains(expect), "{text}: {said}");
        }
    }
}
