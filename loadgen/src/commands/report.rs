//! `loadgen report`.

use std::path::{Path, PathBuf};

use clap::Args;

use super::say;
use crate::record::{Record, Verdict};
use crate::report;

/// Arguments of `loadgen report`.
#[derive(Args, Debug)]
pub(super) struct ReportArgs {
    /// The `run.json` of a run.
    run: PathBuf,
    /// Folder for report.html, summary.md and junit.xml; else that of the record.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
}

impl ReportArgs {
    /// Writes the reports; a verdict was given when the run ended, so this one is that of writing.
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let record = Record::read(&self.run)?;
        let beside = self.run.parent().filter(|folder| *folder != Path::new(""));
        let out = self.out.as_deref().or(beside).unwrap_or(Path::new("."));
        report::write(&record, out)?;
        say(&format!("verdict    {}", record.verdict.words()));
        for file in [report::HTML_FILE, report::MARKDOWN_FILE, report::JUNIT_FILE] {
            say(&format!("written    {}", out.join(file).display()));
        }
        Ok(Verdict::Pass)
    }
}
