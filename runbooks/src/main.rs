//! The command line.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use runbooks::commands::{self, DrillArgs, GenerateArgs, RunArgs};

/// One page per alert, and the drills that prove it.
#[derive(Parser)]
#[command(name = "runbooks", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// List the alerts
    List,
    /// Print the page of an alert
    Show {
        /// Name of the alert
        alert: String,
    },
    /// Run the diagnosis of an alert's page against an environment, and write what it showed
    Run(RunArgs),
    /// Make the fault of an alert on real components of its own, and play its runbook
    Drill(DrillArgs),
    /// Write all pages
    Generate(GenerateArgs),
}

#[tokio::main(flavor = "multi_thread", worker_threads = 8)]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::List => commands::list(),
        Command::Show { alert } => commands::show(&alert),
        Command::Run(arguments) => commands::run(&arguments).await,
        Command::Drill(arguments) => commands::drill(&arguments).await,
        Command::Generate(arguments) => commands::generate(&arguments),
    };
    done.unwrap_or_else(|error| {
        commands::print_error(&error);
        ExitCode::FAILURE
    })
}
