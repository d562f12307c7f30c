//! The command line. Each command is a room of its own under `commands`.

use std::process::ExitCode;

use clap::{CommandFactory as _, FromArgMatches as _, Parser, Subcommand};
use sequencer::commands::{self, DemoArgs, DoctorArgs, DrainArgs, KeysCommand, VerifyArgs};
use sequencer::config::Config;

/// An event sequencer: signed events in, gapless numbers and signed receipts out.
#[derive(Parser)]
#[command(name = "sequencer", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    /// Ask the server at HOST and PORT whether it takes traffic, and exit: 0 yes, 1 no.
    #[arg(long)]
    health: bool,
    #[command(flatten)]
    serve: Config,
}

#[derive(Subcommand)]
enum Command {
    /// Serve the API (what happens without a command)
    Serve(Box<Config>),
    /// Start a complete development server, show what it does, run until Ctrl-C
    Dev(Box<Config>),
    /// Send events to a running server, read them back and check every proof
    Demo(DemoArgs),
    /// Check every event, signature, receipt and commitment of a log
    Verify(VerifyArgs),
    /// Make agent keys, sign events, register keys
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Take a running server out of its balancer: not ready at once, serving until a delay is over
    Drain(DrainArgs),
    /// Bring the store's schema up to date and exit
    Migrate(Box<Config>),
    /// Check a deployment against the hardening and readiness list
    Doctor(Box<DoctorArgs>),
    /// Print the effective configuration, secrets redacted
    Config(Box<Config>),
}

#[tokio::main]
async fn main() -> ExitCode {
    let result = match parse() {
        Cli { command: None, health: true, serve } => commands::health(&serve).await,
        Cli { command: None, serve, .. } => commands::serve(serve).await,
        Cli { command: Some(command), .. } => match command {
            Command::Serve(config) => commands::serve(*config).await,
            Command::Dev(config) => commands::dev(*config).await,
            Command::Demo(arguments) => commands::demo(&arguments).await,
            Command::Verify(arguments) => commands::verify(&arguments).await,
            Command::Keys(command) => commands::keys(command).await,
            Command::Drain(arguments) => commands::drain(&arguments).await,
            Command::Migrate(config) => commands::migrate(&config).await,
            Command::Doctor(arguments) => commands::doctor(&arguments).await,
            Command::Config(config) => commands::show_config(&config),
        },
    };
    match result {
        Ok(code) => code,
        Err(error) => {
            commands::print_error(&error);
            ExitCode::FAILURE
        }
    }
}

fn parse() -> Cli {
    // A person reads the output of `dev`: by default only what needs attention is logged.
    let command = Cli::command()
        .mut_subcommand("dev", |dev| dev.mut_arg("rust_log", |arg| arg.default_value("warn")));
    Cli::from_arg_matches(&command.get_matches()).unwrap_or_else(|error| error.exit())
}
