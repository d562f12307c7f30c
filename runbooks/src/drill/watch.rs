//! What Prometheus and Alertmanager say of alerts.

use std::collections::BTreeSet;

use alerts::rule::{Rule, Severity};
use serde_json::Value;

use super::stage::Stage;

/// How far an alert is.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum State {
    /// Its condition does not hold.
    Inactive,
    /// It waits.
    Pending,
    /// It fires.
    Firing,
}

/// One look at all alerts that are not inactive.
pub struct Look {
    alerts: Vec<Value>,
}

impl Look {
    /// Asks Prometheus.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn take(stage: &Stage) -> anyhow::Result<Self> {
        let url = format!("{}/api/v1/alerts", stage.prometheus.url());
        let answer: Value = stage.http.get(url).send().await?.json().await?;
        Ok(Self { alerts: answer["data"]["alerts"].as_array().cloned().unwrap_or_default() })
    }

    /// How far an alert is; of several instances the furthest.
    #[must_use]
    pub fn state(&self, alert: &str) -> State {
        let of_it = |found: &&Value| found["labels"]["alertname"] == alert;
        let states = self.alerts.iter().filter(of_it).map(|found| match found["state"].as_str() {
            Some("firing") => State::Firing,
            _ => State::Pending,
        });
        states.max().unwrap_or(State::Inactive)
    }

    /// Alerts that page now.
    #[must_use]
    pub fn pages(&self) -> BTreeSet<String> {
        let critical = Severity::Critical.as_str();
        let firing = self
            .alerts
            .iter()
            .filter(|found| found["state"] == "firing" && found["labels"]["severity"] == critical);
        firing.filter_map(|found| Some(found["labels"]["alertname"].as_str()?.to_owned())).collect()
    }

    /// All that fire, for a message.
    #[must_use]
    pub fn firing(&self) -> String {
        let firing = self.alerts.iter().filter(|found| found["state"] == "firing");
        let names: BTreeSet<&str> =
            firing.filter_map(|found| found["labels"]["alertname"].as_str()).collect();
        names.into_iter().collect::<Vec<_>>().join(", ")
    }
}

/// The alerts that may fire when these do: themselves and what follows from them.
#[must_use]
pub fn following(rules: &[Rule], causes: &[&str]) -> BTreeSet<String> {
    let mut found: BTreeSet<String> = BTreeSet::new();
    let mut open: Vec<String> = causes.iter().map(|name| (*name).to_owned()).collect();
    while let Some(name) = open.pop() {
        let rule = rules.iter().find(|rule| rule.name == name);
        if found.insert(name) {
            open.extend(rule.into_iter().flat_map(|rule| rule.consequences.clone()));
        }
    }
    found
}

/// The alert in whose favour Alertmanager keeps this one back, if it does.
///
/// # Errors
/// When Alertmanager does not answer.
pub async fn inhibited_by(stage: &Stage, alert: &str) -> anyhow::Result<Option<String>> {
    let Some(alertmanager) = &stage.alertmanager else { return Ok(None) };
    let url = format!("http://127.0.0.1:{}/api/v2/alerts", alertmanager.port());
    let all: Vec<Value> = stage.http.get(url).send().await?.json().await?;
    let found = all.iter().find(|found| found["labels"]["alertname"] == alert);
    let by = found.and_then(|found| found["status"]["inhibitedBy"][0].as_str());
    let source = by.and_then(|by| all.iter().find(|other| other["fingerprint"] == by));
    Ok(source.and_then(|source| Some(source["labels"]["alertname"].as_str()?.to_owned())))
}
