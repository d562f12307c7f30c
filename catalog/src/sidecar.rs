//! The sidecar's metrics, one declaration each, in the order of the reference table.

use crate::label::{CanaryOutcome, CanaryStep, Check, ClockSource, ConnectionState, ViolationKind};
use crate::metric::{self, Kind, Label, Metric, capped, closed, program};

/// Seconds of a canary step; a commitment may wait for the background committer.
const CANARY_SECONDS: &[f64] =
    &[0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 15.0, 30.0, 60.0];

const CHECK: &[Label] = &[closed("check", Check::VALUES)];
const KIND: &[Label] = &[closed("kind", ViolationKind::VALUES)];

use Kind::{Counter, Gauge, Histogram};

metric::declare! {
    /// Every family that a scrape of the sidecar can show; those of a store or a check that is not
    /// configured are absent.
    BUILD_INFO = Gauge, "stateset_sidecar_build_info", &[program("version"), program("commit")],
        "Always 1; the labels say what is running.", "Which version runs where?";

    CHECK_STATUS = Gauge, "stateset_sidecar_check_status", CHECK,
        "Result of a check after hysteresis: 1 good, 0.5 warning, 0 failed.",
        "What is wrong right now?";
    CHECK_DURATION = Gauge, "stateset_sidecar_check_duration_seconds", CHECK,
        "Time that the last run of a check took.", "Does a check hang?";
    CHECK_LAST_SUCCESS = Gauge, "stateset_sidecar_check_last_success_timestamp_seconds", CHECK,
        "Unix time of the last run that was good; the start of the process before the first.",
        "How long has it been wrong?";
    CHECK_LAST_RUN = Gauge, "stateset_sidecar_check_last_run_timestamp_seconds", CHECK,
        "Unix time of the last run; the start of the process before the first.",
        "Is the result current?";
    SEQUENCER_UP = Gauge, "stateset_sidecar_sequencer_up", &[],
        "1 while the sequencer's process answers its liveness probe.", "Is the sequencer alive?";
    SEQUENCER_RESTARTS = Counter, "stateset_sidecar_sequencer_restarts_total", &[],
        "Starts of a new sequencer process seen since this sidecar's start.",
        "Does it crash in a loop?";
    CLOCK_SKEW = Gauge, "stateset_sidecar_clock_skew_seconds",
        &[closed("source", ClockSource::VALUES)],
        "Another clock minus ours, less half of the round trip's uncertainty.",
        "Can timestamps be compared?";
    TLS_EXPIRY = Gauge, "stateset_sidecar_tls_certificate_expiry_timestamp_seconds", &[],
        "Unix time at which the first of the watched certificates ends.",
        "When must a certificate be replaced?";

    DISK_TOTAL = Gauge, "stateset_sidecar_disk_total_bytes", &[],
        "Size of the file system of the data folder.", "How large is the disk?";
    DISK_USED = Gauge, "stateset_sidecar_disk_used_bytes", &[],
        "Bytes in use on the file system of the data folder.", "What fills the disk?";
    DISK_AVAILABLE = Gauge, "stateset_sidecar_disk_available_bytes", &[],
        "Bytes that the sequencer can still write there.", "When is the disk full?";
    DISK_USED_RATIO = Gauge, "stateset_sidecar_disk_used_ratio", &[],
        "Used share of what an ordinary user may use: used / (used + available).",
        "How full is the disk?";
    SYSTEM_MEMORY_TOTAL = Gauge, "stateset_sidecar_system_memory_total_bytes", &[],
        "Memory of the machine.", "How large is the machine?";
    SYSTEM_MEMORY_AVAILABLE = Gauge, "stateset_sidecar_system_memory_available_bytes", &[],
        "Memory that could be given out without swapping.", "Is the machine short of memory?";
    CGROUP_MEMORY = Gauge, "stateset_sidecar_cgroup_memory_bytes", &[],
        "Memory of the sequencer's control group without inactive file pages, which the kernel \
         takes back first; of the sidecar's group where the sequencer's cannot be seen.",
        "Is it near its limit?";
    CGROUP_MEMORY_LIMIT = Gauge, "stateset_sidecar_cgroup_memory_limit_bytes", &[],
        "Limit of that control group; the machine's memory when there is none.",
        "When will the kernel kill it?";
    MEMORY_PRESSURE = Gauge, "stateset_sidecar_memory_pressure_some_avg60_ratio", &[],
        "Share of the last 60 s in which a task waited for memory (PSI).", "Is memory short?";

    SEQUENCER_CPU = Counter, "stateset_sidecar_sequencer_cpu_seconds_total", &[],
        "CPU time of the sequencer's process, summed over its restarts seen.", "Is it busy?";
    SEQUENCER_MEMORY = Gauge, "stateset_sidecar_sequencer_resident_memory_bytes", &[],
        "Resident memory of the sequencer's process.", "Does its memory grow?";
    SEQUENCER_FDS = Gauge, "stateset_sidecar_sequencer_open_file_descriptors", &[],
        "Open file descriptors of the sequencer's process.", "Is it leaking descriptors?";
    SEQUENCER_FD_LIMIT = Gauge, "stateset_sidecar_sequencer_file_descriptor_limit", &[],
        "Soft limit on descriptors of the sequencer's process.",
        "How many more connections fit?";
    SEQUENCER_THREADS = Gauge, "stateset_sidecar_sequencer_threads", &[],
        "Threads of the sequencer's process.", "Does it leak threads?";
    SEQUENCER_START_TIME = Gauge, "stateset_sidecar_sequencer_start_timestamp_seconds", &[],
        "Unix time at which the sequencer's process began.", "When was it started?";

    STORE_LAST_LOOK = Gauge, "stateset_sidecar_store_last_look_timestamp_seconds", &[],
        "Unix time of the last complete look at the store from outside.",
        "Are the store's figures current?";
    SQLITE_DATABASE = Gauge, "stateset_sidecar_store_sqlite_database_bytes", &[],
        "Size of the database file.", "How fast does the log grow?";
    SQLITE_WAL = Gauge, "stateset_sidecar_store_sqlite_wal_bytes", &[],
        "Size of the write-ahead log.", "Does a reader hold the write-ahead log?";
    SQLITE_PAGE = Gauge, "stateset_sidecar_store_sqlite_page_bytes", &[],
        "Size of one page.", "What do page figures mean in bytes?";
    SQLITE_FREELIST = Gauge, "stateset_sidecar_store_sqlite_freelist_bytes", &[],
        "Bytes of unused pages inside the database file.", "Would a VACUUM help?";
    SQLITE_CHECKPOINT_BACKLOG = Gauge,
        "stateset_sidecar_store_sqlite_checkpoint_backlog_bytes", &[],
        "Bytes of the write-ahead log that are not in the database file yet.",
        "Do checkpoints keep up?";
    SQLITE_CHECKPOINTS = Counter, "stateset_sidecar_store_sqlite_checkpoints_total", &[],
        "Checkpoints seen to move pages into the database file.", "Do checkpoints run?";
    SQLITE_QUICK_CHECK_OK = Gauge, "stateset_sidecar_store_sqlite_quick_check_ok", &[],
        "1 when the last integrity check that was asked for found nothing.",
        "Is the file sound?";
    POSTGRES_CONNECTIONS = Gauge, "stateset_sidecar_store_postgres_connections",
        &[closed("state", ConnectionState::VALUES)],
        "Connections to the server by state.", "Who uses the server up?";
    POSTGRES_MAX_CONNECTIONS = Gauge, "stateset_sidecar_store_postgres_max_connections", &[],
        "Most connections that the server takes.", "How near is it to refusing?";
    POSTGRES_LONGEST_TRANSACTION = Gauge,
        "stateset_sidecar_store_postgres_longest_transaction_seconds", &[],
        "Age of the oldest open transaction in the database.",
        "Does a transaction hold back vacuum?";
    POSTGRES_LOCKS_WAITING = Gauge, "stateset_sidecar_store_postgres_locks_waiting", &[],
        "Lock requests that wait in the database.", "Who waits for whom?";
    POSTGRES_SLOW_STATEMENTS = Gauge, "stateset_sidecar_store_postgres_slow_statements", &[],
        "Statements whose mean time is above 200 ms (pg_stat_statements, where it is installed).",
        "Is a statement slow?";
    POSTGRES_DEAD_TUPLES = Gauge, "stateset_sidecar_store_postgres_dead_tuples", &[],
        "Dead row versions in the sequencer's tables.", "Does vacuum keep up?";
    POSTGRES_REPLICATION_LAG = Gauge,
        "stateset_sidecar_store_postgres_replication_lag_seconds", &[],
        "Largest replay lag of a standby; 0 when there is none.",
        "Would a failover lose or delay data?";

    CANARY_ATTEMPTS = Counter, "stateset_sidecar_canary_attempts_total",
        &[closed("outcome", CanaryOutcome::VALUES)],
        "Rounds of the canary by outcome.", "Does the whole path work from outside?";
    CANARY_SUCCESS = Gauge, "stateset_sidecar_canary_success", &[],
        "1 when the last round was good, else 0.", "Does the whole path work right now?";
    CANARY_DURATION = Histogram(CANARY_SECONDS), "stateset_sidecar_canary_duration_seconds",
        &[closed("step", CanaryStep::VALUES)],
        "Time of each step of good rounds.", "Which step is slow, as a client sees it?";
    CANARY_LAST_SUCCESS = Gauge, "stateset_sidecar_canary_last_success_timestamp_seconds", &[],
        "Unix time of the last good round; the start of the process before the first.",
        "How long has the path been broken?";

    WITNESS_VERIFIED_SEQUENCE = Gauge, "stateset_sidecar_witness_verified_sequence",
        &[capped("tenant"), capped("store")],
        "Highest number of a stream up to which everything was verified or found in violation.",
        "How far has the witness come?";
    WITNESS_STREAMS = Gauge, "stateset_sidecar_witness_streams", &[],
        "Streams that the witness follows.", "Is every stream watched?";
    WITNESS_VERIFIED_EVENTS = Counter, "stateset_sidecar_witness_verified_events_total", &[],
        "Events verified at the tail of the streams.", "How fast does the witness verify?";
    WITNESS_AUDITED_EVENTS = Counter, "stateset_sidecar_witness_audited_events_total", &[],
        "Events read again by the loop over the whole history.", "Is old history re-read?";
    WITNESS_AUDIT_COMPLETED = Gauge,
        "stateset_sidecar_witness_audit_completed_timestamp_seconds", &[],
        "Unix time at which the whole history was last read again to its end; absent before.",
        "How old may an unseen change of history be?";
    WITNESS_SIGNATURE_SAMPLE = Gauge, "stateset_sidecar_witness_signature_sample_ratio", &[],
        "Share of events whose signatures are verified; hashes, numbers and roots always are.",
        "Is everything verified, or a sample?";
    WITNESS_LAG_EVENTS = Gauge, "stateset_sidecar_witness_lag_events", &[],
        "Events below the heads that are not verified yet.", "Does the witness keep up?";
    WITNESS_LAG_SECONDS = Gauge, "stateset_sidecar_witness_lag_seconds", &[],
        "Time that the backlog takes at the present speed; 0 without one.",
        "When will it have caught up?";
    WITNESS_OLDEST_UNVERIFIED_AGE = Gauge,
        "stateset_sidecar_witness_oldest_unverified_age_seconds", &[],
        "Age of the oldest event that is not verified yet; 0 when there is none.",
        "How long may a violation stay unseen?";
    WITNESS_CATCHING_UP = Gauge, "stateset_sidecar_witness_catching_up", &[],
        "1 while it works through history that was there before it.",
        "Is a lag expected?";
    WITNESS_LAST_POLL = Gauge, "stateset_sidecar_witness_last_poll_timestamp_seconds", &[],
        "Unix time at which all heads were last read; the start of the process before the first.",
        "Is the witness blind?";
    WITNESS_OPEN_VIOLATIONS = Gauge, "stateset_sidecar_witness_open_violations", KIND,
        "Violations that nobody has acknowledged, kept across restarts.",
        "Is the log what it claims to be?";
    WITNESS_VIOLATIONS = Counter, "stateset_sidecar_witness_violations_total", KIND,
        "Violations found since start.", "Is it still going on?";
    WITNESS_LAST_VIOLATION = Gauge,
        "stateset_sidecar_witness_last_violation_timestamp_seconds", &[],
        "Unix time of the last violation; absent before the first.", "When did it happen?";

    PROCESS_CPU = Counter, "process_cpu_seconds_total", &[],
        "Total user and system CPU time spent in seconds.", "Does the sidecar cost too much?";
    PROCESS_OPEN_FDS = Gauge, "process_open_fds", &[],
        "Number of open file descriptors.", "Is it leaking descriptors?";
    PROCESS_MAX_FDS = Gauge, "process_max_fds", &[],
        "Maximum number of open file descriptors.", "How many more connections fit?";
    PROCESS_VIRTUAL_MEMORY = Gauge, "process_virtual_memory_bytes", &[],
        "Virtual memory size in bytes.", "Did its address space grow?";
    PROCESS_RESIDENT_MEMORY = Gauge, "process_resident_memory_bytes", &[],
        "Resident memory size in bytes.", "Does its memory grow?";
    PROCESS_START_TIME = Gauge, "process_start_time_seconds", &[],
        "Start time of the process since unix epoch in seconds.", "When was it started?";
    PROCESS_THREADS = Gauge, "process_threads", &[],
        "Number of OS threads in the process.", "Does it leak threads?";
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions() {
        crate::metric::check_conventions(super::ALL, "stateset_sidecar_");
    }
}
