//! What was verified and what is wrong, for people and for programs.

use std::fmt::Write;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde_json::{Value, json};
use ves::Stream;

use super::log::Problem;
use crate::commands::say;

/// Violations that are listed; all are counted.
const LISTED: usize = 100;

/// The state of a verification.
pub(super) struct Report {
    started: Instant,
    progress: ProgressBar,
    has_receipts: bool,
    streams: u64,
    events: u64,
    expected_events: u64,
    commitments: u64,
    violations: u64,
    listed: Vec<(Option<Stream>, Problem)>,
}

impl Report {
    pub(super) fn new(has_receipts: bool) -> Self {
        // Draws nothing when standard error is no terminal.
        let progress = ProgressBar::with_draw_target(Some(0), ProgressDrawTarget::stderr());
        let template = "{bar:30} {human_pos}/{human_len} events  {rate}  {eta} left";
        let style = ProgressStyle::with_template(template)
            .unwrap_or_else(|_| ProgressStyle::default_bar())
            .with_key("rate", |state: &ProgressState, out: &mut dyn Write| {
                let _ = write!(out, "{:.0}/s", state.per_sec());
            });
        progress.set_style(style);
        Self {
            started: Instant::now(),
            progress,
            has_receipts,
            streams: 0,
            events: 0,
            expected_events: 0,
            commitments: 0,
            violations: 0,
            listed: Vec::new(),
        }
    }

    pub(super) fn expect_events(&mut self, events: u64) {
        self.expected_events = events;
        self.progress.set_length(events);
    }

    pub(super) fn stream(&mut self) {
        self.streams += 1;
    }

    pub(super) fn events(&mut self, events: u64) {
        self.events += events;
        self.progress.inc(events);
    }

    pub(super) fn commitment(&mut self) {
        self.commitments += 1;
    }

    pub(super) fn add(&mut self, stream: Option<Stream>, problem: Problem) {
        self.violations += 1;
        if self.listed.len() < LISTED {
            self.listed.push((stream, problem));
        }
    }

    pub(super) fn is_sound(&self) -> bool {
        self.violations == 0
    }

    pub(super) fn print(&self, as_json: bool) {
        self.progress.finish_and_clear();
        if as_json {
            say(&self.to_json().to_string());
        } else {
            self.print_plain();
        }
    }

    fn print_plain(&self) {
        for (stream, Problem { kind, sequence_number, detail }) in &self.listed {
            let stream = stream.map_or_else(
                || "store".to_owned(),
                |stream| format!("{}/{}", stream.tenant_id, stream.store_id),
            );
            let number = sequence_number.map_or("-".to_owned(), |number| number.to_string());
            say(&format!("VIOLATION  {stream}  {number}  {kind}: {detail}"));
        }
        let more = self.violations.saturating_sub(LISTED as u64);
        if more > 0 {
            say(&format!("... and {more} more"));
        }
        let receipts = if self.has_receipts {
            "checked with every event"
        } else {
            "not checked: a server signs them on reading; use --url to check them"
        };
        let verdict = if self.is_sound() { "sound" } else { "NOT SOUND" };
        say(&format!("streams      {}", self.streams));
        say(&format!("events       {} of {}", self.events, self.expected_events));
        say(&format!("commitments  {}", self.commitments));
        say(&format!("receipts     {receipts}"));
        say(&format!("violations   {}", self.violations));
        say(&format!("seconds      {:.3}", self.started.elapsed().as_secs_f64()));
        say(&format!("the log is {verdict}"));
    }

    fn to_json(&self) -> Value {
        let violation = |(stream, problem): &(Option<Stream>, Problem)| {
            json!({
                "tenant_id": stream.map(|stream| stream.tenant_id),
                "store_id": stream.map(|stream| stream.store_id),
                "sequence_number": problem.sequence_number,
                "kind": problem.kind,
                "detail": problem.detail,
            })
        };
        json!({
            "sound": self.is_sound(),
            "streams": self.streams,
            "events": self.events,
            "commitments": self.commitments,
            "receipts_checked": self.has_receipts,
            "seconds": self.started.elapsed().as_secs_f64(),
            "violation_count": self.violations,
            "violations": self.listed.iter().map(violation).collect::<Vec<_>>(),
        })
    }
}
