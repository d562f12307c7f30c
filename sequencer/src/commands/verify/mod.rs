//! `sequencer verify`: is the log what it claims to be? Over the store's own files, or over HTTP
//! as any outsider can.

mod keys;
mod log;
mod over_http;
mod over_store;
mod report;
mod walk;

use std::process::ExitCode;

use clap::Args;
use uuid::Uuid;
use ves::Stream;

use super::{Credential, print_error};
use crate::client::Client;
use crate::store::postgres::Transport;
use log::Problem;
use over_http::HttpLog;
use over_store::StoreLog;
use report::Report;

/// Exit code when the log is not sound.
const VIOLATED: u8 = 3;

/// Arguments of `sequencer verify`.
#[derive(Args)]
#[command(
    after_help = "Exit codes: 0 sound, 1 could not verify, 2 wrong usage, 3 violations found"
)]
pub struct VerifyArgs {
    /// The store to read, an embedded one while nobody serves it; every stream is verified.
    #[arg(
        long,
        env = "DATABASE_URL",
        default_value = "sqlite://data/sequencer.db",
        hide_env_values = true,
        value_name = "URL"
    )]
    database_url: String,
    /// Let the connection to a database server on another host go over the network in clear.
    #[arg(long, env = "DB_ALLOW_PLAINTEXT", default_value_t = false, action = clap::ArgAction::Set)]
    db_allow_plaintext: bool,
    /// Ask a running server instead: about every stream that an administrator's API key may see,
    /// or with any key about the one named with --tenant-id and --store-id.
    #[arg(long, value_name = "URL")]
    url: Option<String>,
    /// Only this stream: its tenant.
    #[arg(long, requires = "store_id", value_name = "UUID")]
    tenant_id: Option<Uuid>,
    /// Only this stream: its store.
    #[arg(long, requires = "tenant_id", value_name = "UUID")]
    store_id: Option<Uuid>,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    credential: Credential,
}

/// Verifies every event, receipt and commitment.
///
/// # Errors
/// When the log cannot be read; what is wrong with a readable log is reported, not an error.
pub async fn verify(arguments: &VerifyArgs) -> anyhow::Result<ExitCode> {
    let only = arguments.tenant_id.zip(arguments.store_id);
    let only = only.map(|(tenant_id, store_id)| Stream { tenant_id, store_id });
    let mut report = Report::new(arguments.url.is_some());
    let walked = match &arguments.url {
        Some(url) => {
            let (client, _) = arguments.credential.client(url)?;
            over_http(client, only, &mut report).await
        }
        None => over_store(arguments, only, &mut report).await,
    };
    match walked {
        Ok(()) => {}
        Err(error) if report.is_sound() => return Err(error),
        // What is known already is enough to say that the log is not sound.
        Err(error) => print_error(&error),
    }
    report.print(arguments.json);
    Ok(if report.is_sound() { ExitCode::SUCCESS } else { ExitCode::from(VIOLATED) })
}

async fn over_http(
    client: Client,
    only: Option<Stream>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let log = HttpLog::new(client);
    let streams = log.streams(only).await?;
    walk::all(Box::new(log), &streams, report).await
}

async fn over_store(
    arguments: &VerifyArgs,
    only: Option<Stream>,
    report: &mut Report,
) -> anyhow::Result<()> {
    let transport = Transport::of(arguments.db_allow_plaintext);
    let (log, damage) = StoreLog::open(&arguments.database_url, transport).await?;
    if let Some(detail) = damage {
        report.add(None, Problem { kind: "head", sequence_number: None, detail });
    }
    let streams = log.streams(only).await?;
    walk::all(Box::new(log), &streams, report).await
}
