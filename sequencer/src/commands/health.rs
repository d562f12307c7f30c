//! Asks the server on this machine whether it takes traffic, for a container's HEALTHCHECK: the
//! image has no other program that could.

use std::process::ExitCode;
use std::time::Duration;

use anyhow::{Context as _, ensure};

use super::drain::own_url;
use super::say;
use crate::config::Config;

/// Longest wait for the answer.
const LIMIT: Duration = Duration::from_secs(2);

/// Whether `/ready` of HOST and PORT answers 200.
///
/// # Errors
/// When it does not; the message says what came instead.
pub async fn health(config: &Config) -> anyhow::Result<ExitCode> {
    let url = format!("{}/ready", own_url(config.host, config.port));
    let _ = rustls::crypto::ring::default_provider().install_default();
    let http = reqwest::Client::builder().timeout(LIMIT).no_proxy().build()?;
    let answer = http.get(&url).send().await.with_context(|| format!("{url} does not answer"))?;
    let status = answer.status();
    let text = answer.text().await.unwrap_or_default();
    ensure!(status.is_success(), "{url} answered {status}: {text}");
    say("ready");
    Ok(ExitCode::SUCCESS)
}
