//! `sequencer doctor`: is this deployment fit for production? Reads the configuration that `serve`
//! would get, looks at what it names, and asks a running server, its sidecar and a Prometheus.
//!
//! Nothing is created or changed, no secret is shown or sent, and every wait has a limit. What
//! cannot be seen is `skipped`, never `pass`.

mod access;
mod ask;
mod build;
mod check;
mod limits;
mod logging;
mod network;
mod observability;
mod report;
mod secrets;
mod store;
mod tls;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::{Args, ValueEnum};

use super::print_error;
use crate::client::parse_url;
use crate::config::{Config, Database};
use ask::{Asker, Server};
use report::Report;
use store::Look;

/// Exit code when the configuration cannot be read, or a start would refuse it.
const UNUSABLE: u8 = 2;

/// Arguments of `sequencer doctor`.
#[derive(Args)]
#[command(after_help = "Exit codes: 0 no check failed, 1 some failed (with --strict, or warned), \
                        2 the configuration cannot be read or would be refused at start")]
pub struct DoctorArgs {
    /// Ask the running server too, at the address that its clients use.
    #[arg(long, env = "SEQUENCER_URL", value_name = "URL", help_heading = "What to ask")]
    url: Option<String>,
    /// Ask its sidecar too.
    #[arg(long, env = "SIDECAR_URL", value_name = "URL", help_heading = "What to ask")]
    sidecar_url: Option<String>,
    /// Ask a Prometheus whether it scrapes both, has our rules, and can tell anybody.
    #[arg(long, env = "PROMETHEUS_URL", value_name = "URL", help_heading = "What to ask")]
    prometheus_url: Option<String>,
    /// Certificates to look at: PEM files with commas between them. The servers among them, as the
    /// sidecar takes them, are left to the sidecar.
    #[arg(
        long,
        env = "TLS_CERTIFICATES",
        value_delimiter = ',',
        value_name = "FILE,...",
        help_heading = "What to ask"
    )]
    certificates: Vec<PathBuf>,
    /// How the findings are printed.
    #[arg(long, value_enum, default_value_t = Format::Text, help_heading = "Output")]
    format: Format,
    /// Exit with 1 for warnings too.
    #[arg(long, help_heading = "Output")]
    strict: bool,
    #[command(flatten)]
    config: Config,
}

/// How findings are printed.
#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum Format {
    /// Lines for a person, grouped by area.
    Text,
    /// One JSON object.
    Json,
}

/// What is known before the checks judge it.
struct Facts<'a> {
    config: &'a Config,
    arguments: &'a DoctorArgs,
    asker: Asker,
    /// The running server, or why nothing is known of it.
    server: Result<Server, String>,
    store: Look,
}

/// Checks a deployment.
///
/// # Errors
/// When there is no HTTP client; what is wrong with the deployment is reported, not an error.
pub async fn doctor(arguments: &DoctorArgs) -> anyhow::Result<ExitCode> {
    let database = match usable(arguments) {
        Ok(database) => database,
        Err(error) => {
            print_error(&error);
            return Ok(ExitCode::from(UNUSABLE));
        }
    };
    let config = &arguments.config;
    let asker = Asker::new()?;
    let server = match &arguments.url {
        Some(url) => Server::ask(&asker, url).await,
        None => Err("no server was asked: name one with --url (SEQUENCER_URL)".to_owned()),
    };
    let store = Look::at(config, database).await;
    let facts = Facts { config, arguments, asker, server, store };
    let mut findings = secrets::look(&facts);
    findings.extend(tls::look(&facts).await);
    findings.extend(network::look(&facts).await);
    findings.extend(access::look(&facts).await);
    findings.extend(store::look(&facts));
    findings.extend(limits::look(&facts).await);
    findings.push(logging::look(config));
    findings.extend(observability::look(&facts).await);
    findings.extend(build::look(&facts));
    let report = Report::new(findings, &secrets::values(config));
    report.print(arguments.format == Format::Json);
    Ok(if report.is_good(arguments.strict) { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Refuses what no check can be made of, as a start does.
fn usable(arguments: &DoctorArgs) -> anyhow::Result<Database> {
    let DoctorArgs { url, sidecar_url, prometheus_url, config, .. } = arguments;
    config.validate().context("this configuration is refused at start")?;
    for url in [url, sidecar_url, prometheus_url].into_iter().flatten() {
        parse_url(url)?;
    }
    config.database()
}
