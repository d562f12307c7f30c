//! Generated files in the repository equal what the program says now, and it says it quickly.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use alerts::overrides::{Overrides, RuleSet};
use dashboards::builder::threshold::Step;
use dashboards::{export, guide};

/// Lines around the generated part of the guide.
const BEGIN: &str = "<!-- Generated from the boards by `make generate`; do not edit. -->\n";
const END: &str = "<!-- End of the generated part. -->\n";

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).to_owned()
}

fn update() -> bool {
    std::env::var_os("UPDATE_GOLDEN").is_some()
}

#[test]
fn the_boards_are_up_to_date_and_the_only_json_files() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    are_up_to_date(&root().join("generated"), export::boards(&set).unwrap());
}

#[test]
fn the_boards_of_the_chart_are_up_to_date() {
    are_up_to_date(&root().join("../helm/files/boards"), export::chart().unwrap());
}

/// The chart refuses values that cross the thresholds of one panel: it knows which those are.
#[test]
fn the_chart_knows_which_alerts_one_panel_shows() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let mut shown: Vec<Vec<String>> = Vec::new();
    for board in dashboards::boards::all(&set) {
        for panel in board.panels() {
            let of_steps: Vec<String> = panel.steps.iter().filter_map(Step::alert).collect();
            if of_steps.len() > 1 && !shown.contains(&of_steps) {
                shown.push(of_steps);
            }
        }
    }
    shown.sort();
    assert_eq!(shown, alerts::render::chart::ASCENDING);
}

fn are_up_to_date(folder: &Path, boards: Vec<export::File>) {
    if update() {
        std::fs::create_dir_all(folder).unwrap();
        for (name, text) in &boards {
            std::fs::write(folder.join(name), text).unwrap();
        }
    }
    for (name, expect) in &boards {
        let file = folder.join(name);
        let found = std::fs::read_to_string(&file).unwrap_or_default();
        assert!(found == *expect, "{} is stale: run `make generate`", file.display());
    }
    let mut found: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    let mut expect: Vec<String> = boards.into_iter().map(|(name, _)| name).collect();
    found.sort();
    expect.sort();
    assert_eq!(found, expect, "a board that went leaves no file");
}

/// The compose file mounts the provider beside the boards.
#[test]
fn the_provider_of_the_boards_is_up_to_date() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let files = export::provisioning(&set, export::MOUNTED_AT, export::FOLDER).unwrap();
    let (name, expect) = &files[0];
    let path = root().join(name);
    if update() {
        std::fs::write(&path, expect).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(found == *expect, "dashboards/{name} is stale: run `make generate`");
}

#[test]
fn the_guide_describes_every_panel() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let path = root().join("../docs/monitoring.md");
    let page = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = page.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let expect = format!("{before}{BEGIN}{}{END}{after}", guide::panels(&set));
    if update() {
        std::fs::write(&path, &expect).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == expect, "docs/monitoring.md is stale: run `make generate`");
}

/// Measured in the test profile, on a busy machine: a release build needs a tenth.
#[test]
fn all_boards_are_generated_within_a_second() {
    let begin = Instant::now();
    let set = RuleSet::new(&Overrides::default()).unwrap();
    assert_eq!(export::boards(&set).unwrap().len(), 9);
    assert!(begin.elapsed() < Duration::from_secs(1), "{:?}", begin.elapsed());
}
