//! Takes a running server out of its balancer, for a hook that runs before the process is ended.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::ExitCode;
use std::time::Duration;

use clap::Args;

use super::credential::Credential;
use super::say;
use crate::client::Client;
use crate::config::Secret;

/// Arguments of `sequencer drain`.
#[derive(Args)]
pub struct DrainArgs {
    /// Time between "not ready" and the closed port, as in `15s`; the server's DRAIN_DELAY_SECS
    /// unless given.
    #[arg(long, value_parser = parse_delay, value_name = "SECONDS")]
    delay: Option<Duration>,
    /// Address of the server's operations port; OPS_HOST and OPS_PORT unless given.
    #[arg(long, env = "SEQUENCER_OPS_URL")]
    operations_url: Option<String>,
    /// Host of the operations port.
    #[arg(long, env = "OPS_HOST", default_value_t = IpAddr::V4(Ipv4Addr::LOCALHOST))]
    ops_host: IpAddr,
    /// Port of the operations port.
    #[arg(long, env = "OPS_PORT", default_value_t = 8081)]
    ops_port: u16,
    /// The platform key as the server is told it; shown only to the server at OPS_HOST and
    /// OPS_PORT.
    #[arg(long, env = "BOOTSTRAP_ADMIN_API_KEY", hide_env_values = true, value_name = "KEY")]
    bootstrap_admin_api_key: Option<Secret>,
    #[command(flatten)]
    credential: Credential,
}

/// Not ready at once; returns when the delay is over and the API port closes. The process lives
/// on until it is ended.
///
/// # Errors
/// When the server cannot be reached or refuses.
pub async fn drain(arguments: &DrainArgs) -> anyhow::Result<ExitCode> {
    let closes_in = arguments.client()?.drain(arguments.delay).await?;
    say(&format!("draining: not ready, the port closes in {:.1} s", closes_in.as_secs_f64()));
    tokio::time::sleep(closes_in).await;
    Ok(ExitCode::SUCCESS)
}

impl DrainArgs {
    fn client(&self) -> anyhow::Result<Client> {
        match (&self.operations_url, &self.bootstrap_admin_api_key) {
            (Some(url), _) => Ok(self.credential.client(url)?.0),
            (None, Some(key)) => Client::new(&self.own_url(), Some(key)),
            (None, None) => Ok(self.credential.client(&self.own_url())?.0),
        }
    }

    fn own_url(&self) -> String {
        own_url(self.ops_host, self.ops_port)
    }
}

/// Where a port of a server on this machine is asked.
pub(super) fn own_url(host: IpAddr, port: u16) -> String {
    // A server that listens everywhere is asked on this machine.
    let host = match host {
        host if !host.is_unspecified() => host,
        IpAddr::V4(_) => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
    };
    format!("http://{}", SocketAddr::new(host, port))
}

/// Whole seconds, with or without their unit.
fn parse_delay(text: &str) -> Result<Duration, String> {
    let seconds = text.strip_suffix('s').unwrap_or(text).parse();
    seconds.map(Duration::from_secs).map_err(|_| "must be whole seconds, as in 15s".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_are_whole_seconds() {
        for (text, expect) in [("15s", Some(15)), ("15", Some(15)), ("0s", Some(0))] {
            assert_eq!(parse_delay(text).ok().map(|delay| delay.as_secs()), expect, "{text}");
        }
        for text in ["", "s", "-1", "1.5s", "1m", "15 s"] {
            assert!(parse_delay(text).is_err(), "{text}");
        }
    }
}
