//! The handles with which the sidecar records, a group for each of its rooms.

use std::sync::OnceLock;

use prometheus::process_collector::ProcessCollector;
use prometheus::{Counter, Histogram, HistogramVec, IntCounter, Registry, TextEncoder};

use crate::capped::CappedGauge;
use crate::handles::{ByLabel, GaugeBy, LateGauge};
use crate::label::{CanaryOutcome, CanaryStep, Check, ViolationKind};
use crate::metric::{self, SERIES_CAP};
use crate::sidecar as decl;

/// Results of the checks, and what they measured.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct CheckMetrics {
    pub status: GaugeBy,
    pub duration: GaugeBy,
    pub last_success: GaugeBy,
    pub last_run: GaugeBy,
    pub sequencer_up: LateGauge,
    pub clock_skew: GaugeBy,
    pub tls_expiry: LateGauge,
    pub disk_total: LateGauge,
    pub disk_used: LateGauge,
    pub disk_available: LateGauge,
    pub disk_used_ratio: LateGauge,
    pub system_memory_total: LateGauge,
    pub system_memory_available: LateGauge,
    pub cgroup_memory: LateGauge,
    pub cgroup_memory_limit: LateGauge,
    pub memory_pressure: LateGauge,
}

/// The sequencer's process as the kernel sees it.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct ProcessMetrics {
    registry: Registry,
    seen: OnceLock<SeenMetrics>,
    pub resident_memory: LateGauge,
    pub open_file_descriptors: LateGauge,
    pub file_descriptor_limit: LateGauge,
    pub threads: LateGauge,
    pub start_time: LateGauge,
}

/// Counters over all processes of the sequencer that were seen.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct SeenMetrics {
    pub restarts: IntCounter,
    pub cpu: Counter,
}

impl ProcessMetrics {
    /// The counters, in the scrape from the first call on: that of the first process seen.
    #[must_use]
    pub fn seen(&self) -> &SeenMetrics {
        self.seen.get_or_init(|| SeenMetrics {
            restarts: metric::counter(&self.registry, &decl::SEQUENCER_RESTARTS),
            cpu: metric::float_counter(&self.registry, &decl::SEQUENCER_CPU),
        })
    }
}

/// The store from outside; the families of the other driver are absent.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct StoreMetrics {
    registry: Registry,
    pub last_look: LateGauge,
    pub sqlite_database: LateGauge,
    pub sqlite_wal: LateGauge,
    pub sqlite_page: LateGauge,
    pub sqlite_freelist: LateGauge,
    pub sqlite_checkpoint_backlog: LateGauge,
    pub sqlite_quick_check_ok: LateGauge,
    pub postgres_connections: GaugeBy,
    pub postgres_max_connections: LateGauge,
    pub postgres_longest_transaction: LateGauge,
    pub postgres_locks_waiting: LateGauge,
    pub postgres_slow_statements: LateGauge,
    pub postgres_dead_tuples: LateGauge,
    pub postgres_replication_lag: LateGauge,
}

impl StoreMetrics {
    /// The counter of seen checkpoints; called once, by the look at an embedded store.
    #[must_use]
    pub fn sqlite_checkpoints(&self) -> IntCounter {
        metric::counter(&self.registry, &decl::SQLITE_CHECKPOINTS)
    }
}

/// Rounds of the canary.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct CanaryMetrics {
    pub attempts: ByLabel,
    pub success: LateGauge,
    duration: Vec<Histogram>,
    pub last_success: LateGauge,
}

impl CanaryMetrics {
    /// The histogram of a step, seconds.
    #[must_use]
    pub fn duration(&self, step: CanaryStep) -> &Histogram {
        &self.duration[step as usize]
    }
}

/// What the witness has verified and found.
#[expect(missing_docs, reason = "each field is the handle of the declaration of the same name")]
pub struct WitnessMetrics {
    pub verified_sequence: CappedGauge,
    pub streams: LateGauge,
    pub verified_events: IntCounter,
    pub audited_events: IntCounter,
    pub audit_completed: LateGauge,
    pub signature_sample: LateGauge,
    pub lag_events: LateGauge,
    pub lag_seconds: LateGauge,
    pub oldest_unverified_age: LateGauge,
    pub catching_up: LateGauge,
    pub last_poll: LateGauge,
    pub open_violations: GaugeBy,
    pub violations: ByLabel,
    pub last_violation: LateGauge,
}

/// All handles of the sidecar and the registry that encodes them.
#[expect(missing_docs, reason = "each field is a group above")]
pub struct SidecarMetrics {
    registry: Registry,
    pub checks: CheckMetrics,
    pub process: ProcessMetrics,
    pub store: StoreMetrics,
    pub canary: CanaryMetrics,
    pub witness: WitnessMetrics,
}

impl SidecarMetrics {
    /// Registers every family; those that the catalogue says so start at zero, those of the checks
    /// that are configured with the time of the start.
    #[must_use]
    pub fn new(version: &str, commit: &str, started_unix_seconds: f64, checks: &[Check]) -> Self {
        let r = &Registry::new();
        let info = metric::gauge_vec(r, &decl::BUILD_INFO);
        info.with_label_values(&[version, commit]).set(1);
        r.register(Box::new(ProcessCollector::for_self())).expect("registered once");
        let new = Self {
            checks: check_metrics(r),
            process: process_metrics(r),
            store: store_metrics(r),
            canary: canary_metrics(r),
            witness: witness_metrics(r),
            registry: r.clone(),
        };
        for check in checks {
            new.checks.last_run.set(check.as_str(), started_unix_seconds);
            new.checks.last_success.set(check.as_str(), started_unix_seconds);
        }
        new
    }

    /// The scrape, in the Prometheus text format.
    #[must_use]
    pub fn encode(&self) -> String {
        let families = self.registry.gather();
        TextEncoder::new().encode_to_string(&families).unwrap_or_default()
    }
}

fn check_metrics(r: &Registry) -> CheckMetrics {
    CheckMetrics {
        status: GaugeBy::new(r, &decl::CHECK_STATUS),
        duration: GaugeBy::new(r, &decl::CHECK_DURATION),
        last_success: GaugeBy::new(r, &decl::CHECK_LAST_SUCCESS),
        last_run: GaugeBy::new(r, &decl::CHECK_LAST_RUN),
        sequencer_up: LateGauge::new(r, &decl::SEQUENCER_UP),
        clock_skew: GaugeBy::new(r, &decl::CLOCK_SKEW),
        tls_expiry: LateGauge::new(r, &decl::TLS_EXPIRY),
        disk_total: LateGauge::new(r, &decl::DISK_TOTAL),
        disk_used: LateGauge::new(r, &decl::DISK_USED),
        disk_available: LateGauge::new(r, &decl::DISK_AVAILABLE),
        disk_used_ratio: LateGauge::new(r, &decl::DISK_USED_RATIO),
        system_memory_total: LateGauge::new(r, &decl::SYSTEM_MEMORY_TOTAL),
        system_memory_available: LateGauge::new(r, &decl::SYSTEM_MEMORY_AVAILABLE),
        cgroup_memory: LateGauge::new(r, &decl::CGROUP_MEMORY),
        cgroup_memory_limit: LateGauge::new(r, &decl::CGROUP_MEMORY_LIMIT),
        memory_pressure: LateGauge::new(r, &decl::MEMORY_PRESSURE),
    }
}

fn process_metrics(r: &Registry) -> ProcessMetrics {
    ProcessMetrics {
        registry: r.clone(),
        seen: OnceLock::new(),
        resident_memory: LateGauge::new(r, &decl::SEQUENCER_MEMORY),
        open_file_descriptors: LateGauge::new(r, &decl::SEQUENCER_FDS),
        file_descriptor_limit: LateGauge::new(r, &decl::SEQUENCER_FD_LIMIT),
        threads: LateGauge::new(r, &decl::SEQUENCER_THREADS),
        start_time: LateGauge::new(r, &decl::SEQUENCER_START_TIME),
    }
}

fn store_metrics(r: &Registry) -> StoreMetrics {
    StoreMetrics {
        registry: r.clone(),
        last_look: LateGauge::new(r, &decl::STORE_LAST_LOOK),
        sqlite_database: LateGauge::new(r, &decl::SQLITE_DATABASE),
        sqlite_wal: LateGauge::new(r, &decl::SQLITE_WAL),
        sqlite_page: LateGauge::new(r, &decl::SQLITE_PAGE),
        sqlite_freelist: LateGauge::new(r, &decl::SQLITE_FREELIST),
        sqlite_checkpoint_backlog: LateGauge::new(r, &decl::SQLITE_CHECKPOINT_BACKLOG),
        sqlite_quick_check_ok: LateGauge::new(r, &decl::SQLITE_QUICK_CHECK_OK),
        postgres_connections: GaugeBy::new(r, &decl::POSTGRES_CONNECTIONS),
        postgres_max_connections: LateGauge::new(r, &decl::POSTGRES_MAX_CONNECTIONS),
        postgres_longest_transaction: LateGauge::new(r, &decl::POSTGRES_LONGEST_TRANSACTION),
        postgres_locks_waiting: LateGauge::new(r, &decl::POSTGRES_LOCKS_WAITING),
        postgres_slow_statements: LateGauge::new(r, &decl::POSTGRES_SLOW_STATEMENTS),
        postgres_dead_tuples: LateGauge::new(r, &decl::POSTGRES_DEAD_TUPLES),
        postgres_replication_lag: LateGauge::new(r, &decl::POSTGRES_REPLICATION_LAG),
    }
}

fn canary_metrics(r: &Registry) -> CanaryMetrics {
    let durations: HistogramVec = metric::histogram_vec(r, &decl::CANARY_DURATION);
    let step = |step: &&str| durations.with_label_values(&[step]);
    CanaryMetrics {
        attempts: ByLabel::new(r, &decl::CANARY_ATTEMPTS, CanaryOutcome::VALUES),
        success: LateGauge::new(r, &decl::CANARY_SUCCESS),
        duration: CanaryStep::VALUES.iter().map(step).collect(),
        last_success: LateGauge::new(r, &decl::CANARY_LAST_SUCCESS),
    }
}

fn witness_metrics(r: &Registry) -> WitnessMetrics {
    let verified = metric::gauge_vec(r, &decl::WITNESS_VERIFIED_SEQUENCE);
    WitnessMetrics {
        verified_sequence: CappedGauge::new(verified, SERIES_CAP),
        streams: LateGauge::new(r, &decl::WITNESS_STREAMS),
        verified_events: metric::counter(r, &decl::WITNESS_VERIFIED_EVENTS),
        audited_events: metric::counter(r, &decl::WITNESS_AUDITED_EVENTS),
        audit_completed: LateGauge::new(r, &decl::WITNESS_AUDIT_COMPLETED),
        signature_sample: LateGauge::new(r, &decl::WITNESS_SIGNATURE_SAMPLE),
        lag_events: LateGauge::new(r, &decl::WITNESS_LAG_EVENTS),
        lag_seconds: LateGauge::new(r, &decl::WITNESS_LAG_SECONDS),
        oldest_unverified_age: LateGauge::new(r, &decl::WITNESS_OLDEST_UNVERIFIED_AGE),
        catching_up: LateGauge::new(r, &decl::WITNESS_CATCHING_UP),
        last_poll: LateGauge::new(r, &decl::WITNESS_LAST_POLL),
        open_violations: GaugeBy::new(r, &decl::WITNESS_OPEN_VIOLATIONS),
        violations: ByLabel::new(r, &decl::WITNESS_VIOLATIONS, ViolationKind::VALUES),
        last_violation: LateGauge::new(r, &decl::WITNESS_LAST_VIOLATION),
    }
}
