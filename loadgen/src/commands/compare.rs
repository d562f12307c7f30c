//! `loadgen compare`.

use std::path::PathBuf;

use clap::Args;

use super::{complain, say};
use crate::record::{Record, Verdict};
use crate::report::{compare, parse_tolerance};

/// Arguments of `loadgen compare`.
#[derive(Args, Debug)]
pub(super) struct CompareArgs {
    /// The `run.json` to compare with.
    base: PathBuf,
    /// The `run.json` that is judged.
    new: PathBuf,
    /// By how much a figure may be worse.
    #[arg(long, value_name = "SHARE", default_value = "10%", value_parser = parse_tolerance)]
    tolerance: f64,
    /// Print Markdown for a pull request in place of the table.
    #[arg(long)]
    markdown: bool,
}

impl CompareArgs {
    pub(super) fn run(self) -> anyhow::Result<Verdict> {
        let (base, new) = (Record::read(&self.base)?, Record::read(&self.new)?);
        let compared = compare(&base, &new, self.tolerance);
        say(&if self.markdown { compared.markdown() } else { compared.text() });
        compared.refusals.iter().for_each(|refusal| complain(refusal));
        Ok(compared.verdict())
    }
}
