//! A complete development server: serves, shows what it can do, and stays.

use std::process::ExitCode;

use anyhow::ensure;

use super::credential::KeyOrigin;
use super::serve::{Signals, announce_created, stop};
use super::{demo, say};
use crate::client::Client;
use crate::config::{Config, redacted};
use crate::secrets::BOOTSTRAP_FILE;
use crate::server::Server;
use crate::telemetry;

/// Serves on this machine only, plays the demo against itself and runs until told to stop. Over
/// PostgreSQL its secrets must be given.
///
/// # Errors
/// When others could reach the server, when it cannot start, or when a step of the demo fails.
pub async fn dev(config: Config) -> anyhow::Result<ExitCode> {
    let given =
        config.bootstrap_admin_api_key.is_some() && config.ves_sequencer_signing_key.is_some();
    ensure!(
        config.is_development() || (config.host.is_loopback() && given),
        "`dev` is for this machine only: HOST must be loopback, and over PostgreSQL \
         BOOTSTRAP_ADMIN_API_KEY and VES_SEQUENCER_SIGNING_KEY must be given; elsewhere use \
         `sequencer serve`"
    );
    telemetry::start(&config.rust_log)?;
    let mut signals = Signals::listen()?;
    let origin = match &config.bootstrap_admin_api_key {
        Some(_) => KeyOrigin::Variable("BOOTSTRAP_ADMIN_API_KEY"),
        None => KeyOrigin::File(config.data_dir.join(BOOTSTRAP_FILE)),
    };
    let (database_url, data_dir) = (redacted(&config.database_url), config.data_dir.clone());
    let server = Server::start(config).await?;
    announce_created(&server);
    say(&format!("the store is {database_url}"));
    let url = format!("http://{}", server.api_address());
    let operations_url = format!("http://{}", server.ops_address());
    // From this line scripts/dev.sh knows what to tell the sidecar.
    let data_dir = data_dir.display();
    say(&format!("serving on {url}, operations on {operations_url}, keys in {data_dir}"));
    say("");
    let client = Client::new(&url, Some(server.bootstrap_key()))?;
    let shown = tokio::select! {
        shown = demo::run(&client, &url, Some(&operations_url), &origin) => shown,
        _ = signals.next() => return stop(server, &mut signals).await,
    };
    if let Err(error) = shown {
        stop(server, &mut signals).await?;
        return Err(error);
    }
    say("");
    say("Running until Ctrl-C.");
    tokio::select! {
        _ = signals.next() => {}
        () = server.exit_requested() => {}
    }
    say("Stopping.");
    stop(server, &mut signals).await
}
