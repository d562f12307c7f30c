//! What the binary can do.
//!
//! Exit codes: 0 done, 1 a clear error (one line on standard error), 2 wrong usage, 3 (`verify`
//! only) the log is not sound. `doctor` has its own: 1 some check failed, 2 no usable
//! configuration.

mod credential;
mod demo;
mod dev;
mod doctor;
mod drain;
mod health;
mod keys;
mod serve;
mod verify;

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;

use crate::config::{Config, redacted};
use crate::opening::open_store;
use crate::server;

pub use credential::Credential;
pub use demo::{DemoArgs, demo};
pub use dev::dev;
pub use doctor::{DoctorArgs, doctor};
pub use drain::{DrainArgs, drain};
pub use health::health;
pub use keys::{KeysCommand, keys};
pub use serve::serve;
pub use verify::{VerifyArgs, verify};

/// Brings the store's schema up to date.
///
/// # Errors
/// When the store cannot be opened or changed.
pub async fn migrate(config: &Config) -> anyhow::Result<ExitCode> {
    let config = Config { db_migrate_on_startup: true, ..config.clone() };
    let store = open_store(&config, &server::metrics(config.database()?.driver())).await?;
    store.close().await;
    say(&format!("the store {} is up to date", redacted(&config.database_url)));
    Ok(ExitCode::SUCCESS)
}

/// Prints the effective configuration.
///
/// # Errors
/// When the configuration cannot work.
pub fn show_config(config: &Config) -> anyhow::Result<ExitCode> {
    say(config.render().trim_end());
    config.validate().context("this configuration is refused at start")?;
    Ok(ExitCode::SUCCESS)
}

/// One line for the person at the terminal. A reader that has gone away, as `head` does, is no
/// reason to panic.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// An error with its causes on one line.
#[expect(clippy::print_stderr, reason = "the output of a command")]
pub fn print_error(error: &anyhow::Error) {
    eprintln!("error: {error:#}");
}
