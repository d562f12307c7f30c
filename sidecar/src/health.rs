//! Asks the sidecar on this machine whether it makes progress, for a container's HEALTHCHECK: the
//! image has no other program that could.

use std::io::Write as _;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context as _, ensure};

use crate::config::Config;

/// Longest wait for the answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Whether `/health` of SIDECAR_HOST and SIDECAR_PORT answers 200.
///
/// # Errors
/// When it does not; the message says what came instead.
pub async fn health(config: &Config) -> anyhow::Result<()> {
    // One that listens everywhere is asked on this machine.
    let host = match config.sidecar_host {
        host if !host.is_unspecified() => host,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => Ipv6Addr::LOCALHOST.into(),
    };
    let url = format!("http://{}/health", SocketAddr::new(host, config.sidecar_port));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().timeout(LIMIT).no_proxy().build()?;
    let answer = http.get(&url).send().await.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    let _ = writeln!(std::io::stdout(), "healthy");
    Ok(())
}
