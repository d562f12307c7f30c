//! What the witness shows: to the status page, as JSON and in the incident bundle.

use serde::Serialize;
use uuid::Uuid;
use ves::Timestamp;

/// Streams that are shown, those farthest behind first.
pub const MAX_STREAMS: usize = 200;
/// Open violations that are shown, newest first.
pub const MAX_VIOLATIONS: usize = 50;

/// The witness at a glance.
#[derive(Clone, Debug, Default, Serialize)]
pub struct WitnessView {
    /// Whether it is turned on.
    pub enabled: bool,
    /// What keeps it from following the log, or from remembering, in words; none is good.
    pub problem: Option<String>,
    /// Share of events whose signatures are verified.
    pub signature_sample: f64,
    /// Cores that verifying may take.
    pub cpu_cores: f64,
    /// When all heads were last read.
    pub last_poll: Option<Timestamp>,
    /// Whether it works through what was there before it.
    pub catching_up: bool,
    /// Events below the heads that are not verified yet.
    pub lag_events: u64,
    /// Time that they take at the present speed, seconds.
    pub lag_seconds: f64,
    /// Age of the oldest of them, seconds.
    pub oldest_unverified_age_seconds: f64,
    /// Streams that are followed.
    pub stream_count: u64,
    /// At most [`MAX_STREAMS`] of them, those farthest behind first.
    pub streams: Vec<StreamView>,
    /// The loop over the whole history.
    pub audit: AuditView,
    /// Violations that nobody has acknowledged.
    pub open_violation_count: u64,
    /// At most [`MAX_VIOLATIONS`] of them, newest first.
    pub open_violations: Vec<ViolationView>,
    /// Findings that were only counted, because too many are open.
    pub unrecorded_violations: u64,
}

/// One stream.
#[derive(Clone, Debug, Serialize)]
pub struct StreamView {
    /// Its tenant.
    pub tenant_id: Uuid,
    /// Its store.
    pub store_id: Uuid,
    /// Highest number.
    pub head: u64,
    /// Highest committed number.
    pub committed: u64,
    /// Highest number that was verified, or found in violation.
    pub verified: u64,
    /// Where the loop over the whole history stands.
    pub audited: u64,
    /// Events that are not verified yet.
    pub lag_events: u64,
}

/// The loop over the whole history.
#[derive(Clone, Debug, Default, Serialize)]
pub struct AuditView {
    /// Events a second; 0 is off.
    pub events_per_second: u32,
    /// When the pass under way began.
    pub pass_started: Option<Timestamp>,
    /// Share of the pass under way that is done, 0 to 1.
    pub pass_progress: f64,
    /// When the whole history was last read to its end.
    pub completed: Option<Timestamp>,
    /// Why it does not go on, in words.
    pub problem: Option<String>,
}

/// One open violation.
#[derive(Clone, Debug, Serialize)]
pub struct ViolationView {
    /// Its name, for `sidecar witness acknowledge`.
    pub id: String,
    /// Which rule is broken.
    pub kind: String,
    /// Tenant of the stream; none when all streams are concerned.
    pub tenant_id: Option<Uuid>,
    /// Its store.
    pub store_id: Option<Uuid>,
    /// The number concerned, where there is one.
    pub sequence_number: Option<u64>,
    /// What was found.
    pub detail: String,
    /// When.
    pub since: Timestamp,
    /// File below the state folder with both contradicting records; none beyond the bound.
    pub evidence: Option<String>,
}
