//! Alerts and boards in the chart are those that the commands write, as they are and overridden.

use std::path::Path;

use serde_json::{Value, json};
use tempfile::TempDir;
use testbed::chart::Render;
use testbed::program::{bare, program};

use crate::cases::{list, of_kind};

/// Largest board, in bytes: a ConfigMap holds a mebibyte, and Grafana's sidecar reads them all.
const LARGEST_BOARD: usize = 250 * 1024;

/// What one file of a folder says, in YAML or JSON.
fn read(file: &Path) -> Value {
    let text = std::fs::read_to_string(file).unwrap_or_else(|e| panic!("{}: {e}", file.display()));
    serde_saphyr::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", file.display()))
}

/// The objects that the operator and Grafana get with these overrides, and what `alerts generate`
/// and `dashboards generate` write with the same.
fn compare(overrides: &Value) {
    let folder = TempDir::new().unwrap();
    let place = |name: &str| folder.path().join(name);
    let links = ["https://ops.example.com/runbooks", "https://grafana.example.com/d"];
    let of_commands =
        json!({"runbooks_url": links[0], "dashboards_url": links[1], "alerts": overrides});
    std::fs::write(place("overrides.yaml"), of_commands.to_string()).unwrap();
    for name in ["alerts", "dashboards"] {
        let mut command = bare(&program(name));
        command.arg("generate").arg("--out").arg(place(name));
        command.arg("--overrides").arg(place("overrides.yaml"));
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{name} {overrides}: {said}");
    }
    let values = json!({
        "alerts": overrides,
        "links": {"runbooksUrl": links[0], "dashboardsUrl": links[1]},
    });
    std::fs::write(place("values.yaml"), values.to_string()).unwrap();
    let own = format!("--values={}", place("values.yaml").display());
    let render = Render::of(&["ci/sqlite-least.yaml"]).operator().argument(&own);
    let render = render.set("metrics.prometheusRule.enabled=true").set("dashboards.enabled=true");
    let documents = render.documents();
    rules_are(&documents, &read(&place("alerts/prometheusrule.yaml")), overrides);
    boards_are(&documents, &place("dashboards"), overrides);
}

fn rules_are(documents: &[Value], written: &Value, overrides: &Value) {
    let rendered = of_kind(documents, "PrometheusRule").next().unwrap();
    let groups = [&rendered["spec"]["groups"], &written["spec"]["groups"]].map(list);
    assert_eq!(groups[0].len(), groups[1].len(), "{overrides}");
    for (ours, theirs) in groups[0].iter().zip(groups[1]) {
        assert_eq!(ours["name"], theirs["name"], "{overrides}");
        assert_eq!(ours["interval"], theirs["interval"], "{overrides}");
        let rules = [&ours["rules"], &theirs["rules"]].map(list);
        assert_eq!(rules[0].len(), rules[1].len(), "{overrides}: {}", ours["name"]);
        for (ours, theirs) in rules[0].iter().zip(rules[1]) {
            let [ours, theirs] = [ours, theirs].map(|rule| {
                let mut rule = rule.clone();
                // Nothing to wait for has several spellings.
                if matches!(rule["for"].as_str(), Some("0s" | "0m")) {
                    rule["for"] = Value::Null;
                }
                rule
            });
            assert_eq!(ours, theirs, "{overrides}");
        }
    }
}

fn boards_are(documents: &[Value], written: &Path, overrides: &Value) {
    let mut boards = 0;
    for map in of_kind(documents, "ConfigMap") {
        if map["metadata"]["labels"]["grafana_dashboard"] != "1" {
            continue;
        }
        for (file, text) in map["data"].as_object().unwrap() {
            let text = text.as_str().unwrap();
            assert!(text.len() < LARGEST_BOARD, "{file}: {} bytes", text.len());
            let [ours, theirs] =
                [serde_json::from_str::<Value>(text).unwrap(), read(&written.join(file))]
                    .map(rounded);
            assert!(ours == theirs, "{overrides}: {file}: {}", first_difference(&ours, &theirs));
            boards += 1;
        }
    }
    let files = std::fs::read_dir(written).unwrap();
    let written = files.filter(|file| {
        file.as_ref().unwrap().path().extension().is_some_and(|extension| extension == "json")
    });
    assert_eq!(boards, written.count(), "{overrides}");
}

/// Numbers as both sides can say them: the chart multiplies decimals.
fn rounded(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            members.into_iter().map(|(key, value)| (key, rounded(value))).collect()
        }
        Value::Array(items) => items.into_iter().map(rounded).collect(),
        Value::Number(number) => json!(format!("{:.9}", number.as_f64().unwrap())),
        other => other,
    }
}

/// Where two values differ first, and how.
fn first_difference(ours: &Value, theirs: &Value) -> String {
    match (ours, theirs) {
        (Value::Object(members), Value::Object(others)) if members.len() == others.len() => {
            let differs = members.iter().find(|(key, value)| others.get(*key) != Some(value));
            let (key, value) = differs.unwrap();
            format!("{key}.{}", first_difference(value, &theirs[key]))
        }
        (Value::Array(items), Value::Array(others)) if items.len() == others.len() => {
            let place = items.iter().zip(others).position(|(a, b)| a != b).unwrap();
            format!("{place}.{}", first_difference(&items[place], &others[place]))
        }
        _ => format!("{ours} in the chart, {theirs} by the command"),
    }
}

#[test]
fn the_default_is_what_is_generated() {
    compare(&json!({}));
}

#[test]
fn an_override_changes_rule_and_board_as_the_commands_do() {
    for overrides in [
        json!({"SequencerHighLatency": {"threshold": "2.5", "for": "10m", "severity": "critical",
            "labels": {"team": "events"}}}),
        json!({"SequencerLowThroughput": {"enabled": true, "threshold": "12.5"},
            "SequencerDiskFilling": {"enabled": false}}),
        json!({"SequencerDiskFilling": {"threshold": "0.8", "severity": "warning"},
            "SequencerWalGrowing": {"threshold": "536870912"}}),
        json!({"SequencerTlsCertificateExpiring": {"threshold": "2592000"},
            "SequencerTlsCertificateEnding": {"severity": "info"}}),
        json!({"SequencerRestartingOften": {"threshold": "5", "for": "0m"},
            "SequencerNotReady": {"for": "5m"}, "SequencerDown": {"threshold": "2"}}),
        json!({"SequencerAvailabilityBudgetBurn1h": {"severity": "warning", "for": "3m"},
            "SequencerClockSkew": {"threshold": "0.25"}}),
        json!({"CanaryStale": {"threshold": "90000"},
            "SequencerQueueSaturated": {"threshold": "0.123456"}}),
    ] {
        compare(&overrides);
    }
}
