//! Load and what it does: what was offered, what got through, and what became full.

use alerts::overrides::RuleSet;
use alerts::rules::NOT_TRAFFIC;
use catalog::JOB_SEQUENCER;
use catalog::loadgen;
use catalog::sequencer::{
    CGROUP_MEMORY, CGROUP_MEMORY_LIMIT, DB_POOL_ACTIVE, DB_POOL_MAX, EVENTS_INGESTED,
    FILE_DESCRIPTOR_LIMIT, INGEST_INSIDE, INGEST_LIMIT, INGEST_SUCCESS_DURATION, MEMORY_PRESSURE,
    OPEN_FILE_DESCRIPTORS, PROCESS_CPU, PROCESS_RESIDENT_MEMORY, PROCESS_THREADS, QUEUE_CAPACITY,
    QUEUE_DEPTH, REQUEST_DURATION, REQUESTS, REQUESTS_SHED,
};

use super::{empty_when, lines, plain};
use crate::builder::{Board, Kind, Panel, Unit};
use crate::query::{quantile, quantiles, rate, sum};

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-load",
        "Sequencer / Load",
        "Offered and achieved load, its latency, and what is near its bound meanwhile.",
    )
    .row("Load", load())
    .row("Load generator", empty_when("no load test runs", generator()))
    .row("Latency", latency())
    .row("Saturation", saturation(set))
}

fn load() -> Vec<Panel> {
    let traffic = ("route", "!~", NOT_TRAFFIC);
    let answered = |status| sum("", &rate(&REQUESTS, &[traffic, ("status", "=~", status)]));
    let offered = sum("", &rate(&REQUESTS, &[traffic]));
    vec![
        Panel::new(
            Kind::Text,
            "How to read this board",
            "Everything here is measured by the sequencer itself. *Offered* is what arrived, \
             answered in whatever way; a client that gave up before it was heard is not in it. \
             The row *Load generator* is what the other side measured, while a run lasts and its \
             job is scraped; every board marks a load test.",
            "offered and achieved are one line",
            "SequencerQueueSaturated",
        ),
        lines(
            "Offered and achieved",
            "Requests a second that arrived, that were answered 2xx, and that were refused: 429 by \
             a limit, 503 to protect the process.",
            "achieved follows offered",
            "SequencerRateLimitedHeavily",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&offered, "offered")
        .query(&answered("2.."), "achieved")
        .query(&answered("429"), "limited")
        .query(&sum("", &rate(&REQUESTS_SHED, &[])), "shed"),
        lines(
            "Achieved events",
            "Events given a number, a second.",
            "as many as were offered",
            "SequencerLowThroughput",
        )
        .unit(Unit::PerSecond)
        .query(&sum("", &rate(&EVENTS_INGESTED, &[])), "all instances")
        .query(&sum("instance", &rate(&EVENTS_INGESTED, &[])), "{{instance}}"),
    ]
}

/// What the load generator measured itself: the figures of its report, while they come in.
fn generator() -> Vec<Panel> {
    let total = |metric| sum("", &rate(metric, &[]));
    let late = quantile(0.99, "", &loadgen::LATENESS, &[]);
    let served = quantile(0.99, "", &loadgen::SERVICE_DURATION, &[]);
    vec![
        lines(
            "Schedule of the load generator",
            "Requests a second that were to start, that did start, and whose whole answer came.",
            "one line; a gap between offered and sent makes a run invalid",
            "SequencerQueueSaturated",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&total(&loadgen::REQUESTS_OFFERED), "offered")
        .query(&total(&loadgen::REQUESTS_SENT), "sent")
        .query(&total(&loadgen::REQUESTS_ANSWERED), "answered"),
        lines(
            "Acknowledged events",
            "Events a second for which the load generator holds a receipt.",
            "as many as were offered",
            "SequencerLowThroughput",
        )
        .unit(Unit::PerSecond)
        .query(&total(&loadgen::EVENTS_ACKNOWLEDGED), "acknowledged"),
        lines(
            "Latency as a client sees it",
            "Response: from the intended start to the last byte. Service: from the sending.",
            "flat while the load rises",
            "SequencerHighLatency",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&loadgen::RESPONSE_DURATION, &[]))
        .query(&served, "service P99"),
        lines(
            "Errors as a client sees them",
            "Failed attempts and refused events a second, by class.",
            "0",
            "SequencerHighErrorRate",
        )
        .unit(Unit::PerSecond)
        .query(&sum("class", &rate(&loadgen::ERRORS, &[])), "{{class}}"),
        lines(
            "Delay of the load generator",
            "Time by which requests leave after their time, 99 % of them at most this much.",
            "below 100 ms; above it the run is invalid",
            "SequencerHighLatency",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&late, "P99"),
        lines(
            "Users and requests under way",
            "Users of the load generator, and requests whose answer is not complete.",
            "requests under way stay few; they rise when the target holds them back",
            "SequencerQueueSaturated",
        )
        .size(8, 8)
        .query(&plain(&loadgen::USERS), "users {{instance}}")
        .query(&plain(&loadgen::REQUESTS_IN_FLIGHT), "under way {{instance}}"),
        lines(
            "Stage of the run",
            "1 for the part of the run that is under way.",
            "ramp, hold, ramp_down, drain, verify, in this order",
            "SequencerHighLatency",
        )
        .size(8, 8)
        .query(&plain(&loadgen::STAGE_ACTIVE), "{{stage}} {{instance}}"),
    ]
}

fn latency() -> Vec<Panel> {
    vec![
        lines(
            "Ingest latency",
            "Duration of ingest requests answered 200.",
            "flat while the load rises; the knee is the capacity",
            "SequencerIngestLatencyBudgetBurn1h",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&INGEST_SUCCESS_DURATION, &[])),
        lines(
            "P95 of the busiest routes",
            "Duration that 95 % of the requests of a route stay below.",
            "flat while the load rises",
            "SequencerHighLatency",
        )
        .unit(Unit::Seconds)
        .query(
            &format!(
                "topk(5, {})",
                quantile(0.95, "route", &REQUEST_DURATION, &[("route", "!~", NOT_TRAFFIC)])
            ),
            "{{route}}",
        ),
    ]
}

fn saturation(set: &RuleSet) -> Vec<Panel> {
    let share = |part, whole| format!("{} / {}", plain(part), plain(whole));
    let job = [("job", "=", JOB_SEQUENCER)];
    let of = |metric| alerts::promql::series(metric, &job);
    vec![
        lines(
            "What is full",
            "Share in use of everything that has a bound: event queue, admission, connections, \
             memory, descriptors. What reaches its bound first is what limits the load.",
            "below the line of the queue's alert",
            "SequencerQueueSaturated",
        )
        .size(24, 9)
        .unit(Unit::Ratio)
        .query(&share(&QUEUE_DEPTH, &QUEUE_CAPACITY), "queue {{instance}}")
        .query(&share(&INGEST_INSIDE, &INGEST_LIMIT), "admission {{instance}}")
        .query(&share(&DB_POOL_ACTIVE, &DB_POOL_MAX), "connections {{instance}}")
        .query(&share(&CGROUP_MEMORY, &CGROUP_MEMORY_LIMIT), "memory {{instance}}")
        .query(&share(&OPEN_FILE_DESCRIPTORS, &FILE_DESCRIPTOR_LIMIT), "descriptors {{instance}}")
        .coloured_by(set, &["SequencerQueueSaturated"]),
        lines(
            "CPU",
            "Cores that each instance uses.",
            "below the cores it may use",
            "SequencerHighLatency",
        )
        .size(8, 8)
        .query(&rate(&PROCESS_CPU, &job), "{{instance}}"),
        lines(
            "Memory",
            "Resident memory of each instance, and memory of its control group.",
            "levels off",
            "SequencerMemoryPressure",
        )
        .size(8, 8)
        .unit(Unit::Bytes)
        .query(&of(&PROCESS_RESIDENT_MEMORY), "process {{instance}}")
        .query(&plain(&CGROUP_MEMORY), "group {{instance}}"),
        lines(
            "Memory stalls",
            "Share of the last minute in which a task waited for memory.",
            "0",
            "SequencerMemoryStalled",
        )
        .size(8, 8)
        .unit(Unit::Ratio)
        .query(&plain(&MEMORY_PRESSURE), "{{instance}}"),
        lines("Threads", "Threads of each instance.", "steady", "SequencerHighLatency")
            .query(&of(&PROCESS_THREADS), "{{instance}}"),
    ]
}
