//! The command line. Each command is a room of its own under `commands`.

use std::process::ExitCode;

use clap::{Parser, Subcommand};
use sequencer::commands;
use sequencer::config::Config;

/// An event sequencer: signed events in, gapless numbers and signed receipts out.
#[derive(Parser)]
#[command(name = "sequencer", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (what happens without a command)
    Serve(Box<Config>),
    /// Bring the store's schema up to date and exit
    Migrate(Box<Config>),
    /// Print the effective configuration, secrets redacted
    Config(Box<Config>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let result = match cli.command {
        None => commands::serve(cli.serve).await,
        Some(Command::Serve(config)) => commands::serve(*config).await,
        Some(Command::Migrate(config)) => commands::migrate(&config).await,
        Some(Command::Config(config)) => commands::show_config(&config),
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            commands::print_error(&error);
            ExitCode::FAILURE
        }
    }
}
