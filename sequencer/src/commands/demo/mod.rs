//! The demo: a life of five events against a running server, checked offline at the end.

mod sample;
mod story;

use std::process::ExitCode;

use clap::Args;
use ves::Stream;

use super::credential::{Credential, FoundKey, KeyOrigin};
use super::say;
use crate::client::Client;

/// Arguments of `sequencer demo`.
#[derive(Args)]
pub struct DemoArgs {
    /// Address of the server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    #[command(flatten)]
    credential: Credential,
}

/// Sends events to a running server, reads them back and checks everything.
///
/// # Errors
/// When the server cannot be reached or refuses, or a check fails.
pub async fn demo(arguments: &DemoArgs) -> anyhow::Result<ExitCode> {
    let url = arguments.url.trim_end_matches('/');
    let (client, FoundKey { origin, .. }) = arguments.credential.client(url)?;
    run(&client, url, None, &origin).await?;
    Ok(ExitCode::SUCCESS)
}

/// The demo itself, and what to try next. Each run makes its own tenant, store and agent, so it
/// can be repeated on the same data.
pub(super) async fn run(
    client: &Client,
    url: &str,
    operations_url: Option<&str>,
    origin: &KeyOrigin,
) -> anyhow::Result<()> {
    let stream = story::tell(client, url).await?;
    say("");
    say("Look around");
    say(&format!("  API      {url}/api/v1/ves/sequencer"));
    say(&format!("  health   {url}/health"));
    say(&format!("  ready    {url}/ready"));
    if let Some(operations_url) = operations_url {
        say(&format!("  metrics  {operations_url}/metrics"));
    }
    try_next(url, stream, origin);
    Ok(())
}

/// Lines that work when pasted. They name where the key is, never the key.
fn try_next(url: &str, Stream { tenant_id, store_id }: Stream, origin: &KeyOrigin) {
    let key = origin.in_shell();
    let (before, after) = origin.for_command();
    let program = std::env::args().next().unwrap_or_else(|| "sequencer".to_owned());
    say("");
    say("Try next: read the events, then audit the whole stream");
    say(&format!(
        "  curl -s -H \"Authorization: ApiKey {key}\" \
         '{url}/api/v1/ves/events?tenant_id={tenant_id}&store_id={store_id}'"
    ));
    say(&format!(
        "  {before}{program} verify --url {url} \
         --tenant-id {tenant_id} --store-id {store_id}{after}"
    ));
}
