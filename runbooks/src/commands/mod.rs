//! What the program can do.
//!
//! Exit codes: 0 done, 1 a clear error or a drill that failed, 2 wrong usage.

mod drill;
mod pages;
mod run;

use std::io::Write as _;

pub use drill::{DrillArgs, drill};
pub use pages::{GenerateArgs, generate, list, show};
pub use run::{RunArgs, run};

/// One line for the person at the terminal. A reader that has gone away is no reason to panic.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// An error with its causes on one line.
pub fn print_error(error: &anyhow::Error) {
    let _ = writeln!(std::io::stderr(), "runbooks: {error:#}");
}
