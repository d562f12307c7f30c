//! `runbooks generate`, `list` and `show`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::say;
use crate::{book, render, results};

/// Arguments of `runbooks generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Folder of the pages: RUNBOOKS_DIR of a sidecar
    #[arg(long, value_name = "DIR", default_value = "runbooks/pages")]
    out: PathBuf,
    /// What drills have measured
    #[arg(long, value_name = "FILE", default_value = "docs/drills.json")]
    drills: PathBuf,
}

/// Writes all pages.
///
/// # Errors
/// When a page is missing or a file cannot be written.
pub fn generate(arguments: &GenerateArgs) -> anyhow::Result<ExitCode> {
    let rows = results::read(&arguments.drills)?;
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in render::files(&rows)? {
        let file = folder.join(name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    say(&format!("{} holds a page for each alert", folder.display()));
    Ok(ExitCode::SUCCESS)
}

/// Lists all pages.
///
/// # Errors
/// When an alert has none.
pub fn list() -> anyhow::Result<ExitCode> {
    for page in book::pages()? {
        let rule = page.rule;
        say(&format!("{:<38}  {:<8}  {}", rule.name, rule.severity.as_str(), rule.summary));
    }
    Ok(ExitCode::SUCCESS)
}

/// Prints a page.
///
/// # Errors
/// When there is no such alert.
pub fn show(alert: &str) -> anyhow::Result<ExitCode> {
    say(render::page(&book::page(alert)?, &[])?.trim_end());
    Ok(ExitCode::SUCCESS)
}
