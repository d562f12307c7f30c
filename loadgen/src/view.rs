//! What a person sees while a run goes on: a block that is drawn again, or plain lines where
//! nobody draws.

use std::io::{IsTerminal as _, Write as _};
use std::sync::atomic::Ordering;
use std::time::Duration;

use crate::engine::Engine;
use crate::profile::duration;
use crate::recorder::cell::Cell;
use crate::recorder::story::{Past, Story};

/// Seconds between two plain lines.
const LINE_EVERY: u64 = 5;
/// Columns of the bar.
const BAR: usize = 40;

/// How it is shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum View {
    /// Drawn again every second.
    Block,
    /// A line every few seconds.
    Lines,
    /// Not at all.
    Quiet,
}

impl View {
    /// What fits standard output.
    #[must_use]
    pub fn fitting(is_quiet: bool) -> Self {
        if is_quiet {
            Self::Quiet
        } else if std::io::stdout().is_terminal() {
            Self::Block
        } else {
            Self::Lines
        }
    }

    /// Shows the second that has just ended.
    pub fn show(self, story: &Story, engine: &Engine, length: Duration) {
        let Some(past) = story.seconds.last() else { return };
        let in_flight = engine.run.in_flight.load(Ordering::Relaxed);
        let whole = length.as_secs();
        let text = match self {
            Self::Quiet => return,
            Self::Lines if past.t % LINE_EVERY != LINE_EVERY - 1 && past.t + 1 < whole => return,
            Self::Lines => line(past, in_flight, whole),
            Self::Block => block(past, in_flight, whole, past.t > 0),
        };
        // A view that cannot be shown ends no run.
        let _ = std::io::stdout().write_all(text.as_bytes());
        let _ = std::io::stdout().flush();
    }
}

fn milliseconds(micros: u64) -> String {
    format!("{:.1} ms", micros as f64 / 1e3)
}

fn rates(past: &Past) -> (f64, f64, Cell) {
    let sum = past.sum(|_| true);
    let per_second =
        |count: u64| if past.seconds > 0.0 { count as f64 / past.seconds } else { 0.0 };
    (per_second(sum.counts.answered), per_second(sum.counts.events), sum)
}

fn line(past: &Past, in_flight: u64, whole: u64) -> String {
    let (requests, events, sum) = rates(past);
    let latency = sum.latency().response;
    format!(
        "{:>5}/{whole} s  {:<9}  {requests:.0} requests/s  {events:.0} events/s  p50 {}  p99 {}  \
         errors {}  in flight {in_flight}  left {}\n",
        past.t + 1,
        past.stage.as_str(),
        milliseconds(latency.p50_us),
        milliseconds(latency.p99_us),
        sum.counts.failed + sum.counts.refused_events,
        duration::show(Duration::from_secs(whole.saturating_sub(past.t + 1))),
    )
}

fn block(past: &Past, in_flight: u64, whole: u64, again: bool) -> String {
    let (requests, events, sum) = rates(past);
    let latency = sum.latency().response;
    let done = usize::try_from(past.t + 1).unwrap_or(usize::MAX);
    let filled = (BAR * done / usize::try_from(whole).unwrap_or(1).max(1)).min(BAR);
    let bar = "#".repeat(filled) + &"-".repeat(BAR - filled);
    let left = duration::show(Duration::from_secs(whole.saturating_sub(past.t + 1)));
    // Up over the block before, and each line to its end.
    let up = if again { "\x1b[4A" } else { "" };
    format!(
        "{up}[{bar}] {:<9} {left} left\x1b[K\n\
         rate      {requests:.0} requests/s, {events:.0} events/s, offered {}\x1b[K\n\
         latency   p50 {}  p95 {}  p99 {}  max {}\x1b[K\n\
         errors    {} in this second; {in_flight} in flight, {} users\x1b[K\n",
        past.stage.as_str(),
        past.offered,
        milliseconds(latency.p50_us),
        milliseconds(latency.p95_us),
        milliseconds(latency.p99_us),
        milliseconds(latency.max_us),
        sum.counts.failed + sum.counts.refused_events,
        past.users,
    )
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use catalog::label::LoadStage;

    use super::*;
    use crate::recorder::cell::Kept;
    use crate::route::{Op, Route};
    use crate::scenario::Kind;

    #[test]
    fn both_forms_say_rate_latency_errors_and_what_is_left() {
        let op = Op { scenario: Kind::Ingest, route: Route::Ingest };
        let mut kept = Kept { response: vec![(2500, 40)], ..Kept::default() };
        (kept.counts.answered, kept.counts.events, kept.counts.failed) = (40, 80, 3);
        let past = Past {
            t: 4,
            stage: LoadStage::Hold,
            offered: 41,
            seconds: 1.0,
            ops: BTreeMap::from([(op.place(), kept)]),
            lateness: Vec::new(),
            users: 5,
            cpu_ratio: 0.5,
        };
        for text in [line(&past, 7, 20), block(&past, 7, 20, true)] {
            for part in ["40 requests/s", "80 events/s", "p50 2.5 ms", "3", "7", "15s", "hold"] {
                assert!(text.contains(part), "{part}: {text}");
            }
        }
    }
}
