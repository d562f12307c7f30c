//! Whether the sidecar's own loops make progress: the only thing its `/health` speaks of.

use std::borrow::Cow;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// The loops of this process.
#[derive(Default)]
pub struct Progress {
    /// Held for a look-up only.
    loops: Mutex<Vec<Loop>>,
}

struct Loop {
    name: Cow<'static, str>,
    longest: Duration,
    last: Instant,
}

/// A loop that has not come round in time.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stuck {
    /// Name of the loop.
    pub name: Cow<'static, str>,
    /// Time since it last came round.
    pub silent: Duration,
}

impl Progress {
    /// A loop says that it came round, and after how long without the next word it is stuck.
    pub fn mark(&self, name: impl Into<Cow<'static, str>>, longest: Duration) {
        let name = name.into();
        let mut loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let last = Instant::now();
        match loops.iter_mut().find(|known| known.name == name) {
            Some(known) => (known.last, known.longest) = (last, longest),
            None => loops.push(Loop { name, longest, last }),
        }
    }

    /// The loops that are stuck; none is good.
    #[must_use]
    pub fn stuck(&self) -> Vec<Stuck> {
        let loops = self.loops.lock().unwrap_or_else(PoisonError::into_inner);
        let silent =
            |known: &Loop| Stuck { name: known.name.clone(), silent: known.last.elapsed() };
        loops.iter().filter(|known| known.last.elapsed() > known.longest).map(silent).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loop_that_says_nothing_is_stuck_until_it_does() {
        let progress = Progress::default();
        assert!(progress.stuck().is_empty());
        progress.mark("checks", Duration::ZERO);
        progress.mark("canary", Duration::from_secs(60));
        std::thread::sleep(Duration::from_millis(1));
        let stuck = progress.stuck();
        assert_eq!(stuck.len(), 1);
        assert_eq!(stuck[0].name, "checks");
        progress.mark("checks", Duration::from_secs(60));
        assert!(progress.stuck().is_empty());
    }
}
