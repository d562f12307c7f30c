//! Who may see more than metrics and health: the holder of the token, or, without one, whoever
//! sits at this machine.

use std::net::{IpAddr, Ipv6Addr};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};
use subtle::ConstantTimeEq as _;
use warp::http::header::{AUTHORIZATION, HOST, HeaderMap};

use super::guesses::{Guesses, Verdict};
use super::problem::{Code, Problem};
use crate::config::Config;

/// Checks what a request brings.
pub(super) struct Access {
    /// SHA-256 of the token: of equal length for all, so that a compare tells nothing.
    token: Option<[u8; 32]>,
    /// Further names under which the sidecar may be called, lower case, without a port.
    names: Vec<String>,
    guesses: Guesses,
}

impl Access {
    pub(super) fn new(config: &Config) -> Self {
        let digest = |token: &crate::config::Secret| digest(token.expose().as_bytes());
        let names = config.sidecar_allowed_hosts.iter().map(|name| name.trim().to_lowercase());
        Self {
            token: config.sidecar_token.as_ref().map(digest),
            names: names.filter(|name| !name.is_empty()).collect(),
            guesses: Guesses::default(),
        }
    }

    /// Lets a request pass, or says why not.
    pub(super) fn check(&self, headers: &HeaderMap, peer: IpAddr) -> Result<(), Problem> {
        // With a token any name will do unless names are given: a page that rebinds a name of its
        // own does not have the token.
        if self.token.is_none() || !self.names.is_empty() {
            self.check_host(headers)?;
        }
        match self.token {
            Some(token) => self.check_token(token, headers, peer),
            None => Ok(()),
        }
    }

    fn check_host(&self, headers: &HeaderMap) -> Result<(), Problem> {
        let mut hosts = headers.get_all(HOST).iter();
        let host = match (hosts.next(), hosts.next()) {
            (Some(host), None) => host.to_str().unwrap_or_default().to_lowercase(),
            _ => String::new(),
        };
        let name = without_port(&host);
        let address = name.trim_start_matches('[').trim_end_matches(']').parse();
        let is_here = name == "localhost" || address.is_ok_and(|ip: IpAddr| ip.is_loopback());
        if is_here || self.names.iter().any(|allowed| allowed == name) {
            return Ok(());
        }
        let message = "this sidecar answers as localhost, 127.0.0.1 or [::1] only, so that a web \
                       page elsewhere cannot read it through a name of its own; name further hosts \
                       in SIDECAR_ALLOWED_HOSTS";
        Err(Problem::new(Code::InsufficientPermissions, message))
    }

    fn check_token(
        &self,
        token: [u8; 32],
        headers: &HeaderMap,
        peer: IpAddr,
    ) -> Result<(), Problem> {
        let Some(given) = headers.get(AUTHORIZATION) else {
            let message = "a token is needed: `Authorization: Bearer <SIDECAR_TOKEN>`, or the \
                           token as the password of any user";
            return Err(Problem::new(Code::AuthRequired, message));
        };
        let Some(credential) = credential(given.as_bytes()) else {
            let message = "the Authorization header is neither `Bearer <token>` nor Basic";
            return Err(Problem::new(Code::InvalidToken, message));
        };
        let given = digest(&credential);
        let right = || bool::from(given.ct_eq(&token));
        match self.guesses.judge(network(peer), given, right) {
            Verdict::Right => Ok(()),
            Verdict::Wrong => {
                let message = "the token is not that of SIDECAR_TOKEN";
                Err(Problem::new(Code::InvalidToken, message))
            }
            Verdict::Wait { seconds } => {
                let message = format!(
                    "too many wrong tokens came from this address; it is heard again in {seconds} s"
                );
                Err(Problem::new(Code::RateLimitExceeded, message).retry_after(seconds))
            }
        }
    }
}

/// The host of a `Host` header; an IPv6 address keeps its brackets.
fn without_port(host: &str) -> &str {
    match host.rfind(':') {
        Some(at) if !host[at..].contains(']') => &host[..at],
        _ => host,
    }
}

/// The secret of a Bearer or Basic credential.
fn credential(header: &[u8]) -> Option<Vec<u8>> {
    let text = std::str::from_utf8(header).ok()?;
    let (scheme, rest) = text.split_once(' ')?;
    let rest = rest.trim();
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.as_bytes().to_vec());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let pair = STANDARD.decode(rest).ok()?;
    let colon = pair.iter().position(|byte| *byte == b':')?;
    Some(pair[colon + 1..].to_vec())
}

fn digest(secret: &[u8]) -> [u8; 32] {
    Sha256::digest(secret).into()
}

/// Who guesses: an IPv6 customer has a whole /64.
fn network(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V6(address) => {
            let network = u128::from(address) >> 64 << 64;
            IpAddr::V6(Ipv6Addr::from(network))
        }
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_loses_its_port_only() {
        for (host, expect) in [
            ("localhost", "localhost"),
            ("localhost:9091", "localhost"),
            ("[::1]", "[::1]"),
            ("[::1]:9091", "[::1]"),
            ("127.0.0.1:1", "127.0.0.1"),
            ("", ""),
        ] {
            assert_eq!(without_port(host), expect);
        }
    }

    #[test]
    fn a_credential_is_read_from_both_schemes() {
        let basic = format!("Basic {}", STANDARD.encode("me:a:b"));
        for (header, expect) in [
            ("Bearer abc", Some("abc")),
            ("bearer  abc ", Some("abc")),
            (&*basic, Some("a:b")),
            ("Basic ???", None),
            ("Basic bm9jb2xvbg==", None),
            ("ApiKey abc", None),
            ("abc", None),
        ] {
            let found = credential(header.as_bytes());
            assert_eq!(found.as_deref(), expect.map(str::as_bytes), "{header}");
        }
    }

    #[test]
    fn an_address_stands_for_its_network() {
        let of = |address: &str| network(address.parse().expect("an address")).to_string();
        assert_eq!(of("::ffff:10.1.2.3"), "10.1.2.3");
        assert_eq!(of("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
    }
}
