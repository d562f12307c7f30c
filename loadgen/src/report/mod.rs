//! What a run leaves for people: a page, a summary for pull requests, JUnit for CI, and the
//! comparison of two runs. All are projections of a [`Record`]; nothing is measured here.

mod compare;
mod figures;
mod junit;
mod markdown;
mod page;
#[cfg(test)]
mod samples;

use std::path::Path;

use anyhow::Context as _;

pub use compare::{Change, Comparison, Figure, compare, parse_tolerance};
pub use junit::junit;
pub use markdown::markdown;

use crate::record::Record;

/// The page.
pub const HTML_FILE: &str = "report.html";
/// The summary.
pub const MARKDOWN_FILE: &str = "summary.md";
/// The test cases.
pub const JUNIT_FILE: &str = "junit.xml";

/// The whole report as one page that loads nothing.
///
/// # Errors
/// When the record is not JSON or the page lacks a mark: mistakes of this program.
pub fn html(record: &Record) -> anyhow::Result<String> {
    let title = format!("{}: load test {}", record.verdict.words(), record.profile.name);
    page::document(&title, record)
}

/// Writes the page, the summary and the test cases into a folder, which is made.
///
/// # Errors
/// When the folder cannot be written.
pub fn write(record: &Record, folder: &Path) -> anyhow::Result<()> {
    let name = folder.display();
    std::fs::create_dir_all(folder).with_context(|| format!("cannot make {name}"))?;
    let files = [
        (HTML_FILE, html(record)?),
        (MARKDOWN_FILE, markdown(record)),
        (JUNIT_FILE, junit(record)),
    ];
    for (file, text) in files {
        let path = folder.join(file);
        let name = path.display();
        std::fs::write(&path, text).with_context(|| format!("cannot write {name}"))?;
    }
    Ok(())
}
