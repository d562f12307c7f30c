//! Titles, units, places and numbers of panels.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::{boards, data_panels, list, report, text};

/// Grafana's names of the units that we use.
const UNITS: &[&str] = &[
    "short",
    "none",
    "percentunit",
    "s",
    "bytes",
    "binBps",
    "cps",
    "cpm",
    "reqps",
    "dateTimeFromNow",
];

/// panel-title-description-rule, panel-units-rule, panel-no-targets-rule, panel-datasource-rule.
#[test]
fn every_panel_says_what_it_shows_and_asks_the_chosen_datasource() {
    let mut complaints = Vec::new();
    for board in boards() {
        for panel in data_panels(&board) {
            let at = format!("{} / {}", text(&board, "/uid"), text(panel, "/title"));
            let mut check = |holds: bool, what: &str| {
                if !holds {
                    complaints.push(format!("{at}: {what}"));
                }
            };
            let description = text(panel, "/description");
            check(!text(panel, "/title").is_empty(), "no title");
            check(description.contains("\n\nGood: "), "it does not say what is good");
            check(description.contains("](http"), "no link to a runbook");
            check(!list(panel, "/links").is_empty(), "no link in its corner");
            check(UNITS.contains(&text(panel, "/fieldConfig/defaults/unit")), "no unit");
            check(list(panel, "/fieldConfig/overrides").is_empty(), "units stand in the defaults");
            check(!list(panel, "/targets").is_empty(), "no target");
            check(text(panel, "/datasource/uid") == "${datasource}", "a datasource of its own");
            for target in list(panel, "/targets") {
                check(text(target, "/datasource/uid") == "${datasource}", "a target's datasource");
                check(text(target, "/datasource/type") == "prometheus", "a target's datasource");
                check(!text(target, "/expr").is_empty(), "a target without expression");
                check(!text(target, "/legendFormat").is_empty(), "a target without legend");
            }
        }
    }
    report(&complaints);
}

#[test]
fn every_text_has_a_title_and_words() {
    let mut texts = 0;
    for board in boards() {
        for panel in list(&board, "/panels").iter().filter(|p| text(p, "/type") == "text") {
            assert!(!text(panel, "/title").is_empty() && !text(panel, "/description").is_empty());
            assert!(text(panel, "/options/content").len() > 40);
            texts += 1;
        }
    }
    assert_eq!(texts, 1, "the load board says in words what it cannot show yet");
}

#[test]
fn numbers_are_unique_on_a_board_and_letters_on_a_panel() {
    for board in boards() {
        let uid = text(&board, "/uid");
        let (mut ids, mut titles) = (BTreeSet::new(), BTreeSet::new());
        for panel in list(&board, "/panels") {
            let (id, title) = (panel["id"].as_u64().unwrap(), text(panel, "/title"));
            assert!(id > 0 && ids.insert(id), "{uid} / {title}: its number is taken: rename it");
            let is_row = text(panel, "/type") == "row";
            assert!(is_row || titles.insert(title.to_owned()), "{uid} / {title}: twice");
            let letters: Vec<&str> =
                list(panel, "/targets").iter().map(|target| text(target, "/refId")).collect();
            let distinct: BTreeSet<&str> = letters.iter().copied().collect();
            assert_eq!(letters.len(), distinct.len(), "{uid} / {title}");
        }
    }
}

/// x, y, width and height.
fn place(panel: &Value) -> [u64; 4] {
    ["x", "y", "w", "h"].map(|side| panel["gridPos"][side].as_u64().unwrap())
}

#[test]
fn panels_do_not_overlap_and_stay_inside() {
    for board in boards() {
        let panels = list(&board, "/panels");
        for (number, panel) in panels.iter().enumerate() {
            let at = format!("{} / {}", text(&board, "/uid"), text(panel, "/title"));
            let [x, y, w, h] = place(panel);
            assert!(w > 0 && h > 0 && x + w <= 24, "{at}: {:?}", place(panel));
            for other in &panels[number + 1..] {
                let [x2, y2, w2, h2] = place(other);
                let apart = x + w <= x2 || x2 + w2 <= x || y + h <= y2 || y2 + h2 <= y;
                assert!(apart, "{at} and {} overlap", text(other, "/title"));
            }
        }
    }
}

/// Panels that begin with a row are not hidden in it.
#[test]
fn rows_are_open_and_come_before_their_panels() {
    for board in boards() {
        let panels = list(&board, "/panels");
        assert_eq!(text(&panels[0], "/type"), "row");
        for (number, panel) in panels.iter().enumerate() {
            if text(panel, "/type") == "row" {
                let title = text(panel, "/title");
                assert!(!title.is_empty() && panel["collapsed"] == false, "{title}");
                assert!(list(panel, "/panels").is_empty(), "{title}: panels inside of the row");
                let next = panels.get(number + 1).map(|next| text(next, "/type"));
                assert!(next.is_some_and(|kind| kind != "row"), "{title}: a row without panels");
            }
        }
    }
}

#[test]
fn heat_maps_draw_the_buckets_of_the_server() {
    let mut heatmaps = 0;
    for board in boards() {
        for panel in data_panels(&board).filter(|panel| text(panel, "/type") == "heatmap") {
            heatmaps += 1;
            assert_eq!(panel["options"]["calculate"], false);
            for target in list(panel, "/targets") {
                let expr = text(target, "/expr");
                assert_eq!(text(target, "/format"), "heatmap");
                assert!(expr.starts_with("sum by (le) (increase(") && expr.contains("_bucket{"));
                assert!(expr.ends_with("[$__rate_interval]))"), "{expr}");
            }
        }
    }
    assert!(heatmaps >= 4, "only {heatmaps} heat maps");
}
