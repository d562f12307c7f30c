//! The command line.

use std::process::ExitCode;

use clap::Parser as _;
use clap::error::ErrorKind;
use loadgen::commands::Cli;

/// What a command line ends with that cannot be understood: bad configuration.
const BAD_CONFIGURATION: u8 = 104;

#[tokio::main]
async fn main() -> ExitCode {
    // Before any HTTP client: goose links a second provider, so one must be chosen.
    let _ = rustls::crypto::ring::default_provider().install_default();
    match Cli::try_parse() {
        Ok(cli) => cli.run().await,
        Err(error) => {
            let _ = error.print();
            match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => ExitCode::SUCCESS,
                _ => ExitCode::from(BAD_CONFIGURATION),
            }
        }
    }
}
