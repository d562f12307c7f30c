//! How far a server's log went at each of the last looks: what a standby has not replayed of it is
//! at least that old, whatever anybody's clock or the server's own measurement says.

use std::collections::VecDeque;
use std::time::Instant;

/// Looks that are remembered: two hours at the default interval. A lag above that is shown as that.
const MAX_LOOKS: usize = 480;

/// Positions of the server's log, ascending, with the time of the look.
#[derive(Default)]
pub(super) struct Written(VecDeque<(i64, Instant)>);

impl Written {
    /// The log ends here now.
    pub(super) fn now_at(&mut self, end: i64) {
        match self.0.back() {
            // Another server answers under this name now.
            Some((last, _)) if end < *last => self.0.clear(),
            // The first look that saw it counts.
            Some((last, _)) if end == *last => return,
            _ => {}
        }
        if self.0.len() == MAX_LOOKS {
            self.0.pop_front();
        }
        self.0.push_back((end, Instant::now()));
    }

    /// Seconds since the first look that saw the log end beyond this position; 0 when none did.
    pub(super) fn age_beyond(&self, replayed: i64) -> f64 {
        let first = self.0.iter().find(|(end, _)| *end > replayed);
        first.map_or(0.0, |(_, seen)| seen.elapsed().as_secs_f64())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn what_is_not_replayed_is_as_old_as_the_first_look_that_saw_it() {
        let mut written = Written::default();
        assert_eq!(written.age_beyond(0), 0.0);
        written.now_at(10);
        std::thread::sleep(Duration::from_millis(20));
        written.now_at(10);
        written.now_at(20);
        assert!(written.age_beyond(9) >= 0.02);
        assert!(written.age_beyond(10) < 0.02);
        assert_eq!(written.age_beyond(20), 0.0);
        written.now_at(5);
        assert_eq!(written.age_beyond(5), 0.0, "another server");
        for end in 0..10_000 {
            written.now_at(end);
        }
        assert_eq!(written.0.len(), MAX_LOOKS);
    }
}
