//! Wrong tokens: an address may try a few, then it waits.

use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Wrong tokens at once.
const BURST: f64 = 20.0;
/// Time that earns another try.
const REFILL: Duration = Duration::from_secs(3);
/// Addresses remembered. The one that was quiet longest makes room.
const MAX_ADDRESSES: usize = 256;

/// What addresses have tried.
#[derive(Default)]
pub(super) struct Guesses(Mutex<Vec<Guesser>>);

struct Guesser {
    address: IpAddr,
    tries_left: f64,
    counted_at: Instant,
    /// The last wrong one. A program with a stale token repeats it for ever; that is no guess, and
    /// must not lock out the people behind the same address.
    last: [u8; 32],
}

/// What becomes of a token.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Verdict {
    Right,
    Wrong,
    /// It was not looked at.
    Wait {
        seconds: u64,
    },
}

impl Guesses {
    /// Judges the digest of a token; `right` is asked only while the address has tries left.
    pub(super) fn judge(
        &self,
        address: IpAddr,
        given: [u8; 32],
        right: impl FnOnce() -> bool,
    ) -> Verdict {
        self.judge_at(Instant::now(), address, given, right)
    }

    fn judge_at(
        &self,
        now: Instant,
        address: IpAddr,
        given: [u8; 32],
        right: impl FnOnce() -> bool,
    ) -> Verdict {
        let mut guessers = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = guessers.iter().position(|guesser| guesser.address == address);
        if let Some(known) = known.map(|at| &mut guessers[at]) {
            let earned = now.duration_since(known.counted_at).div_duration_f64(REFILL);
            known.tries_left = (known.tries_left + earned).min(BURST);
            known.counted_at = now;
            if known.last == given {
                return Verdict::Wrong;
            }
            if known.tries_left < 1.0 {
                let missing = REFILL.mul_f64(1.0 - known.tries_left);
                return Verdict::Wait { seconds: missing.as_secs() + 1 };
            }
            if right() {
                return Verdict::Right;
            }
            known.tries_left -= 1.0;
            known.last = given;
            return Verdict::Wrong;
        }
        if right() {
            return Verdict::Right;
        }
        if guessers.len() >= MAX_ADDRESSES {
            let quietest =
                guessers.iter().enumerate().min_by_key(|(_, guesser)| guesser.counted_at);
            if let Some((at, _)) = quietest {
                guessers.swap_remove(at);
            }
        }
        let tries_left = BURST - 1.0;
        guessers.push(Guesser { address, tries_left, counted_at: now, last: given });
        Verdict::Wrong
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ADDRESS: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);

    fn token(n: u32) -> [u8; 32] {
        let mut token = [0; 32];
        token[..4].copy_from_slice(&n.to_be_bytes());
        token
    }

    #[test]
    fn an_address_that_guesses_waits_and_is_heard_again() {
        let guesses = Guesses::default();
        let start = Instant::now();
        let try_at = |seconds: u64, given: u32, right: bool| {
            let now = start + Duration::from_secs(seconds);
            guesses.judge_at(now, ADDRESS, token(given), || right)
        };
        assert_eq!(try_at(0, 999, true), Verdict::Right);
        for guess in 0..20 {
            assert_eq!(try_at(0, guess, false), Verdict::Wrong);
        }
        assert_eq!(try_at(0, 20, false), Verdict::Wait { seconds: 4 });
        assert_eq!(try_at(0, 999, true), Verdict::Wait { seconds: 4 }, "it is not even compared");
        let other = IpAddr::from([10, 0, 0, 1]);
        assert_eq!(guesses.judge_at(start, other, token(999), || true), Verdict::Right);
        assert_eq!(try_at(3, 999, true), Verdict::Right);
    }

    #[test]
    fn a_stale_token_repeated_for_ever_locks_nobody_out() {
        let guesses = Guesses::default();
        let now = Instant::now();
        for _ in 0..1_000 {
            assert_eq!(guesses.judge_at(now, ADDRESS, token(1), || false), Verdict::Wrong);
        }
        assert_eq!(guesses.judge_at(now, ADDRESS, token(2), || true), Verdict::Right);
    }

    #[test]
    fn the_table_of_addresses_is_bounded() {
        let guesses = Guesses::default();
        let start = Instant::now();
        for n in 0..1_000_u32 {
            let now = start + Duration::from_millis(n.into());
            guesses.judge_at(now, IpAddr::from(n.to_be_bytes()), token(n), || false);
        }
        assert_eq!(guesses.0.lock().expect("not poisoned").len(), MAX_ADDRESSES);
    }
}
