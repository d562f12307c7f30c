//! The commands.

mod calibrate;
mod compare;
mod list;
mod report;
mod run;
mod setup;
mod verify;

use std::io::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::environment::Environment;
use crate::record::Verdict;

/// Generates load on a sequencer with an honest clock, and ends with a verdict.
#[derive(Debug, Parser)]
#[command(
    name = "loadgen",
    version,
    after_help = "Exit codes: 0 pass, 99 thresholds failed or an acknowledged event is missing, \
                  98 the run is invalid, 104 bad configuration, 105 interrupted"
)]
pub struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run a profile against a target, and judge
    Run(Box<run::RunArgs>),
    /// Show profiles, scenarios and what thresholds can measure
    List,
    /// Read the log back and compare it with the ledger of a run
    Verify(verify::VerifyArgs),
    /// Check recorder and clock of this program on this machine; needs no target
    Calibrate(calibrate::CalibrateArgs),
    /// Create agents and their keys for later runs, or end them
    Setup(setup::SetupArgs),
    /// Write report.html, summary.md and junit.xml from the record of a run
    Report(report::ReportArgs),
    /// Compare two runs of one profile: exit code 99 is a regression, 104 runs that do not compare
    Compare(compare::CompareArgs),
}

/// Which target.
#[derive(Args, Clone, Debug)]
pub struct TargetArgs {
    /// A target of the environments file; `local` needs no file.
    #[arg(long, value_name = "NAME", conflicts_with = "url")]
    env: Option<String>,
    /// A target by its URL.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// TOML file with environments.
    #[arg(long, value_name = "FILE", env = "LOADGEN_ENVIRONMENTS")]
    environments: Option<PathBuf>,
    /// The target's operations port, for its own metrics in the report.
    #[arg(long, value_name = "URL")]
    operations_url: Option<String>,
}

impl TargetArgs {
    fn find(&self) -> anyhow::Result<Environment> {
        let (name, url) = (self.env.as_deref(), self.url.as_deref());
        let mut found = Environment::find(name, url, self.environments.as_deref())?;
        if self.operations_url.is_some() {
            found.operations_url.clone_from(&self.operations_url);
        }
        Ok(found)
    }
}

impl Cli {
    /// Does what was asked. An error is a bad configuration: what a target does is a verdict.
    pub async fn run(self) -> ExitCode {
        let done = match self.command {
            Command::Run(arguments) => arguments.run().await,
            Command::List => list::list(),
            Command::Verify(arguments) => arguments.run().await,
            Command::Calibrate(arguments) => arguments.run().await,
            Command::Setup(arguments) => arguments.run().await,
            Command::Report(arguments) => arguments.run(),
            Command::Compare(arguments) => arguments.run(),
        };
        match done {
            Ok(verdict) => ExitCode::from(verdict.exit_code()),
            Err(error) => {
                complain(&format!("{error:#}"));
                ExitCode::from(Verdict::BadConfiguration.exit_code())
            }
        }
    }
}

/// One line for the person at the terminal. A reader that has gone away is no reason to panic.
pub(crate) fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// One line about what is wrong.
pub fn complain(line: &str) {
    let _ = writeln!(std::io::stderr(), "loadgen: {line}");
}
