//! What the program can do, a command a file.
//!
//! Exit codes: 0 done, 1 a clear error, 2 wrong usage, 3 (`check` only) something is missing.

mod check;
mod export;
mod generate;
mod import;
mod list;
mod preview;

use std::io::Write as _;
use std::path::{Path, PathBuf};

use alerts::overrides::{self, Overrides, RuleSet};
use anyhow::Context as _;
use clap::Args;

pub use check::{CheckArgs, check};
pub use export::{ExportArgs, export};
pub use generate::{GenerateArgs, generate};
pub use import::{ImportArgs, import};
pub use list::list;
pub use preview::{PreviewArgs, preview};

/// Which boards a command is about.
#[derive(Args, Clone, Debug, Default)]
pub struct BoardArgs {
    /// Values of `alerts generate`: changed thresholds and links show on the boards too.
    #[arg(long, value_name = "FILE")]
    pub overrides: Option<PathBuf>,
}

impl BoardArgs {
    /// The alert rules that the boards draw, with the changes of the file.
    ///
    /// # Errors
    /// When the file cannot be read or holds something unknown.
    pub fn rules(&self) -> anyhow::Result<RuleSet> {
        let read = self.overrides.as_deref().map(overrides::read).transpose()?;
        RuleSet::new(&read.unwrap_or_else(Overrides::default))
    }
}

/// Writes files below a folder, which is made, and says where.
fn write(folder: &Path, files: &[(String, String)]) -> anyhow::Result<()> {
    for (name, text) in files {
        let file = folder.join(name);
        let parent = file.parent().unwrap_or(folder);
        std::fs::create_dir_all(parent)
            .with_context(|| format!("cannot create {}", parent.display()))?;
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        say(&file.display().to_string());
    }
    Ok(())
}

/// One line for the person at the terminal. A reader that has gone away, as `head` does, is no
/// reason to panic.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// An error with its causes on one line.
pub fn print_error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "dashboards: {error:#}");
}
