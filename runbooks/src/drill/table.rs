//! Which fault makes which alert fire.

use alerts::rules;

use super::faults::Fault;
use super::faults::clients::{Burst, IdleConnections, Silence, Storm};
use super::faults::database::{Locked, LongTransaction, ReplayPaused, Sessions};
use super::faults::log::{BackupRestored, RowChanged, SnapshotHeld};
use super::faults::machine::{
    CertificateEnds, ClockAhead, DataDirectoryGone, DiskGrows, DiskUsed, MemoryShort,
};
use super::faults::process::{
    Drained, KeyReplaced, Killed, Reconfigured, Restarting, ScrapedElsewhere, SidecarKilled,
};
use super::setting::{Setting, Store};
use crate::results::Missing;

/// What ends a fault.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Ends {
    /// The mitigation of the page, pasted.
    Page,
    /// The harness, in the place of what only the platform or somebody else can do.
    Harness(&'static str),
}

/// One drill.
#[derive(Clone)]
pub struct Drill {
    /// The alert that it is for.
    pub alert: String,
    /// What is broken, in words.
    pub words: &'static str,
    /// What ends it.
    pub ends: Ends,
    /// What it is played with.
    pub setting: Setting,
    /// Alerts that page for this fault, when those are others.
    pub pages: &'static [&'static str],
    /// Makes the fault.
    pub fault: fn() -> Box<dyn Fault>,
}

/// The set of every build: alerts that wait little, and need no root.
const SHORT: &[&str] = &[
    "SequencerDown",
    "SequencerNotReady",
    "SequencerMetricsAbsent",
    "SequencerCircuitBreakerOpen",
    "SequencerPostgresLongTransaction",
    "SequencerDataDirectoryNotWritable",
    "SidecarDown",
    "SidecarMetricsAbsent",
    "CanaryFailing",
    "WitnessViolation",
    "WitnessHeadRolledBack",
];

impl Drill {
    /// Whether it belongs to the set of every build.
    #[must_use]
    pub fn is_short(&self) -> bool {
        SHORT.contains(&self.alert.as_str())
    }

    /// Whether it mounts a disk or makes a control group.
    #[must_use]
    pub fn needs_root(&self) -> bool {
        matches!(self.setting.store, Store::SmallDisk(_)) || self.alert == "SequencerMemoryPressure"
    }
}

const EMBEDDED: Setting = Setting::EMBEDDED;
const POSTGRES: Setting = Setting::POSTGRES;
/// A small disk of which little is free before writes are refused.
const SMALL_DISK: Setting = Setting {
    store: Store::SmallDisk(400),
    sequencer: &["--min-free-disk-bytes=4194304"],
    sidecar: &["--min-free-disk-bytes=4194304"],
    ..EMBEDDED
};
/// A breaker that stays closed: what hangs is to be seen behind it.
const NEVER_OPEN: &str = "--circuit-breaker-failure-threshold=1000";
const NEVER_SLOW: &str = "--circuit-breaker-slow-call-ms=60000";
const CLOSED_BREAKER: &[&str] = &[NEVER_OPEN, NEVER_SLOW];
const TWELVE_CONNECTIONS: &[&str] = &["--max-db-connections=12", NEVER_OPEN, NEVER_SLOW];
const SEVEN_CONNECTIONS: &[&str] = &["--max-db-connections=7", NEVER_OPEN, NEVER_SLOW];
const SHORT_QUEUE: &[&str] = &["--queue-max-events=1000", NEVER_OPEN, NEVER_SLOW];
/// A witness with hardly any CPU, which has nothing to do but to follow.
const SLOW_WITNESS: &[&str] = &["--witness-cpu-cores=0.02", "--witness-audit-events-per-second=0"];
/// An open lock that stops the committing of events in batches, not their acceptance.
const NO_COMMITMENT: &str = "a forgotten session locks the table of commitments";
const NO_EVENT: &str = "a forgotten session locks the table of events";
/// Who pages when requests are late: their budget, at once.
const LATE: &[&str] =
    &["SequencerIngestLatencyBudgetBurn1h", "SequencerIngestLatencyFastBudgetBurn1h"];
/// Who pages when nothing can be committed: the canary; and the budgets, as far as clients ask.
const UNCOMMITTED: &[&str] = &[
    "CanaryFailing",
    "SequencerAvailabilityBudgetBurn1h",
    "SequencerErrorBudgetBurn1h",
    LATE[0],
    LATE[1],
];
/// Who pages when reads hang: what is not ready, or the same.
const UNREADABLE: &[&str] =
    &["SequencerNotReady", UNCOMMITTED[0], UNCOMMITTED[1], UNCOMMITTED[2], LATE[0], LATE[1]];
/// Who pages when no event is taken: the breaker, or the budgets while it is closed.
const REFUSED: &[&str] = &[
    "SequencerCircuitBreakerOpen",
    "SequencerDatabasePoolExhausted",
    UNCOMMITTED[0],
    UNCOMMITTED[1],
    UNCOMMITTED[2],
    LATE[0],
    LATE[1],
];

macro_rules! drills {
    ($($alert:ident: $words:expr, $ends:expr, $setting:expr
        $(, pages $pages:expr)? => $fault:expr;)+) => {
        vec![$(Drill {
            alert: stringify!($alert).to_owned(),
            words: $words,
            ends: $ends,
            setting: $setting,
            pages: drills!(@pages $($pages)?),
            fault: || $fault,
        }),+]
    };
    (@pages $pages:expr) => { $pages };
    (@pages) => { &[] };
}

const PAGE: Ends = Ends::Page;
const STARTED: Ends = Ends::Harness("the platform starts it again");
const CORRECTED: Ends = Ends::Harness("the scrape is corrected");
const CLIENT: Ends = Ends::Harness("the client is stopped");
const CONFIGURED: Ends = Ends::Harness("started with the right setting");
const EMPTIED: Ends = Ends::Harness("the file is deleted");

/// All drills, in the order of the alerts.
#[must_use]
pub fn drills() -> Vec<Drill> {
    let mut all = sequencer();
    all.extend(store());
    all.extend(machine());
    all.extend(watchers());
    all.extend(budgets());
    all
}

/// Alerts whose fault is not made.
pub const MISSING: &[Missing] = &[Missing {
    alert: "SequencerMemoryStalled",
    reason: "Memory pressure is that of the whole machine: making it would starve whatever else \
             runs there. Its rule is held by promtool cases, its metric by the test of the scrape.",
}];

fn sequencer() -> Vec<Drill> {
    drills! {
        SequencerDown: "the only sequencer is killed (SIGKILL)", STARTED, EMBEDDED
            => Box::new(Killed);
        SequencerInstanceDown: "one of two sequencers is killed (SIGKILL)", STARTED,
            Setting { sequencers: 2, ..POSTGRES.fast() }, pages &["CanaryFailing", "WitnessStale"]
            => Box::new(Killed);
        SequencerNotReady: "a drain that nobody ends", STARTED, EMBEDDED
            => Box::new(Drained);
        SequencerMetricsAbsent: "another service answers where the sequencer is scraped", CORRECTED,
            EMBEDDED => Box::new(ScrapedElsewhere(0));
        SequencerRestartingOften: "killed and started five times",
            Ends::Harness("it is left running"), EMBEDDED.fast() => Box::new(Restarting);
        SequencerHighErrorRate: NO_COMMITMENT, PAGE,
            POSTGRES.patient_scrapes().sequencer(CLOSED_BREAKER), pages UNREADABLE
            => Locked::open("commitments", "ACCESS EXCLUSIVE").readers(2);
        SequencerErrorRatioHigh: NO_COMMITMENT, PAGE,
            POSTGRES.patient_scrapes().sequencer(CLOSED_BREAKER), pages UNREADABLE
            => Locked::open("commitments", "ACCESS EXCLUSIVE").readers(2);
        SequencerAuthFailureSpike: "a client shows an unknown key, again and again", CLIENT,
            EMBEDDED.fast() => Storm::unknown_key();
        SequencerHighLatency: "a session locks the events for 1.5 s, again and again", PAGE,
            POSTGRES.fast(), pages LATE => Locked::slow("events", "EXCLUSIVE", 1.5, 0.1);
        SequencerLatencyAboveSla: "a session locks the events for 0.7 s, again and again", PAGE,
            POSTGRES.fast(), pages LATE => Locked::slow("events", "EXCLUSIVE", 0.7, 0.1);
        SequencerLowThroughput: "nobody posts events", Ends::Harness("clients post again"),
            Setting { throughput_floor: Some(5.0), ..EMBEDDED.fast() } => Box::new(Silence);
        SequencerQueueSaturated: "a session locks the events for 4 s, again and again", PAGE,
            POSTGRES.sequencer(SHORT_QUEUE), pages REFUSED
            => Locked::slow("events", "EXCLUSIVE", 4.0, 0.1).posters(60);
        SequencerCacheHitRateLow: "started with room for two credentials", CONFIGURED,
            EMBEDDED.fast(), pages &["CanaryFailing"] => Box::new(Reconfigured {
                sequencer: &["--credential-cache-entries=2"], sidecar: &[] });
        SequencerRateLimitedHeavily: "a tenant sends far more than its limit", CLIENT,
            EMBEDDED.fast() => Storm::above_its_limit();
        SequencerCommitmentLagging: NO_COMMITMENT, PAGE, POSTGRES.fast(), pages UNCOMMITTED
            => Locked::open("commitments", "EXCLUSIVE");
        SequencerFileDescriptorsNearLimit: "connections are opened and never used",
            Ends::Harness("they are closed"),
            EMBEDDED.fast().sequencer(&["--header-read-timeout-secs=300"])
            => Box::<IdleConnections>::default();
    }
}

fn store() -> Vec<Drill> {
    drills! {
        SequencerDatabasePoolExhausted: "readers wait for a locked table, on every connection",
            PAGE, POSTGRES.patient_scrapes().sequencer(TWELVE_CONNECTIONS), pages REFUSED
            => Locked::open("commitments", "ACCESS EXCLUSIVE").readers(14);
        SequencerDatabasePoolNearlyExhausted: "readers wait for a locked table, on six of seven \
            connections", PAGE,
            POSTGRES.patient_scrapes().sequencer(SEVEN_CONNECTIONS), pages REFUSED
            => Locked::open("commitments", "ACCESS EXCLUSIVE").readers(6);
        SequencerDatabaseSlow: "a session locks all events for 0.5 s, again and again", PAGE,
            POSTGRES.fast(), pages LATE => Locked::slow("events", "ACCESS EXCLUSIVE", 0.5, 0.1);
        SequencerCircuitBreakerOpen: NO_EVENT, PAGE, POSTGRES.patient_scrapes(), pages REFUSED
            => Locked::open("events, streams", "ACCESS EXCLUSIVE");
        SequencerWalGrowing: "a reader keeps its snapshot while 270 MiB are written",
            Ends::Harness("the reader is ended, the log truncated"), EMBEDDED.fast(),
            pages REFUSED
            => Box::<SnapshotHeld>::default();
        SequencerPostgresConnectionsHigh: "a forgotten pool takes 85 % of the connections", PAGE,
            POSTGRES.fast() => Box::<Sessions>::default();
        SequencerPostgresLongTransaction: "a report is begun and never ended", PAGE, POSTGRES
            => Box::<LongTransaction>::default();
        SequencerPostgresReplicationLagging: "the standby's replay is paused",
            Ends::Harness("it is resumed, at the standby"),
            Setting { store: Store::PostgresWithStandby, ..POSTGRES.fast() }
            => Box::new(ReplayPaused);
    }
}

fn machine() -> Vec<Drill> {
    drills! {
        SequencerDiskFilling: "a file fills the disk to 86 %", EMPTIED, SMALL_DISK.fast()
            => Box::new(DiskUsed(86));
        SequencerDiskAlmostFull: "a file fills the disk to 92 %", EMPTIED, SMALL_DISK
            => Box::new(DiskUsed(92));
        SequencerDiskFull: "a file fills the disk to 98 %", EMPTIED, SMALL_DISK
            => Box::new(DiskUsed(98));
        SequencerDiskFullSoon: "a file grows steadily", EMPTIED, SMALL_DISK.fast(),
            pages &["SequencerDiskFull"]
            => Box::<DiskGrows>::default();
        SequencerDataDirectoryNotWritable: "the data folder is gone",
            Ends::Harness("it is mounted again"), EMBEDDED => Box::new(DataDirectoryGone);
        SidecarDown: "the sidecar is killed (SIGKILL)", STARTED, EMBEDDED
            => Box::new(SidecarKilled);
        SidecarMetricsAbsent: "another service answers where the sidecar is scraped", CORRECTED,
            EMBEDDED => Box::new(ScrapedElsewhere(1));
        SidecarChecksStale: "checks are set to run every ten minutes", CONFIGURED, EMBEDDED
            => Box::new(Reconfigured { sequencer: &[], sidecar: &["--check-interval-secs=600"] });
        SequencerMemoryPressure: "the memory limit is lowered to what is used",
            Ends::Harness("it is raised"), POSTGRES.fast() => Box::<MemoryShort>::default();
        SequencerTlsCertificateExpiring: "a certificate with 10 days left",
            Ends::Harness("it is renewed"),
            Setting { certificate_days: Some(300), ..EMBEDDED.fast() }
            => Box::new(CertificateEnds(10));
        SequencerTlsCertificateEnding: "a certificate with 1 day left",
            Ends::Harness("it is renewed"),
            Setting { certificate_days: Some(300), ..EMBEDDED.fast() }
            => Box::new(CertificateEnds(1));
        SequencerClockSkew: "the sequencer's clock is 5 s ahead", Ends::Harness("it is set right"),
            Setting { clock: true, ..EMBEDDED.fast() } => Box::new(ClockAhead(5));
    }
}

fn watchers() -> Vec<Drill> {
    drills! {
        CanaryFailing: NO_COMMITMENT, PAGE, POSTGRES, pages UNCOMMITTED
            => Locked::open("commitments", "EXCLUSIVE");
        CanaryStale: NO_COMMITMENT, PAGE, POSTGRES, pages UNCOMMITTED
            => Locked::open("commitments", "EXCLUSIVE");
        WitnessViolation: "the payload of a stored event is changed", PAGE, EMBEDDED
            => Box::new(RowChanged);
        WitnessHeadRolledBack: "a backup of three seconds ago is restored", PAGE, EMBEDDED,
            pages &["CanaryFailing"]
            => Box::new(BackupRestored);
        WitnessStale: "the sidecar's key is replaced, and nobody tells it",
            Ends::Harness("the sidecar gets the new key"),
            Setting { own_canary_key: true, ..EMBEDDED }, pages &["CanaryFailing"]
            => Box::new(KeyReplaced);
        WitnessLagging: "more events than a witness with hardly any CPU verifies",
            Ends::Harness("the burst ends, the witness gets its CPU"),
            EMBEDDED.fast().sidecar(SLOW_WITNESS)
            => Box::<Burst>::default();
    }
}

/// Four windows of each objective: how fast the budget burns decides which fires; the fault is one.
fn budgets() -> Vec<Drill> {
    let all: Vec<Drill> = drills! {
        SequencerAvailabilityBudgetBurn: NO_EVENT, PAGE, POSTGRES, pages REFUSED
            => Locked::open("events", "EXCLUSIVE");
        SequencerReachabilityBudgetBurn: NO_COMMITMENT, PAGE, POSTGRES, pages UNCOMMITTED
            => Locked::open("commitments", "EXCLUSIVE");
        SequencerIngestLatencyBudgetBurn: "a session locks the events for 0.7 s, again and again",
            PAGE, POSTGRES, pages LATE => Locked::slow("events", "EXCLUSIVE", 0.7, 0.05);
        SequencerIngestLatencyFastBudgetBurn: "a session locks the events for 0.4 s, again and \
            again", PAGE, POSTGRES, pages LATE => Locked::slow("events", "EXCLUSIVE", 0.4, 0.02);
        SequencerErrorBudgetBurn: NO_EVENT, PAGE, POSTGRES, pages REFUSED
            => Locked::open("events", "EXCLUSIVE");
        SequencerFreshnessBudgetBurn: "a session locks the table of commitments for 66 s, again \
            and again", PAGE, POSTGRES, pages UNCOMMITTED
            => Locked::slow("commitments", "EXCLUSIVE", 66.0, 7.0);
    };
    all.into_iter().flat_map(each_window).collect()
}

/// Window of a burn rate, how many times faster its drill is, and seconds of health before: more
/// than its short window, before which it does not judge.
const WINDOWS: [(&str, u32, u64); 4] =
    [("1h", 60, 10), ("6h", 120, 20), ("1d", 1000, 12), ("3d", 1000, 26)];

fn each_window(drill: Drill) -> impl Iterator<Item = Drill> {
    let names: Vec<String> = rules::all().into_iter().map(|rule| rule.name).collect();
    WINDOWS.into_iter().filter_map(move |(window, slo_scale, health_seconds)| {
        let alert = format!("{}{window}", drill.alert);
        let setting = Setting { slo_scale, health_seconds, ..drill.setting.fast() };
        // Nobody is paged for freshness: it has no quick windows.
        names.contains(&alert).then(|| Drill { alert, setting, ..drill.clone() })
    })
}
