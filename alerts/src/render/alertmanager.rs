//! An example for Alertmanager: routes by severity, and one page for one fault.

use serde_json::{Value, json};

use super::prometheus::PRODUCT;
use crate::overrides::RuleSet;
use crate::rule::Severity;

/// The example. Its receivers name no service: an operator puts his own there.
pub(super) fn example(set: &RuleSet) -> Value {
    let is = |severity: Severity| {
        vec![format!("product=\"{PRODUCT}\""), format!("severity=\"{}\"", severity.as_str())]
    };
    json!({
        "route": {
            "receiver": "tickets",
            "group_by": ["alertname", "job"],
            "group_wait": "10s",
            "group_interval": "1m",
            "repeat_interval": "4h",
            "routes": [
                {
                    "receiver": "dead-man",
                    "matchers": ["alertname=\"Watchdog\""],
                    "group_wait": "0s",
                    "group_interval": "1m",
                    "repeat_interval": "1m",
                },
                { "receiver": "pages", "matchers": is(Severity::Critical) },
                { "receiver": "tickets", "matchers": is(Severity::Warning) },
                { "receiver": "notes", "matchers": is(Severity::Info) },
            ],
        },
        "receivers": [
            receiver("pages"),
            receiver("tickets"),
            receiver("notes"),
            receiver("dead-man"),
        ],
        "inhibit_rules": inhibitions(set),
    })
}

fn receiver(name: &str) -> Value {
    let url = format!("http://127.0.0.1:9099/{name}");
    json!({ "name": name, "webhook_configs": [{ "url": url, "send_resolved": true }] })
}

/// While an alert fires, its consequences say nothing.
fn inhibitions(set: &RuleSet) -> Vec<Value> {
    let enabled: Vec<&str> = set.enabled().map(|rule| rule.name.as_str()).collect();
    let inhibition = |rule: &crate::rule::Rule| {
        let targets = rule.consequences.iter().filter(|name| enabled.contains(&name.as_str()));
        let targets: Vec<&str> = targets.map(String::as_str).collect();
        (!targets.is_empty()).then(|| {
            json!({
                "source_matchers":
                    [format!("alertname=\"{}\"", rule.name), format!("product=\"{PRODUCT}\"")],
                "target_matchers": [
                    format!("alertname=~\"{}\"", targets.join("|")),
                    format!("product=\"{PRODUCT}\""),
                ],
            })
        })
    };
    set.enabled().filter_map(inhibition).collect()
}
