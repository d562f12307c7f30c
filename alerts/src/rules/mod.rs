//! Every alert, a group a file, each group a rule file of its own.

mod canary;
mod disk;
mod sequencer;
mod sidecar;
mod store;
mod watchdog;
mod witness;

use crate::rule::{Comparison, Guard, Rule, Severity, Unit};
use crate::slo;

/// Routes that are not traffic: probes, scrapes, and streams, whose duration is their reader's.
pub const NOT_TRAFFIC: &str = "/health|/health/.*|/ready|/metrics|/drain|/api/v1/ves/events/stream";

/// All rules, enabled or not, in the order in which files and tables show them.
#[must_use]
pub fn all() -> Vec<Rule> {
    let mut rules = Vec::new();
    rules.extend(sequencer::rules());
    rules.extend(store::rules());
    rules.extend(disk::rules());
    rules.extend(sidecar::rules());
    rules.extend(canary::rules());
    rules.extend(witness::rules());
    rules.extend(slo::rules());
    rules.push(watchdog::rule());
    rules
}

/// When a rule fires.
struct When {
    left: String,
    comparison: Comparison,
    threshold: f64,
    unit: Unit,
    for_seconds: u32,
}

fn above(left: impl Into<String>, threshold: f64, unit: Unit, for_seconds: u32) -> When {
    When { left: left.into(), comparison: Comparison::Above, threshold, unit, for_seconds }
}

fn below(left: impl Into<String>, threshold: f64, unit: Unit, for_seconds: u32) -> When {
    When { comparison: Comparison::Below, ..above(left, threshold, unit, for_seconds) }
}

fn is(left: impl Into<String>, threshold: f64, for_seconds: u32) -> When {
    When { comparison: Comparison::Is, ..above(left, threshold, Unit::Flag, for_seconds) }
}

const SECOND: u32 = 1;
const MINUTE: u32 = 60 * SECOND;

/// A rule of this group and board.
struct Place {
    group: &'static str,
    board: &'static str,
}

impl Place {
    fn rule(
        &self,
        name: &str,
        severity: Severity,
        when: When,
        summary: &'static str,
        description: &str,
    ) -> Rule {
        Rule {
            name: name.to_owned(),
            group: self.group,
            enabled: true,
            severity,
            for_seconds: when.for_seconds,
            left: when.left,
            comparison: when.comparison,
            threshold: when.threshold,
            unit: when.unit,
            guard: Guard::None,
            summary,
            description: description.to_owned(),
            board: self.board,
            objective: None,
            consequences: Vec::new(),
            labels: Vec::new(),
        }
    }
}

impl Rule {
    fn guarded(mut self, guard: impl Into<String>) -> Self {
        self.guard = Guard::Fixed(guard.into());
        self
    }

    fn brings(mut self, consequences: &[&str]) -> Self {
        self.consequences = consequences.iter().map(|name| (*name).to_owned()).collect();
        self
    }

    fn on_board(mut self, board: &'static str) -> Self {
        self.board = board;
        self
    }
}
