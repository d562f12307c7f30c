//! What the program can do.
//!
//! Exit codes: 0 done, 1 a clear error, 2 wrong usage, 3 (`check` only) something is missing.

mod check;
mod explain;
mod generate;
mod list;

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use crate::overrides::{self, Overrides, RuleSet};

pub use check::{CheckArgs, check};
pub use explain::explain;
pub use generate::{GenerateArgs, generate};
pub use list::list;

/// Which rules a command is about.
#[derive(Args, Clone, Debug, Default)]
pub struct RuleSetArgs {
    /// Values that change thresholds, waits, severities, labels or links.
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
}

impl RuleSetArgs {
    /// The rules with the changes of the file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something unknown.
    pub fn rules(&self) -> anyhow::Result<RuleSet> {
        let read = self.overrides.as_deref().map(overrides::read).transpose()?;
        RuleSet::new(&read.unwrap_or_else(Overrides::default))
    }
}

/// One line for the person at the terminal. A reader that has gone away, as `head` does, is no
/// reason to panic.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// An error with its causes on one line.
pub fn print_error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "alerts: {error:#}");
}
