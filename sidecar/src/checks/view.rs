//! What is shown of the checks: each of them, and one sentence for all.

use std::time::Duration;

use catalog::label::Check;
use serde::Serialize;
use ves::Timestamp;

use super::probe::Status;
use super::state::State;
use crate::clock;

/// One check, as JSON and page show it.
#[derive(Clone, Debug, Serialize)]
pub struct CheckView {
    /// Stable name, the label of its metrics.
    pub name: &'static str,
    /// After hysteresis.
    pub status: Status,
    /// Why, in words, also while it is good.
    pub reason: String,
    /// When this status began.
    pub since: Timestamp,
    /// When it was last looked at; `null` before the first time.
    pub last_run: Option<Timestamp>,
    /// When a look was last good; `null` before the first time.
    pub last_success: Option<Timestamp>,
    /// Time that the last look took.
    pub duration_seconds: Option<f64>,
    /// Time since the last look ended.
    pub age_seconds: Option<f64>,
    /// Alert whose runbook says what to do.
    pub alert: &'static str,
}

impl CheckView {
    /// The state, unless it is older than `oldest`: then nothing is known any more.
    pub(super) fn of(state: &State, oldest: Duration) -> Self {
        let mut shown = state.shown.clone();
        let age = state.last.as_ref().map(|look| look.ended.elapsed());
        if let Some(age) = age.filter(|age| *age > oldest) {
            shown.status = Status::Unknown;
            shown.reason =
                format!("no look for {:.0} s; the last: {}", age.as_secs_f64(), shown.reason);
        }
        Self {
            name: state.check.as_str(),
            status: shown.status,
            reason: shown.reason,
            since: state.since,
            last_run: state.last.as_ref().map(|look| look.at),
            last_success: state.last_success,
            duration_seconds: state.last.as_ref().map(|look| look.duration.as_secs_f64()),
            age_seconds: age.map(|age| age.as_secs_f64()),
            alert: shown.alert.unwrap_or(alert(state.check)),
        }
    }
}

/// Alert whose runbook helps with a check.
fn alert(check: Check) -> &'static str {
    match check {
        Check::SequencerLive => "SequencerDown",
        Check::SequencerReady => "SequencerNotReady",
        Check::Store => "SequencerCircuitBreakerOpen",
        Check::Disk => "SequencerDiskAlmostFull",
        Check::DataDirectory => "SequencerDataDirectoryNotWritable",
        Check::FileDescriptors => "SequencerFileDescriptorsNearLimit",
        Check::Memory => "SequencerMemoryPressure",
        Check::Clock => "SequencerClockSkew",
        Check::TlsCertificate => "SequencerTlsCertificateExpiring",
    }
}

/// What a sentence about a check begins with.
fn headline(check: Check, status: Status) -> &'static str {
    let bad = match check {
        Check::SequencerLive => {
            ["The sequencer answers strangely", "The sequencer does not answer"]
        }
        Check::SequencerReady => ["The sequencer is degraded", "The sequencer takes no traffic"],
        Check::Store => ["The store is slow", "The store does not answer"],
        Check::Disk => ["The disk fills up", "The disk is full"],
        Check::DataDirectory => ["The data folder is in doubt", "The data folder takes no writes"],
        Check::FileDescriptors => {
            ["File descriptors run short", "File descriptors are nearly used up"]
        }
        Check::Memory => ["Memory runs short", "Memory is nearly used up"],
        Check::Clock => ["The clocks differ", "The clocks differ widely"],
        Check::TlsCertificate => ["A certificate ends soon", "A certificate must be replaced now"],
    };
    match status {
        Status::Ok => "All is well",
        Status::Unknown => "Not everything can be seen",
        Status::Warn => bad[0],
        Status::Fail => bad[1],
    }
}

/// Something that is said about the whole, by a check or another room.
#[derive(Clone, Debug)]
pub struct Finding {
    /// How well it is.
    pub status: Status,
    /// What is the matter, without a full stop.
    pub headline: String,
    /// Why.
    pub reason: String,
    /// Since when.
    pub since: Timestamp,
    /// Alert whose runbook says what to do.
    pub alert: &'static str,
}

impl Finding {
    pub(super) fn of(check: Check, view: CheckView) -> Self {
        let CheckView { status, reason, since, alert, .. } = view;
        Self { status, headline: headline(check, status).to_owned(), reason, since, alert }
    }

    fn sentence(&self, now: Timestamp) -> String {
        let seconds = (now.as_micros() - self.since.as_micros()).max(0) / 1_000_000;
        let (Self { headline, reason, .. }, since) = (self, since(self.since, now));
        format!("{headline} since {since} ({}): {reason}", length(seconds))
    }
}

/// The whole in one sentence.
#[derive(Clone, Debug, Serialize)]
pub struct Overall {
    /// The worst of all.
    pub status: Status,
    /// What is the matter, since when and why; of several things the first of the worst.
    pub sentence: String,
    /// When that began.
    pub since: Timestamp,
    /// Alert whose runbook says what to do; `null` while all is well.
    pub alert: Option<&'static str>,
    /// How many further things are not good.
    pub others: usize,
}

impl Overall {
    /// From findings in the order of importance.
    #[must_use]
    pub fn of(findings: &[Finding]) -> Self {
        let now = clock::now();
        let worst = findings.iter().map(|finding| finding.status).max();
        let worst = worst.unwrap_or(Status::Unknown);
        let bad = findings.iter().filter(|finding| finding.status != Status::Ok).count();
        let first = findings.iter().find(|finding| finding.status == worst);
        let (sentence, since, alert) = match first {
            Some(first) if worst != Status::Ok => {
                (first.sentence(now), first.since, Some(first.alert))
            }
            _ => {
                let last = findings.iter().map(|finding| finding.since).max().unwrap_or(now);
                (format!("All is well since {}.", self::since(last, now)), last, None)
            }
        };
        Self { status: worst, sentence, since, alert, others: bad.saturating_sub(1) }
    }
}

/// The time of day, with the day when it was another one; UTC.
fn since(at: Timestamp, now: Timestamp) -> String {
    let (at, now) = (at.to_string(), now.to_string());
    let time = &at[11..16];
    if at[..10] == now[..10] { format!("{time} UTC") } else { format!("{} {time} UTC", &at[..10]) }
}

/// A length of time as people say it.
fn length(seconds: i64) -> String {
    match seconds {
        0..=119 => format!("{seconds} s"),
        120..=7_199 => format!("{} min", seconds / 60),
        7_200..=172_799 => format!("{} h", seconds / 3_600),
        _ => format!("{} days", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn finding(status: Status, headline: &str, seconds_ago: i64) -> Finding {
        let since = Timestamp::from_micros(clock::now().as_micros() - seconds_ago * 1_000_000);
        let (headline, reason) = (headline.to_owned(), "connection refused".to_owned());
        Finding { status, headline, reason, since, alert: "SequencerDown" }
    }

    #[test]
    fn the_sentence_is_about_the_first_of_the_worst() {
        let all = [
            finding(Status::Warn, "The disk fills up", 5),
            finding(Status::Fail, "The sequencer does not answer", 23),
            finding(Status::Fail, "The store does not answer", 40),
            finding(Status::Ok, "All is well", 9),
        ];
        let overall = Overall::of(&all);
        assert_eq!((overall.status, overall.others), (Status::Fail, 2));
        let text = &overall.sentence;
        assert!(text.starts_with("The sequencer does not answer since "), "{text}");
        assert!(text.ends_with("UTC (23 s): connection refused"), "{text}");
        assert_eq!(Overall::of(&all[3..]).status, Status::Ok);
        assert_eq!(Overall::of(&[]).status, Status::Unknown, "nothing known is not good");
    }

    #[test]
    fn a_day_is_named_when_it_is_another_one() {
        let at = |text| Timestamp::parse(text).unwrap();
        let now = at("2026-03-02T02:14:00Z");
        assert_eq!(since(at("2026-03-02T02:13:10Z"), now), "02:13 UTC");
        assert_eq!(since(at("2026-03-01T23:59:10Z"), now), "2026-03-01 23:59 UTC");
        assert_eq!(length(119), "119 s");
        assert_eq!(length(7_199), "119 min");
    }
}
