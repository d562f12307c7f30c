//! Every alert has a page and a drill, and what a page names is there.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use regex::Regex;
use runbooks::block::{Block, Kind, blocks};
use runbooks::book::{self, VARIABLES, body_name, pages};
use runbooks::drill::table::{Ends, MISSING, drills};
use runbooks::drill::watchdog;
use runbooks::environment::NAMES;
use runbooks::{render, results};

/// Lines of what a person writes, and of the whole page: about a screen.
const MAX_WRITTEN_LINES: usize = 55;
const MAX_LINES: usize = 110;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn all(pattern: &str, text: &str) -> BTreeSet<String> {
    let pattern = Regex::new(pattern).unwrap();
    pattern.captures_iter(text).map(|found| found[1].to_owned()).collect()
}

/// Every written text, by its name.
fn texts() -> Vec<(String, &'static str)> {
    let names = book::written_names();
    names.into_iter().map(|name| (name.clone(), book::written(&name).unwrap())).collect()
}

#[test]
fn every_alert_has_a_page_and_every_page_an_alert() {
    let mut used: BTreeSet<String> = pages().unwrap().iter().map(|p| body_name(&p.rule)).collect();
    used.insert(VARIABLES.to_owned());
    let written: BTreeSet<String> = book::written_names().into_iter().collect();
    assert_eq!(written, used);
}

#[test]
fn every_alert_has_a_drill_that_was_played_or_says_why_not() {
    let drilled: Vec<String> = drills().into_iter().map(|drill| drill.alert).collect();
    let mut known: BTreeSet<String> = drilled.iter().cloned().collect();
    assert_eq!(known.len(), drilled.len(), "an alert has two drills");
    known.insert(watchdog::ALERT.to_owned());
    let missing = MISSING.iter().map(|missing| missing.alert.to_owned());
    for name in missing {
        assert!(known.insert(name.clone()), "{name} has a drill and a reason to have none");
    }
    let alerts: BTreeSet<String> =
        pages().unwrap().into_iter().map(|page| page.rule.name).collect();
    assert_eq!(known, alerts);

    let rows = results::read(&root().join("docs/drills.json")).unwrap();
    let played: BTreeSet<&str> = rows.iter().map(|row| row.alert.as_str()).collect();
    for alert in &alerts {
        let excused = MISSING.iter().any(|missing| missing.alert == alert);
        assert!(
            excused || played.contains(alert.as_str()),
            "the drill of {alert} was never played"
        );
    }
    let real_time = rows.iter().filter(|row| row.scale == 1).count();
    assert!(real_time >= 3, "{real_time} drills were played at real speed");
    assert!(drills().iter().filter(|drill| drill.is_short()).count() >= 10);
}

/// A mitigation that no drill runs would be a claim.
#[test]
fn a_page_has_a_mitigation_to_paste_where_its_drill_pastes_it() {
    let drills = drills();
    for page in pages().unwrap() {
        let drill = drills.iter().find(|drill| drill.alert == page.rule.name);
        let pasted = drill.is_some_and(|drill| drill.ends == Ends::Page);
        let blocks = page.blocks().unwrap();
        let has = blocks.iter().any(|block| block.kind == Kind::Mitigation);
        assert_eq!(has, pasted, "{}", page.rule.name);
        let looks = blocks.iter().filter(|block| block.kind == Kind::Diagnosis).count();
        assert!((1..=3).contains(&looks), "{}: {looks} diagnosis blocks", page.rule.name);
    }
}

#[test]
fn pages_are_about_one_screen() {
    for (name, text) in texts() {
        let lines = text.lines().count();
        assert!(name == VARIABLES || lines <= MAX_WRITTEN_LINES, "{name} has {lines} lines");
    }
    for (name, text) in render::files(&[]).unwrap() {
        let lines = text.lines().count();
        assert!(name == "README.md" || lines <= MAX_LINES, "{name} has {lines} lines");
    }
}

#[test]
fn commands_parse_look_only_and_use_only_the_variables() {
    let variable = Regex::new(r"\$\{?([A-Z][A-Z0-9_]*)").unwrap();
    let changes =
        Regex::new(r"-X +(POST|PUT|DELETE)|--request|--data |-d |\b(kill|rm|mv)\b").unwrap();
    for (name, text) in texts() {
        for Block { kind, script, expect, .. } in blocks(text).unwrap() {
            let mut bash = Command::new("bash").arg("-n").stdin(Stdio::piped()).spawn().unwrap();
            bash.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
            assert!(bash.wait().unwrap().success(), "{name}:\n{script}");
            if kind == Kind::Example {
                continue;
            }
            for used in variable.captures_iter(&script) {
                // The last field of awk.
                let known = NAMES.contains(&&used[1]) || &used[1] == "NF";
                assert!(known, "{name} uses ${}", &used[1]);
            }
            if kind == Kind::Diagnosis {
                assert!(expect.is_some(), "{name}: what does it show?\n{script}");
                assert!(!changes.is_match(&script), "{name} changes something:\n{script}");
            }
        }
    }
}

#[test]
fn links_are_alive() {
    for (name, text) in render::files(&[]).unwrap() {
        for link in all(r"\]\(([^)#]+)", &text) {
            if link.starts_with("http") {
                continue;
            }
            // A page of another alert, or a file of the repository as seen from the pages.
            let there = root().join("runbooks/pages").join(&link);
            assert!(there.exists(), "{name} links to {link}");
        }
    }
}

#[test]
fn metrics_that_are_named_exist() {
    let metrics = [catalog::sequencer::ALL, catalog::sidecar::ALL, catalog::loadgen::ALL].concat();
    let known: BTreeSet<String> = metrics.iter().map(|metric| metric.name.to_owned()).collect();
    for (name, text) in texts() {
        for metric in all(r"\b(stateset_(?:sequencer|sidecar|loadgen)_[a-z0-9_]*[a-z0-9])", text) {
            let stem =
                ["_bucket", "_sum", "_count"].iter().find_map(|end| metric.strip_suffix(end));
            let begins = |prefix: &str| known.iter().any(|known| known.starts_with(prefix));
            let found = known.contains(&metric) || stem.is_some_and(|stem| known.contains(stem));
            // In a pattern of grep or awk, the beginning of a name stands for all of its kind.
            assert!(found || begins(&metric), "{name} names {metric}");
        }
    }
}

#[test]
fn routes_that_are_named_exist() {
    let api = std::fs::read_to_string(root().join("sequencer/openapi.yaml")).unwrap();
    let routes = all(r"(?m)^  (/[^:]*):", &api);
    let known = |path: &str| {
        let parts = |text: &str| text.split('/').map(str::to_owned).collect::<Vec<_>>();
        routes.iter().any(|route| {
            let (route, path) = (parts(route), parts(path));
            let same = |(a, b): (&String, &String)| a == b || a.starts_with('{');
            route.len() == path.len() && route.iter().zip(&path).all(same)
        })
    };
    let of_sidecar =
        ["/", "/api/status", "/api/history", "/bundle", "/metrics", "/health", "/ready"];
    for (name, text) in texts() {
        for path in all(r"\$(?:SEQUENCER|OPS)_URL(/[a-zA-Z0-9/_-]*)", text) {
            assert!(known(&path), "{name}: the sequencer has no route {path}");
        }
        for path in all(r"\$SIDECAR_URL(/[a-zA-Z0-9/_-]*)", text) {
            let runbook = path.starts_with("/runbooks/");
            assert!(runbook || of_sidecar.contains(&path.as_str()), "{name}: no route {path}");
        }
    }
}

/// Settings are written as the environment variables that they are.
#[test]
fn settings_that_are_named_exist() {
    let mut sources = String::new();
    for folder in ["sequencer/src/config", "sidecar/src/config"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            sources += &std::fs::read_to_string(entry.unwrap().path()).unwrap();
        }
    }
    // An answer's error code looks the same.
    let codes = std::fs::read_to_string(root().join("sequencer/openapi.yaml")).unwrap();
    for (name, text) in texts() {
        for setting in all(r"`([A-Z][A-Z0-9]*_[A-Z0-9_]+)(?:=[^`]*)?`", text) {
            let field = setting.to_lowercase();
            let other = codes.contains(&setting) || NAMES.contains(&setting.as_str());
            assert!(other || sources.contains(&field), "{name} names {setting}");
        }
    }
}
