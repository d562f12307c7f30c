//! Generated files in the repository equal what the program says now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alerts::overrides::{Overrides, RuleSet};
use alerts::scale::Scale;
use alerts::{guide, render};

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("generated")
}

#[test]
fn the_generated_rules_are_up_to_date() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let files = render::files(&set, Scale::REAL).unwrap();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        for (name, text) in &files {
            std::fs::write(folder().join(name), text).unwrap();
        }
    }
    for (name, expect) in &files {
        let found = std::fs::read_to_string(folder().join(name)).unwrap_or_default();
        assert!(found == *expect, "alerts/generated/{name} is out of date: run `make generate`");
    }
    let known: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(folder()).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.as_str()), "alerts/generated/{name} is generated no more");
    }
}

#[test]
fn the_alerts_of_the_chart_are_up_to_date() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let expect = serde_json::to_string_pretty(&render::chart::alerts(&set)).unwrap() + "\n";
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../helm/files/alerts.json");
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&file, &expect).unwrap();
    }
    let found = std::fs::read_to_string(&file).unwrap_or_default();
    assert!(found == expect, "helm/files/alerts.json is stale: run `make generate`");
}

/// The tables of the guide, each behind its own line.
#[test]
fn the_guide_has_every_alert_and_objective() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/monitoring.md");
    let mut page = std::fs::read_to_string(&path).unwrap();
    for (what, table) in [("alerts", guide::alerts(&set)), ("objectives", guide::objectives(&set))]
    {
        let begin = format!("<!-- Table of {what}, by `make generate`; do not edit. -->\n");
        let (before, rest) = page.split_once(&begin).unwrap();
        let (_, after) = rest.split_once("<!-- End of the table. -->\n").unwrap();
        page = format!("{before}{begin}{table}<!-- End of the table. -->\n{after}");
    }
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(&path, &page).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == page, "docs/monitoring.md is stale: run `make generate`");
}
