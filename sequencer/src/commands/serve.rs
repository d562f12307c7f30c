//! Serving until told to stop.

use std::process::ExitCode;

use anyhow::Context as _;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::print_error;
use crate::config::Config;
use crate::secrets::BOOTSTRAP_FILE;
use crate::server::Server;
use crate::telemetry;

/// Serves until SIGTERM, SIGINT or a drain with exit, then stops in order. A second signal ends it
/// at once.
///
/// # Errors
/// When it cannot start, or a part of it ended badly.
pub async fn serve(config: Config) -> anyhow::Result<ExitCode> {
    telemetry::start(&config.rust_log)?;
    let mut signals = Signals::listen()?;
    let server = Server::start(config).await?;
    announce_created(&server);
    tracing::info!(
        version = crate::VERSION,
        commit = crate::COMMIT,
        api = %server.api_address(),
        operations = %server.ops_address(),
        "serving"
    );
    let cause = tokio::select! {
        signal = signals.next() => signal,
        () = server.exit_requested() => "POST /drain",
    };
    tracing::info!(cause, "stopping");
    stop(server, &mut signals).await
}

/// Secrets that this start created, shown once.
pub(super) fn announce_created(server: &Server) {
    for created in server.created() {
        super::say(created);
    }
    if server.created().iter().any(|created| created.contains(BOOTSTRAP_FILE)) {
        super::say(&format!("platform key, shown once: {}", server.bootstrap_key().expose()));
    }
}

/// Stops in order, or at once when a second signal comes.
pub(super) async fn stop(server: Server, signals: &mut Signals) -> anyhow::Result<ExitCode> {
    tokio::select! {
        stopped = server.stop() => stopped?,
        again = signals.next() => {
            print_error(&anyhow::anyhow!("second signal ({again}): ended without draining"));
            return Ok(ExitCode::FAILURE);
        }
    }
    tracing::info!("stopped");
    Ok(ExitCode::SUCCESS)
}

/// SIGTERM and SIGINT. Handled explicitly, because process 1 of a container has no defaults.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    pub(super) fn listen() -> anyhow::Result<Self> {
        let listen = |kind| signal(kind).context("cannot listen for signals");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    pub(super) async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}
