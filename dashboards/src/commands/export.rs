//! `dashboards export`.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};

use super::{BoardArgs, write};
use crate::export;

/// Arguments of `dashboards export`.
#[derive(Args, Debug)]
pub struct ExportArgs {
    /// Who will read the files.
    #[arg(long)]
    format: Format,
    /// Folder of the files.
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// Where Grafana will see the boards of a provisioning folder.
    #[arg(long, value_name = "DIR", default_value = export::MOUNTED_AT)]
    mounted_at: String,
    /// Folder in Grafana.
    #[arg(long, value_name = "NAME", default_value = export::FOLDER)]
    folder: String,
    #[command(flatten)]
    boards: BoardArgs,
}

/// Who reads the files.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Grafana's sidecar on Kubernetes: one ConfigMap a board.
    Configmaps,
    /// Grafana itself: a provider and a folder of boards.
    Provisioning,
}

/// Writes the boards for something else than an import.
///
/// # Errors
/// When the overrides are wrong, a board is too large, or a file cannot be written.
pub fn export(arguments: &ExportArgs) -> anyhow::Result<ExitCode> {
    let set = arguments.boards.rules()?;
    let files = match arguments.format {
        Format::Configmaps => export::config_maps(&set, &arguments.folder)?,
        Format::Provisioning => {
            export::provisioning(&set, &arguments.mounted_at, &arguments.folder)?
        }
    };
    write(&arguments.out, &files)?;
    Ok(ExitCode::SUCCESS)
}
