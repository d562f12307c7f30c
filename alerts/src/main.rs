//! The command line.

use std::process::ExitCode;

use alerts::commands::{self, CheckArgs, GenerateArgs, RuleSetArgs};
use clap::{Parser, Subcommand};

/// Alert rules of the sequencer and its sidecar, generated from the metric catalogue.
#[derive(Parser)]
#[command(name = "alerts", version)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Write the rule files, the PrometheusRule and the Alertmanager example
    Generate(GenerateArgs),
    /// List every alert with its severity, wait and threshold
    List(RuleSetArgs),
    /// Say what an alert means, when it fires and what follows from it
    Explain {
        /// Name of the alert
        name: String,
        #[command(flatten)]
        rules: RuleSetArgs,
    },
    /// Ask a Prometheus whether it has what the rules need; loads nothing
    Check(CheckArgs),
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Cli::parse().command {
        Command::Generate(arguments) => commands::generate(&arguments),
        Command::List(arguments) => commands::list(&arguments),
        Command::Explain { name, rules } => commands::explain(&name, &rules),
        Command::Check(arguments) => commands::check(&arguments).await,
    };
    done.unwrap_or_else(|error| {
        commands::print_error(&error);
        ExitCode::FAILURE
    })
}
