//! How a run ended: verdict, thresholds, ledger, and when events were signed.

use serde::{Deserialize, Serialize};

/// The end of a run in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Everything asked for was offered, and every threshold held.
    Pass,
    /// The load was offered; a threshold did not hold, or an acknowledged event is not there.
    ThresholdsFailed,
    /// The run says nothing about the target: the load was not offered, or nobody answered.
    Invalid,
    /// It cannot be run like this.
    BadConfiguration,
    /// Somebody ended it.
    Interrupted,
}

impl Verdict {
    /// What the process ends with.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Pass => 0,
            Self::ThresholdsFailed => 99,
            Self::Invalid => 98,
            Self::BadConfiguration => 104,
            Self::Interrupted => 105,
        }
    }

    /// For people.
    #[must_use]
    pub fn words(self) -> &'static str {
        match self {
            Self::Pass => "passed",
            Self::ThresholdsFailed => "thresholds failed",
            Self::Invalid => "invalid",
            Self::BadConfiguration => "bad configuration",
            Self::Interrupted => "interrupted",
        }
    }
}

/// One threshold and what was measured.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Threshold {
    /// As written in the profile.
    pub expression: String,
    /// The value that decided, in the unit of the metric: seconds, ratios or per second; the worst
    /// window where windows were asked for. Absent when there was nothing to measure.
    pub measured: Option<f64>,
    /// The same for people, with its unit.
    pub measured_text: String,
    /// The decision.
    pub verdict: ThresholdVerdict,
    /// Second at which it ended the run, where it did.
    pub aborted_at_seconds: Option<f64>,
}

/// Whether a threshold held.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdVerdict {
    /// It held.
    Pass,
    /// It did not.
    Fail,
    /// There was nothing to measure; counts as failed.
    NoData,
}

/// What became of the events that the target acknowledged.
#[derive(Clone, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
pub struct LedgerSummary {
    /// Events with a receipt, each written to `ledger.ndjson`.
    pub acknowledged: u64,
    /// Those found once, under their number, with the same receipt hash.
    pub verified: u64,
    /// Those whose number is not in the log.
    pub missing: u64,
    /// Those whose number holds another event or another receipt hash.
    pub different: u64,
    /// Events that the log holds twice, and numbers that were given twice.
    pub duplicated: u64,
    /// Numbers missing between the first and the last of a stream.
    pub gaps: u64,
    /// Receipts, payload hashes or signatures that do not verify.
    pub violations: u64,
    /// Streams that were read back.
    pub streams: u64,
    /// Time that reading back took; 0 while it has not been done.
    pub seconds: u64,
    /// Whether the log was read back to the end and everything is there.
    pub is_sound: bool,
    /// The first problems in words; bounded.
    pub problems: Vec<String>,
}

/// When events were signed.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Signing {
    /// In one word.
    pub mode: SigningMode,
    /// Events signed before the clock started.
    pub ahead_events: u64,
    /// Events signed between requests, never between the intended start and the answer.
    pub idle_events: u64,
    /// Events signed while a request was already due: their time is in the response latency.
    pub late_events: u64,
    /// For people.
    pub note: String,
}

/// When events were signed, in one word.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SigningMode {
    /// The run posted no event.
    None,
    /// All before the clock started.
    Ahead,
    /// Some before it, the rest by a thread that keeps a stock while requests are under way.
    AheadThenIdle,
}
