//! The life of the process: build, listen, run the rooms, stop.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context as _;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::app::App;
use crate::config::Config;
use crate::{COMMIT, VERSION, http, telemetry};

/// Runs until SIGTERM or SIGINT.
///
/// # Errors
/// When it cannot start.
pub async fn run(config: Config) -> anyhow::Result<()> {
    telemetry::start(&config.rust_log)?;
    let stop = stop_signal()?;
    let app = Arc::new(App::build(config).await?);
    let (listener, address) = listen(&app.core.config).await?;
    tracing::info!(version = VERSION, commit = COMMIT, address = %address, "serving");
    serve(app, listener, stop).await;
    tracing::info!("stopped");
    Ok(())
}

/// Runs every room and the HTTP port until told to stop.
pub async fn serve(app: Arc<App>, listener: TcpListener, stop: CancellationToken) {
    let mut rooms = JoinSet::new();
    /// Starts the loop of one room.
    macro_rules! start {
        ($($room:ident),+) => {$({
            let (app, stop) = (Arc::clone(&app), stop.clone());
            rooms.spawn(async move { app.$room.run(stop).await });
        })+};
    }
    start!(checks, process, store, canary, witness, history);
    rooms.spawn(http::serve(listener, app, stop));
    while let Some(ended) = rooms.join_next().await {
        if let Err(error) = ended {
            // Its loop says nothing any more, so `/health` tells.
            tracing::error!(error = &error as &dyn std::error::Error, "a room ended badly");
        }
    }
}

async fn listen(config: &Config) -> anyhow::Result<(TcpListener, SocketAddr)> {
    let (host, port) = (config.sidecar_host, config.sidecar_port);
    let listener = TcpListener::bind((host, port))
        .await
        .with_context(|| format!("cannot listen on {host}:{port} (SIDECAR_PORT)"))?;
    let address = listener.local_addr()?;
    Ok((listener, address))
}

/// A token that SIGTERM or SIGINT cancels. Both are handled explicitly, because process 1 of a
/// container has no defaults.
fn stop_signal() -> anyhow::Result<CancellationToken> {
    let listen = |kind| signal(kind).context("cannot listen for signals");
    let (mut terminate, mut interrupt) =
        (listen(SignalKind::terminate())?, listen(SignalKind::interrupt())?);
    let stop = CancellationToken::new();
    let told = stop.clone();
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        told.cancel();
    });
    Ok(stop)
}
