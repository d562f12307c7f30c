//! Every alert can be looked at: what it measures, its number, its runbook.

use std::collections::BTreeMap;

use alerts::overrides::{Change, Number, Overrides, RuleSet};
use alerts::rule::{Comparison, Guard, Rule, Severity};
use serde_json::Value;

use crate::{boards, data_panels, list, rule_set, text};

const MATCHERS: &str = r#"job=~"$job",instance=~"$instance""#;

/// What a rule would hold, had a board not added its choice and its window.
fn without_choice(expr: &str) -> String {
    expr.replace(&format!("{{{MATCHERS}}}"), "")
        .replace(&format!("{MATCHERS},"), "")
        .replace("$__rate_interval", "5m")
}

fn panel_of<'a>(boards: &'a [Value], rule: &Rule) -> &'a Value {
    let board = boards.iter().find(|board| text(board, "/uid") == rule.board);
    let board = board.unwrap_or_else(|| panic!("{}: there is no {}", rule.name, rule.board));
    // Whether a counter is there shows in its rate; a bare counter is no panel.
    let counter = "stateset_sequencer_events_ingested_total";
    let left = match rule.name.as_str() {
        "SequencerMetricsAbsent" => rule.left.replace(counter, &format!("rate({counter}[5m])")),
        _ => rule.left.clone(),
    };
    let shows = |panel: &&Value| {
        let runbook = format!("Runbook: {}", rule.name);
        let is_named = list(panel, "/links").iter().any(|link| text(link, "/title") == runbook);
        let first = text(panel, "/targets/0/expr");
        is_named && without_choice(first) == left
    };
    data_panels(board)
        .find(shows)
        .unwrap_or_else(|| panic!("{}: no panel of {} shows {}", rule.name, rule.board, rule.left))
}

fn steps(panel: &Value) -> Vec<(Option<f64>, &str)> {
    let steps = list(panel, "/fieldConfig/defaults/thresholds/steps");
    steps.iter().map(|step| (step["value"].as_f64(), text(step, "/color"))).collect()
}

/// The colour that a value gets.
fn colour_at<'a>(steps: &[(Option<f64>, &'a str)], value: f64) -> &'a str {
    let reached = steps.iter().rev().find(|(from, _)| from.is_none_or(|from| value >= from));
    reached.unwrap().1
}

fn expected_colour(severity: Severity) -> &'static str {
    match severity {
        Severity::Info => "blue",
        Severity::Warning => "orange",
        Severity::Critical => "red",
    }
}

#[test]
fn every_alert_has_its_panel_with_its_number_and_runbook() {
    let set = rule_set();
    let boards = boards();
    assert!(set.rules.len() > 50);
    for rule in &set.rules {
        let panel = panel_of(&boards, rule);
        let (steps, name) = (steps(panel), &rule.name);
        assert!(
            steps.contains(&(
                Some(rule.threshold),
                steps.iter().find(|step| step.0 == Some(rule.threshold)).map_or("", |step| step.1),
            )),
            "{name}: no line at {}: {steps:?}",
            rule.threshold
        );
        let just = rule.threshold.abs().max(1.0) * 1e-9;
        let firing = match rule.comparison {
            Comparison::Above => rule.threshold + just,
            Comparison::Below => rule.threshold - just,
            Comparison::Is => rule.threshold,
        };
        assert_eq!(colour_at(&steps, firing), expected_colour(rule.severity), "{name}: {steps:?}");
        if text(panel, "/type") == "timeseries" {
            let style = text(panel, "/fieldConfig/defaults/custom/thresholdsStyle/mode");
            assert_eq!(style, "line", "{name}");
        } else {
            assert_eq!(rule.comparison, Comparison::Is, "{name}: only states have no line");
        }
        let url = format!("{}/{name}", set.runbooks_url);
        assert!(text(panel, "/description").contains(&url), "{name}: no runbook");
        if let Guard::Window { left, .. } = &rule.guard {
            assert_eq!(&without_choice(text(panel, "/targets/1/expr")), left, "{name}");
        }
    }
}

/// Health is not drawn in the colour of trouble.
#[test]
fn the_silent_side_of_an_alert_has_another_colour() {
    let boards = boards();
    for rule in &rule_set().rules {
        let silent = match rule.comparison {
            Comparison::Above => rule.threshold - rule.threshold.abs().max(1.0) * 1e-9,
            Comparison::Below => rule.threshold,
            Comparison::Is => rule.threshold + 1.0,
        };
        let panel = panel_of(&boards, rule);
        let found = colour_at(&steps(panel), silent);
        assert_ne!(found, expected_colour(rule.severity), "{}: {silent}", rule.name);
    }
}

#[test]
fn changed_thresholds_and_links_show_on_the_boards() {
    let change = Change { threshold: Some(Number::Plain(0.42)), ..Change::default() };
    let overrides = Overrides {
        runbooks_url: Some("https://ops.example.com/runbooks".to_owned()),
        alerts: BTreeMap::from([("SequencerQueueSaturated".to_owned(), change)]),
        ..Overrides::default()
    };
    let set = RuleSet::new(&overrides).unwrap();
    let files = dashboards::export::boards(&set).unwrap();
    let boards: Vec<Value> =
        files.iter().map(|(_, text)| serde_json::from_str(text).unwrap()).collect();
    let rule = set.rules.iter().find(|rule| rule.name == "SequencerQueueSaturated").unwrap();
    let panel = panel_of(&boards, rule);
    assert_eq!(steps(panel)[1], (Some(0.42), "orange"));
    assert!(text(panel, "/description").contains("https://ops.example.com/runbooks/Sequencer"));
    let everything: String = files.into_iter().map(|(_, text)| text).collect();
    assert!(!everything.contains(alerts::RUNBOOKS_URL), "a link that was not changed");
}
