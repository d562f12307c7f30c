//! Variables, links, annotations and the fields of a board itself.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use crate::{boards, list, text};

fn variable<'a>(board: &'a Value, name: &str) -> &'a Value {
    let all = list(board, "/templating/list");
    let found = all.iter().find(|variable| text(variable, "/name") == name);
    found.unwrap_or_else(|| panic!("{}: no variable {name}", text(board, "/uid")))
}

/// template-datasource-rule.
#[test]
fn the_datasource_is_a_variable() {
    for board in boards() {
        let all = list(&board, "/templating/list").iter();
        let of_type: Vec<&Value> = all.filter(|v| text(v, "/type") == "datasource").collect();
        assert_eq!(of_type.len(), 1, "{}", text(&board, "/uid"));
        assert_eq!(text(of_type[0], "/name"), "datasource");
        assert_eq!(text(of_type[0], "/label"), "Data Source");
        assert_eq!(text(of_type[0], "/query"), "prometheus");
    }
}

/// template-job-rule, template-instance-rule, template-on-time-change-reload-rule.
#[test]
fn job_and_instance_are_variables_for_several_and_all() {
    for board in boards() {
        for (name, label) in [("job", "Job"), ("instance", "Instance")] {
            let variable = variable(&board, name);
            assert_eq!(text(variable, "/type"), "query");
            assert_eq!(text(variable, "/label"), label);
            assert_eq!(text(variable, "/datasource/uid"), "${datasource}");
            assert_eq!(text(variable, "/allValue"), ".+");
            for (field, expect) in [
                ("multi", json!(true)),
                ("includeAll", json!(true)),
                ("refresh", json!(2)),
                ("hide", json!(0)),
            ] {
                assert_eq!(variable[field], expect, "{name}: {field}");
            }
        }
    }
}

/// template-label-promql-rule: what is inside of `label_values` is PromQL, and the choice of
/// instances follows the choice of jobs.
#[test]
fn variables_ask_for_labels_in_promql() {
    for board in boards() {
        for name in ["job", "instance"] {
            let query = text(variable(&board, name), "/query");
            let inside = query.strip_prefix("label_values(").and_then(|q| q.strip_suffix(')'));
            let (selector, label) = inside.and_then(|q| q.rsplit_once(", ")).unwrap();
            assert_eq!(label, name);
            promql_parser::parser::parse(selector).unwrap();
            assert_eq!(selector.contains("job=~\"$job\""), name == "instance");
        }
    }
}

/// uneditable-dashboard-rule, and what import and navigation stand on.
#[test]
fn a_board_is_fixed_and_found() {
    let mut uids = BTreeSet::new();
    let mut titles = BTreeSet::new();
    for board in boards() {
        let uid = text(&board, "/uid");
        assert!(uids.insert(uid.to_owned()), "{uid} twice");
        assert!(titles.insert(text(&board, "/title").to_owned()), "{uid}: its title is taken");
        let is_plain = |c: char| c.is_ascii_lowercase() || c == '-';
        assert!(!uid.is_empty() && uid.len() <= 40 && uid.chars().all(is_plain), "{uid}");
        for (field, expect) in [
            ("editable", json!(false)),
            ("graphTooltip", json!(1)),
            ("schemaVersion", json!(39)),
            ("tags", json!(["stateset-sequencer"])),
        ] {
            assert_eq!(board[field], expect, "{uid}: {field}");
        }
        assert!(board.get("id").is_none(), "{uid}: Grafana gives the id");
        assert!(!text(&board, "/description").is_empty(), "{uid}: no description");
    }
    let expect = [
        "stateset-agents",
        "stateset-database",
        "stateset-events",
        "stateset-load",
        "stateset-overview",
        "stateset-requests",
        "stateset-resilience",
        "stateset-sidecar",
        "stateset-slo",
    ];
    assert!(uids.iter().map(String::as_str).eq(expect), "{uids:?}");
}

#[test]
fn links_lead_to_the_other_boards_with_time_and_choice() {
    for board in boards() {
        let links = list(&board, "/links");
        assert_eq!(links.len(), 1);
        assert_eq!(links[0]["type"], "dashboards");
        assert_eq!(links[0]["tags"], board["tags"]);
        assert_eq!((&links[0]["includeVars"], &links[0]["keepTime"]), (&json!(true), &json!(true)));
    }
}

#[test]
fn annotations_use_the_chosen_datasource_and_parse() {
    for board in boards() {
        let annotations = list(&board, "/annotations/list");
        let names: Vec<&str> = annotations.iter().map(|one| text(one, "/name")).collect();
        assert_eq!(names, ["Firing alerts", "Deploys", "Load tests"]);
        for annotation in annotations {
            assert_eq!(text(annotation, "/datasource/uid"), "${datasource}");
            promql_parser::parser::parse(text(annotation, "/expr")).unwrap();
        }
        assert!(text(&annotations[0], "/expr").contains("product=\"stateset-sequencer\""));
        assert_eq!(annotations[1]["useValueForTime"], json!(true));
    }
}
