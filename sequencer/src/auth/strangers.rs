//! Unknown credentials, by the address they come from.
//!
//! Each costs a question to the store, and whoever guesses has as many as he likes. An address
//! that asked too often about credentials that do not exist is refused without a look-up, until
//! the minute is over. A credential that was good before is looked up as ever: behind a proxy all
//! callers have one address.

use std::net::{IpAddr, Ipv6Addr};

use crate::error::{ApiError, ApiResult, Code};
use crate::rate_limit::Windows;

/// An IPv6 address is the network it is from: whoever has one has them all.
const IPV6_NETWORK: u128 = !0 << 64;

/// Look-ups that found nothing, by address.
pub(super) struct Strangers {
    /// Look-ups a minute; 0 is no limit.
    per_minute: u32,
    windows: Windows<IpAddr>,
}

impl Strangers {
    pub(super) fn new(per_minute: u32, capacity: usize) -> Self {
        Self { per_minute, windows: Windows::new(capacity) }
    }

    /// Allows a look-up for this address.
    ///
    /// # Errors
    /// `RATE_LIMIT_EXCEEDED`.
    pub(super) fn allow(&self, address: Option<IpAddr>) -> ApiResult<()> {
        let Some(address) = address.map(network).filter(|_| self.per_minute > 0) else {
            return Ok(());
        };
        let standing = self.windows.look(&address, self.per_minute);
        if standing.remaining > 0 {
            return Ok(());
        }
        let message = "too many unknown credentials came from this address; wait, then repeat";
        Err(ApiError::new(Code::RateLimitExceeded, message).retry_after(standing.reset_seconds))
    }

    /// Counts a look-up that found nothing.
    pub(super) fn count(&self, address: Option<IpAddr>) {
        if let Some(address) = address.map(network).filter(|_| self.per_minute > 0) {
            self.windows.count(&address);
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(address) => Ipv6Addr::from_bits(address.to_bits() & IPV6_NETWORK).into(),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_one_network_are_one() {
        for (one, other, same) in [
            ("192.0.2.1", "192.0.2.1", true),
            ("192.0.2.1", "192.0.2.2", false),
            ("::ffff:192.0.2.1", "192.0.2.1", true),
            ("2001:db8::1", "2001:db8::ffff:0:0:1", true),
            ("2001:db8::1", "2001:db8:0:1::1", false),
        ] {
            let (one, other): (IpAddr, IpAddr) = (one.parse().unwrap(), other.parse().unwrap());
            assert_eq!(network(one) == network(other), same, "{one} {other}");
        }
    }
}
