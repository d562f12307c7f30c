//! The command line.

use std::io::Write as _;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Parser, Subcommand};
use sidecar::config::Config;
use sidecar::health::health;
use sidecar::run::run;
use sidecar::store::StoreCommand;
use sidecar::witness::command::WitnessArgs;

/// Watches a sequencer from outside: checks, metrics, canary, witness, status page.
#[derive(Parser)]
#[command(name = "sidecar", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Ask the sidecar at SIDECAR_HOST and SIDECAR_PORT whether it makes progress, and exit: 0 yes,
    /// 1 no.
    #[arg(long)]
    health: bool,
    #[command(flatten)]
    run: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Watch (what happens without a command)
    Run(Box<Config>),
    /// Print the effective configuration, secrets redacted
    Config(Box<Config>),
    /// Ask something of the store
    #[command(subcommand)]
    Store(StoreCommand),
    /// Show or acknowledge violations of the log
    Witness(WitnessArgs),
}

// Two threads are enough for loops that mostly wait, and each has a stack and an arena.
#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    let cli = Cli::parse();
    let done = match cli.command {
        None if cli.health => health(&cli.run).await,
        None => run(cli.run).await,
        Some(Command::Run(config)) => run(*config).await,
        Some(Command::Config(config)) => show(&config),
        Some(Command::Store(command)) => command.run().await,
        Some(Command::Witness(arguments)) => arguments.run().await,
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let _ = writeln!(std::io::stderr(), "sidecar: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn show(config: &Config) -> anyhow::Result<()> {
    let _ = writeln!(std::io::stdout(), "{}", config.render().trim_end());
    config.validate().context("this configuration is refused at start")
}
