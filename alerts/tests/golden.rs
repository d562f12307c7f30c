//! Generated files in the repository equal what the program says now.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use alerts::overrides::{Overrides, RuleSet};
use alerts::render;
use alerts::scale::Scale;

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
