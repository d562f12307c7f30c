//! How it protects itself and what it gives up: breaker, limits, shedding, restarts, drain.

use alerts::overrides::RuleSet;
use catalog::JOB_SEQUENCER;
use catalog::sequencer::{
    CIRCUIT_BREAKER_CALLS, CIRCUIT_BREAKER_STATE, DRAINING, PROCESS_START_TIME, RATE_LIMITED,
    READY, REQUESTS_SHED, TENANT_RATE_LIMITED, TRACE_SPANS_DROPPED,
};
use catalog::sidecar::SEQUENCER_RESTARTS;

use super::{bars, lines, plain, stacked, stat, timeline};
use crate::builder::threshold::{CRITICAL, GOOD, NEUTRAL, WARNING};
use crate::builder::{Board, Panel, Unit};
use crate::query::{increase, rate, sum, top};

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-resilience",
        "Sequencer / Resilience",
        "What it refuses to protect itself, what it has given up asking, and when it restarts.",
    )
    .row("Circuit breakers", breakers(set))
    .row("Limits and shedding", limits(set))
    .row("Restarts and drain", restarts(set))
}

fn breakers(set: &RuleSet) -> Vec<Panel> {
    let in_state = format!("{} == 1", plain(&CIRCUIT_BREAKER_STATE));
    let calls = sum("service", &rate(&CIRCUIT_BREAKER_CALLS, &[]));
    let share = |outcome| {
        let of = rate(&CIRCUIT_BREAKER_CALLS, &[("outcome", "=", outcome)]);
        format!("{} / {calls}", sum("service", &of))
    };
    vec![
        timeline(
            "Breaker states",
            "The state that each breaker is in: closed lets calls pass, open lets none pass, \
             half_open probes.",
            "closed",
            "SequencerCircuitBreakerOpen",
        )
        .query(&in_state, "{{instance}} {{service}} {{state}}")
        .states(&[(1.0, "in this state", GOOD)])
        .coloured(NEUTRAL),
        Panel::of_alerts(set, "Breaker lets calls pass", &["SequencerCircuitBreakerOpen"])
            .legend("{{instance}} {{service}}")
            .states(&[(1.0, "closed", GOOD), (0.0, "not closed", CRITICAL)]),
        lines(
            "Failed, slow and rejected calls",
            "Share of the calls of a dependency that failed, were slow, or were not made.",
            "0",
            "SequencerCircuitBreakerOpen",
        )
        .unit(Unit::Ratio)
        .query(&share("failure"), "failed {{service}}")
        .query(&share("slow"), "slow {{service}}")
        .query(&share("rejected"), "rejected {{service}}"),
        stacked(
            "Calls by outcome",
            "Calls of a dependency a second, by outcome.",
            "all successes",
            "SequencerCircuitBreakerOpen",
        )
        .unit(Unit::PerSecond)
        .query(
            &sum("service, outcome", &rate(&CIRCUIT_BREAKER_CALLS, &[])),
            "{{service}} {{outcome}}",
        ),
    ]
}

fn limits(set: &RuleSet) -> Vec<Panel> {
    vec![
        lines(
            "Requests answered 429",
            "Requests a second beyond a limit of their tenant or credential.",
            "none, or one known caller's",
            "SequencerRateLimitedHeavily",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&rate(&RATE_LIMITED, &[]), "{{instance}}"),
        bars(
            "Limited by tenant",
            "Requests of the last hour beyond the limit, of the ten tenants with most of them.",
            "empty",
            "SequencerRateLimitedHeavily",
        )
        .coloured(WARNING)
        .query(&top(&sum("tenant", &increase(&TENANT_RATE_LIMITED, &[], "1h"))), "{{tenant}}")
        .empty_when("no tenant meets its limit"),
        stacked(
            "Shed requests by reason",
            "Requests a second refused with 503 to protect the process.",
            "none",
            "SequencerQueueSaturated",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("reason", &rate(&REQUESTS_SHED, &[])), "{{reason}}"),
        Panel::of_alerts(set, "Share refused by a limit", &["SequencerRateLimitedHeavily"]),
        lines(
            "Lost trace spans",
            "Spans a second that were recorded and not delivered: traces have holes, requests do \
             not wait.",
            "none",
            "SequencerMetricsAbsent",
        )
        .unit(Unit::PerSecond)
        .query(&rate(&TRACE_SPANS_DROPPED, &[]), "{{instance}}"),
    ]
}

fn restarts(set: &RuleSet) -> Vec<Panel> {
    let job = [("job", "=", JOB_SEQUENCER)];
    let start = alerts::promql::series(&PROCESS_START_TIME, &job);
    vec![
        stat(
            "Runs since",
            "When the process of each instance began.",
            "the last deploy",
            "SequencerRestartingOften",
        )
        .size(6, 6)
        .unit(Unit::FromNow)
        .coloured(NEUTRAL)
        .query(&format!("{start} * 1000"), "{{instance}}"),
        stat(
            "Restarts seen by the sidecar",
            "New sequencer processes that the sidecar saw within an hour.",
            "0, or a deploy",
            "SequencerRestartingOften",
        )
        .size(6, 6)
        .coloured_by(set, &["SequencerRestartingOften"])
        .query(&increase(&SEQUENCER_RESTARTS, &[], "1h"), "{{instance}}"),
        Panel::of_alerts(set, "Starts in 15 minutes", &["SequencerRestartingOften"]).size(12, 6),
        timeline(
            "Drain",
            "1 from the stop signal until the process ends.",
            "short, and only in a deploy",
            "SequencerNotReady",
        )
        .query(&plain(&DRAINING), "{{instance}}")
        .states(&[(1.0, "drains", WARNING), (0.0, "runs", GOOD)]),
        timeline("Takes traffic", "1 while /ready answers 200.", "1", "SequencerNotReady")
            .query(&plain(&READY), "{{instance}}")
            .states(&[(1.0, "ready", GOOD), (0.0, "not ready", CRITICAL)]),
    ]
}
