//! Generated pages and tables in the repository equal what the program says now.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use runbooks::drill::table::MISSING;
use runbooks::{render, results};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Compares a file, or writes it where that is wanted.
fn is_up_to_date(file: &Path, expect: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(file, expect).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == expect, "{} is out of date: run `make generate`", file.display());
}

#[test]
fn the_pages_are_up_to_date() {
    let rows = results::read(&root().join("docs/drills.json")).unwrap();
    let files = render::files(&rows).unwrap();
    let folder = root().join("runbooks/pages");
    for (name, text) in &files {
        is_up_to_date(&folder.join(name), text);
    }
    let known: BTreeSet<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        assert!(known.contains(name.as_str()), "runbooks/pages/{name} is of no alert any more");
    }
}

#[test]
fn the_table_of_drills_is_up_to_date() {
    let rows = results::read(&root().join("docs/drills.json")).unwrap();
    is_up_to_date(&root().join("docs/drills.md"), &results::page(&rows, MISSING));
}
