//! The load generator's metrics, one declaration each. They are there while a run lasts.

use crate::label::{LoadError, LoadStage};
use crate::metric::{self, Kind, Label, Metric, closed, program};

/// Seconds from a request to its last byte; the recorder itself is finer.
const REQUEST_SECONDS: &[f64] =
    &[0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0];
/// Seconds by which a request leaves too late.
const LATE_SECONDS: &[f64] = &[0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 5.0];

const STAGE: &[Label] = &[closed("stage", LoadStage::VALUES)];

use Kind::{Counter, Gauge, Histogram};

metric::declare! {
    /// Every family that a scrape of the load generator shows during a run.
    BUILD_INFO = Gauge, "stateset_loadgen_build_info", &[program("version"), program("commit")],
        "Always 1; the labels say what is running.", "Which version produces the load?";
    STAGE_ACTIVE = Gauge, "stateset_loadgen_stage_active", STAGE,
        "1 for the part of the run that is under way, else 0.", "Which part of the run is this?";
    USERS = Gauge, "stateset_loadgen_users", &[],
        "Users at work.", "How far has the ramp come?";
    REQUESTS_IN_FLIGHT = Gauge, "stateset_loadgen_requests_in_flight", &[],
        "Requests sent whose answer is not complete.", "Does the target hold requests back?";
    REQUESTS_OFFERED = Counter, "stateset_loadgen_requests_offered_total", STAGE,
        "Requests that were to start by the schedule; those that did, in a closed profile.",
        "What load was asked for?";
    REQUESTS_SENT = Counter, "stateset_loadgen_requests_sent_total", STAGE,
        "Requests that did start.", "Does the generator keep to its schedule?";
    REQUESTS_ANSWERED = Counter, "stateset_loadgen_requests_answered_total", STAGE,
        "Requests whose whole answer came, good or bad.", "What load did the target take?";
    EVENTS_ACKNOWLEDGED = Counter, "stateset_loadgen_events_acknowledged_total", STAGE,
        "Events for which a receipt came.", "How many events did the target take?";
    ERRORS = Counter, "stateset_loadgen_errors_total", &[closed("class", LoadError::VALUES)],
        "Failed attempts and refused events.", "What goes wrong, as a client sees it?";
    SERVICE_DURATION = Histogram(REQUEST_SECONDS), "stateset_loadgen_service_duration_seconds",
        STAGE,
        "Time from the sending of a request to the last byte of its answer.",
        "How long does the target take?";
    RESPONSE_DURATION = Histogram(REQUEST_SECONDS), "stateset_loadgen_response_duration_seconds",
        STAGE,
        "Time from the intended start of a request to the last byte of its answer.",
        "How long would a user have waited?";
    LATENESS = Histogram(LATE_SECONDS), "stateset_loadgen_lateness_seconds", &[],
        "Time by which the generator itself was late.", "Are the other figures valid?";

    PROCESS_CPU = Counter, "process_cpu_seconds_total", &[],
        "Total user and system CPU time spent in seconds.",
        "Is the generator the bottleneck?";
    PROCESS_OPEN_FDS = Gauge, "process_open_fds", &[],
        "Number of open file descriptors.", "How many connections does it hold?";
    PROCESS_MAX_FDS = Gauge, "process_max_fds", &[],
        "Maximum number of open file descriptors.", "How many more connections fit?";
    PROCESS_VIRTUAL_MEMORY = Gauge, "process_virtual_memory_bytes", &[],
        "Virtual memory size in bytes.", "Did its address space grow?";
    PROCESS_RESIDENT_MEMORY = Gauge, "process_resident_memory_bytes", &[],
        "Resident memory size in bytes.", "Does its memory grow?";
    PROCESS_START_TIME = Gauge, "process_start_time_seconds", &[],
        "Start time of the process since unix epoch in seconds.", "When did the test begin?";
    PROCESS_THREADS = Gauge, "process_threads", &[],
        "Number of OS threads in the process.", "Does it leak threads?";
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_follow_the_conventions() {
        crate::metric::check_conventions(super::ALL, "stateset_loadgen_");
    }
}
