//! Is it well? The board that everybody opens first.

use alerts::overrides::RuleSet;
use alerts::promql::up;
use alerts::rules::NOT_TRAFFIC;
use catalog::JOB_SEQUENCER;
use catalog::sequencer::{
    BUILD_INFO, DB_POOL_ACTIVE, DB_POOL_MAX, ERRORS, EVENTS_INGESTED, HEAD_SEQUENCE,
    REQUEST_DURATION, REQUEST_SIZE, REQUESTS,
};
use catalog::sidecar::{
    self, CANARY_SUCCESS, WITNESS_LAG_EVENTS, WITNESS_LAST_POLL, WITNESS_OPEN_VIOLATIONS,
};

use super::{NOTHING_LACKS, gauge, lines, plain, stat};
use crate::builder::threshold::{CRITICAL, GOOD, NEUTRAL};
use crate::builder::{Board, Kind, Panel, Unit};
use crate::query::{increase, mean, quantile, quantiles, rate, sum, top};

/// Probes, scrapes and streams are not traffic.
const TRAFFIC: &[(&str, &str, &str)] = &[("route", "!~", NOT_TRAFFIC)];

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-overview",
        "Sequencer / Overview",
        "Is the sequencer well? Status by colour, traffic, errors and latency at one glance.",
    )
    .row("Status", status(set))
    .row("Traffic and errors", traffic())
    .row("Latency and size", latency())
    .row("Processes", processes(set))
}

fn status(set: &RuleSet) -> Vec<Panel> {
    let ok = |panel: Panel, wrong| panel.states(&[(1.0, "good", GOOD), (0.0, wrong, CRITICAL)]);
    let witness = stat(
        "Witness",
        "Violations of the log's promises that nobody has acknowledged.",
        "0",
        "WitnessViolation",
    );
    vec![
        Panel::of_alerts(set, "Sequencers that answer", &["SequencerDown"])
            .kind(Kind::Stat)
            .size(4, 4),
        ok(
            stat(
                "All ready",
                "1 while every instance answers /ready with 200.",
                "1",
                "SequencerNotReady",
            )
            .query(&format!("min({})", plain(&catalog::sequencer::READY)), "ready"),
            "not ready",
        ),
        ok(
            stat(
                "Canary",
                "1 while a signed event makes its way through the whole path, seen from outside.",
                "1",
                "CanaryFailing",
            )
            .query(&format!("min({})", plain(&CANARY_SUCCESS)), "canary"),
            "failing",
        ),
        witness
            .query(&sum("", &plain(&WITNESS_OPEN_VIOLATIONS)), "violations")
            .coloured_by(set, &["WitnessViolation"]),
        stat(
            "Witness looked",
            "Time since the witness last read all heads.",
            "seconds",
            "WitnessStale",
        )
        .unit(Unit::Seconds)
        .query(&format!("max(time() - {})", plain(&WITNESS_LAST_POLL)), "ago")
        .coloured_by(set, &["WitnessStale"]),
        gauge(
            "Connection pool",
            "Share of the store connections in use, on the fullest instance.",
            "below the colours",
            "SequencerDatabasePoolExhausted",
        )
        .unit(Unit::Ratio)
        .query(&format!("max({} / {})", plain(&DB_POOL_ACTIVE), plain(&DB_POOL_MAX)), "in use")
        .coloured_by(
            set,
            &["SequencerDatabasePoolNearlyExhausted", "SequencerDatabasePoolExhausted"],
        ),
    ]
}

fn traffic() -> Vec<Panel> {
    let requests = sum("", &rate(&REQUESTS, TRAFFIC));
    let events = sum("", &rate(&EVENTS_INGESTED, &[]));
    let figure = |title, meaning, good, runbook| stat(title, meaning, good, runbook).size(6, 4);
    let errors = |window| sum("", &increase(&ERRORS, &[], window));
    vec![
        figure(
            "Requests now",
            "Answered requests a second, without probes and streams.",
            "as on other days",
            "SequencerErrorRatioHigh",
        )
        .unit(Unit::RequestsPerSecond)
        .coloured(NEUTRAL)
        .query(&requests, "requests"),
        figure(
            "Events now",
            "Events given a number, a second, in the whole fleet.",
            "as on other days",
            "SequencerLowThroughput",
        )
        .unit(Unit::PerSecond)
        .coloured(NEUTRAL)
        .query(&events, "events"),
        figure(
            "Errors in 1 minute",
            "Error responses of all categories; callers' mistakes are among them.",
            "few, and of callers",
            "SequencerHighErrorRate",
        )
        .coloured(NEUTRAL)
        .query(&errors("1m"), "errors"),
        figure(
            "Errors in 5 minutes",
            "Error responses of all categories; callers' mistakes are among them.",
            "few, and of callers",
            "SequencerHighErrorRate",
        )
        .coloured(NEUTRAL)
        .query(&errors("5m"), "errors"),
        lines(
            "Requests and events",
            "Answered requests and accepted events a second.",
            "steady, in the rhythm of the day",
            "SequencerLowThroughput",
        )
        .unit(Unit::PerSecond)
        .query(&requests, "requests")
        .query(&events, "events"),
        lines(
            "Errors by category",
            "Error responses a second. database, anchor and internal are ours; the others tell the \
             caller what to change.",
            "none of ours",
            "SequencerHighErrorRate",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("category", &rate(&ERRORS, &[])), "{{category}}"),
    ]
}

fn latency() -> Vec<Panel> {
    let figure = |title: &str, meaning: &str, runbook: &str, expr: &str| {
        stat(title, meaning, "tens of milliseconds", runbook)
            .size(6, 4)
            .unit(Unit::Seconds)
            .coloured(NEUTRAL)
            .query(expr, "latency")
    };
    let q = |q| quantile(q, "", &REQUEST_DURATION, TRAFFIC);
    let mean_latency = mean(&REQUEST_DURATION, TRAFFIC);
    vec![
        figure("Average latency", "Mean request duration.", "SequencerHighLatency", &mean_latency),
        figure("P50", "Half of the requests are quicker.", "SequencerHighLatency", &q(0.5)),
        figure("P95", "95 % of the requests are quicker.", "SequencerHighLatency", &q(0.95)),
        figure("P99", "99 % of the requests are quicker.", "SequencerLatencyAboveSla", &q(0.99)),
        lines(
            "Latency",
            "Request duration, without probes and streams: average and quantiles.",
            "p99 below 500 ms",
            "SequencerLatencyAboveSla",
        )
        .unit(Unit::Seconds)
        .query(&mean_latency, "average")
        .queries(quantiles(&REQUEST_DURATION, TRAFFIC)),
        lines(
            "Request size",
            "Bytes of request bodies: average and 95 % quantile.",
            "steady",
            "SequencerQueueSaturated",
        )
        .unit(Unit::Bytes)
        .query(&mean(&REQUEST_SIZE, &[]), "average")
        .query(&quantile(0.95, "", &REQUEST_SIZE, &[]), "p95"),
    ]
}

fn processes(set: &RuleSet) -> Vec<Panel> {
    let build = |metric| sum("job, instance, version, commit", &plain(metric));
    vec![
        lines(
            "Heads",
            "Highest number given in a stream since start; the ten longest streams.",
            "rises while events come, and never falls except by a restart",
            "WitnessHeadRolledBack",
        )
        .query(&top(&format!("max by (tenant, store) ({})", plain(&HEAD_SEQUENCE))), HEAD)
        .unit(Unit::Exact),
        lines(
            "Witness lag",
            "Events below the heads that the witness has not verified yet.",
            "near 0, or falling while it catches up",
            "WitnessLagging",
        )
        .query(&plain(&WITNESS_LAG_EVENTS), "{{instance}}"),
        Panel::new(
            Kind::Table,
            "What runs",
            "Version and commit of every process; during a deploy two versions.",
            "one version",
            "SequencerRestartingOften",
        )
        .query(
            &format!("{} or {}", build(&BUILD_INFO), build(&sidecar::BUILD_INFO)),
            "{{job}} {{instance}} {{version}}",
        ),
        Panel::of_alerts(set, "Instances that answer a scrape", &["SequencerInstanceDown"])
            .states(&[(1.0, "up", GOOD), (0.0, "down", CRITICAL)]),
        Panel::of_alerts(set, "Readiness", &["SequencerNotReady"])
            .states(&[(1.0, "ready", GOOD), (0.0, "not ready", CRITICAL)]),
        Panel::of_alerts(set, "File descriptors in use", &["SequencerFileDescriptorsNearLimit"]),
        Panel::of_alerts(set, "Families that are missing", &["SequencerMetricsAbsent"])
            .good("empty")
            .empty_when(NOTHING_LACKS),
        Panel::of_alerts(set, "Alerting works", &["Watchdog"])
            .good("always there; the service that gets this alert pages when it stops"),
        stat(
            "Scraped sequencers",
            "Instances of the sequencer that Prometheus knows, up or not.",
            "as many as were deployed",
            "SequencerInstanceDown",
        )
        .coloured(NEUTRAL)
        .query(&format!("count({})", up(JOB_SEQUENCER)), "instances"),
    ]
}

/// Legend of a stream.
const HEAD: &str = "{{tenant}} {{store}}";
