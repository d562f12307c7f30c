//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use dashboards::commands::{
    self, BoardArgs, CheckArgs, ExportArgs, GenerateArgs, ImportArgs, PreviewArgs,
};

/// Grafana boards of the sequencer and its sidecar, generated from the metric catalogue.
#[derive(Parser)]
#[command(name = "dashboards", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write every board as the JSON that Grafana imports
    Generate(GenerateArgs),
    /// List every board with its panels' number and its question
    List(BoardArgs),
    /// Write ConfigMaps for Kubernetes, or a folder for Grafana's file provisioning
    Export(ExportArgs),
    /// Ask a Prometheus every query of every panel: data, empty or refused
    Check(CheckArgs),
    /// Put every board into a Grafana and say what changed
    Import(ImportArgs),
    /// Draw every board from a Prometheus, as pages that need neither Grafana nor a network
    Preview(PreviewArgs),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Generate(arguments) => commands::generate(&arguments),
        Command::List(arguments) => commands::list(&arguments),
        Command::Export(arguments) => commands::export(&arguments),
        Command::Check(arguments) => commands::check(&arguments).await,
        Command::Import(arguments) => commands::import(&arguments).await,
        Command::Preview(arguments) => commands::preview(&arguments).await,
    };
    done.unwrap_or_else(|error| {
        commands::print_error(&error);
        ExitCode::FAILURE
    })
}
