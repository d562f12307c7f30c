//! `dashboards generate`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;

use super::{BoardArgs, write};
use crate::export;

/// Arguments of `dashboards generate`.
#[derive(Args, Debug)]
pub struct GenerateArgs {
    /// Folder of the generated files.
    #[arg(long, value_name = "DIR", default_value = "dashboards/generated")]
    out: PathBuf,
    #[command(flatten)]
    boards: BoardArgs,
}

/// Writes every board.
///
/// # Errors
/// When the overrides are wrong or a file cannot be written.
pub fn generate(arguments: &GenerateArgs) -> anyhow::Result<ExitCode> {
    write(&arguments.out, &export::boards(&arguments.boards.rules()?)?)?;
    Ok(ExitCode::SUCCESS)
}
