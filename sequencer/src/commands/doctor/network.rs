//! Network: who can reach what.

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use super::Facts;
use super::check::{Check, Finding};
use crate::client::parse_url;
use crate::config::{Config, redacted};
use crate::http::origins;

/// Longest wait for a name's addresses.
const LOOKUP_TIMEOUT: Duration = Duration::from_secs(3);
/// Every page of our metrics has it.
const OUR_METRIC: &str = "stateset_sequencer_";

/// From where an address can be reached; the later the farther.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Reach {
    Loopback,
    /// A network of one's own, by the addresses that are reserved for such.
    Private,
    Public,
}

impl Reach {
    fn of(address: IpAddr) -> Self {
        let address = address.to_canonical();
        let private = match address {
            IpAddr::V4(ip) => {
                // 100.64.0.0/10 is what carriers and clouds use between themselves.
                let shared = ip & Ipv4Addr::new(255, 192, 0, 0) == Ipv4Addr::new(100, 64, 0, 0);
                ip.is_private() || ip.is_link_local() || shared
            }
            IpAddr::V6(ip) => ip.is_unique_local() || ip.is_unicast_link_local(),
        };
        match address {
            address if address.is_loopback() => Self::Loopback,
            _ if private => Self::Private,
            _ => Self::Public,
        }
    }
}

/// The farthest of the addresses of a URL's host; `None` when it has none.
pub(super) async fn reach_of(url: &str) -> Option<Reach> {
    let url = parse_url(url).ok()?;
    let host = url.host_str()?.trim_matches(['[', ']']);
    let lookup = tokio::net::lookup_host((host, url.port_or_known_default()?));
    let addresses = tokio::time::timeout(LOOKUP_TIMEOUT, lookup).await.ok()?.ok()?;
    addresses.map(|address| Reach::of(address.ip())).max()
}

pub(super) async fn look(facts: &Facts<'_>) -> Vec<Finding> {
    vec![operations_address(facts.config), operations_exposed(facts).await, cors(facts.config)]
}

fn operations_address(config: &Config) -> Finding {
    let (check, host) = (Check::OperationsAddress, config.ops_host);
    let fix = "set OPS_HOST to loopback or to the address of this machine in your own network";
    if host.is_unspecified() {
        let found = format!("OPS_HOST is {host}: every network of this machine reaches /metrics");
        return check.warn(found, format!("{fix}; in a pod, keep it in with a NetworkPolicy"));
    }
    match Reach::of(host) {
        Reach::Public => check.fail(format!("OPS_HOST is {host}, which is a public address"), fix),
        Reach::Private => check.pass(format!("OPS_HOST is {host}, in a private network")),
        Reach::Loopback => check.pass("the operations port is on loopback"),
    }
}

/// Metrics need no credential, so they must not be where the API is.
async fn operations_exposed(facts: &Facts<'_>) -> Finding {
    let (check, port) = (Check::OperationsExposed, facts.config.ops_port);
    let server = match &facts.server {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    let is_shown = async |base: &str| {
        let answer = facts.asker.get(base, "/metrics").await;
        answer.is_ok_and(|answer| answer.text.contains(OUR_METRIC))
    };
    let shown = redacted(&server.url);
    if is_shown(&server.url).await {
        let fix = "let the proxy lead to PORT only, never to OPS_PORT";
        return check.fail(format!("{shown}/metrics shows the operations port to clients"), fix);
    }
    let reach = reach_of(&server.url).await;
    if reach == Some(Reach::Loopback) {
        return check.skipped(format!("from {shown} nothing is seen of other machines"));
    }
    let host = parse_url(&server.url).ok().and_then(|url| url.host_str().map(str::to_owned));
    let beside = format!("http://{}:{port}", host.unwrap_or_default());
    if !is_shown(&beside).await {
        return check.pass(format!("the operations port does not answer under {shown}"));
    }
    let found = format!("{beside}/metrics answers beside the API");
    let fix = "set OPS_HOST to an address that clients do not reach, or close OPS_PORT to them";
    if reach == Some(Reach::Public) { check.fail(found, fix) } else { check.warn(found, fix) }
}

fn cors(config: &Config) -> Finding {
    let check = Check::CorsOrigins;
    let fix = "name the https origins of your own pages in CORS_ALLOW_ORIGINS, or unset it";
    let origins = config.cors_allow_origins.as_deref().map(origins).unwrap_or_default();
    if origins.iter().any(|origin| origin == "*") {
        return check.warn("CORS_ALLOW_ORIGINS is *: any page may call the API", fix);
    }
    match origins.iter().find(|origin| origin.starts_with("http://")) {
        Some(origin) => check.warn(format!("CORS_ALLOW_ORIGINS holds {origin}, not https"), fix),
        None => check.pass(format!("{} origins may call the API from a browser", origins.len())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_as_far_as_they_reach() {
        for (address, expect) in [
            ("127.0.0.2", Reach::Loopback),
            ("::1", Reach::Loopback),
            ("::ffff:127.0.0.1", Reach::Loopback),
            ("10.1.2.3", Reach::Private),
            ("100.64.9.9", Reach::Private),
            ("100.128.0.1", Reach::Public),
            ("fd00::1", Reach::Private),
            ("fe80::1", Reach::Private),
            ("203.0.113.9", Reach::Public),
            ("2001:db8::1", Reach::Public),
        ] {
            assert_eq!(Reach::of(address.parse().unwrap()), expect, "{address}");
        }
    }
}
