//! `alerts generate`.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;

use super::{RuleSetArgs, say};
use crate::render;
use crate::scale::Scale;

/// Arguments of `alerts generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Folder of the generated files.
    #[arg(long, value_name = "DIR", default_value = "alerts/generated")]
    out: PathBuf,
    /// So many times faster than real time, 1 to 1000: for drills.
    #[arg(long, value_name = "N", default_value_t = 1)]
    time_scale: u32,
    #[command(flatten)]
    rules: RuleSetArgs,
}

/// Writes the rule files.
///
/// # Errors
/// When the overrides are wrong or a file cannot be written.
pub fn generate(arguments: &GenerateArgs) -> anyhow::Result<ExitCode> {
    let scale = Scale::new(arguments.time_scale).context("--time-scale must be 1 to 1000")?;
    let set = arguments.rules.rules()?;
    let folder = &arguments.out;
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot create {}", folder.display()))?;
    for (name, text) in render::files(&set, scale)? {
        let file = folder.join(&name);
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
        say(&file.display().to_string());
    }
    Ok(ExitCode::SUCCESS)
}
