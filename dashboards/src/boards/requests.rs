//! What is asked, what is answered, and how quickly.

use alerts::overrides::RuleSet;
use alerts::rules::NOT_TRAFFIC;
use catalog::sequencer::{ERRORS, REQUEST_DURATION, REQUEST_SIZE, REQUESTS, STREAM_FIRST_BYTE};

use super::{heatmap, lines, stacked};
use crate::builder::{Board, Panel, Unit};
use crate::query::{heat, quantile, quantiles, rate, sum};

/// Probes, scrapes and streams are not traffic.
const TRAFFIC: &[(&str, &str, &str)] = &[("route", "!~", NOT_TRAFFIC)];

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-requests",
        "Sequencer / Requests",
        "What is asked, what is answered, how quickly and with which errors.",
    )
    .row("Traffic", traffic())
    .row("Latency", latency(set))
    .row("Errors", errors(set))
}

fn traffic() -> Vec<Panel> {
    vec![
        stacked(
            "Requests by route",
            "Answered requests a second by route template.",
            "steady, in the rhythm of the day",
            "SequencerErrorRatioHigh",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("method, route", &rate(&REQUESTS, &[])), "{{method}} {{route}}"),
        stacked(
            "Requests by status",
            "Answered requests a second by status. 429 is a tenant's own limit, 503 is load or a \
             dependency.",
            "nearly all 2xx",
            "SequencerErrorRatioHigh",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("status", &rate(&REQUESTS, &[])), "{{status}}"),
        heatmap(
            "Request size",
            "How often which size of request body came.",
            "the same bands as on other days",
            "SequencerQueueSaturated",
        )
        .unit(Unit::Bytes)
        .query(&heat(&REQUEST_SIZE, &[]), "{{le}}"),
        lines(
            "Request size by route",
            "Bytes that 95 % of the request bodies of a route stay below.",
            "steady",
            "SequencerQueueSaturated",
        )
        .unit(Unit::Bytes)
        .query(&quantile(0.95, "route", &REQUEST_SIZE, &[]), "{{route}}"),
    ]
}

fn latency(set: &RuleSet) -> Vec<Panel> {
    vec![
        heatmap(
            "Request duration",
            "How often which duration came, without probes and streams.",
            "one narrow band; a second one is a second cause",
            "SequencerHighLatency",
        )
        .unit(Unit::Seconds)
        .query(&heat(&REQUEST_DURATION, TRAFFIC), "{{le}}"),
        lines(
            "Duration quantiles",
            "P50, P90, P95 and P99 of the request duration, without probes and streams.",
            "p99 below 500 ms",
            "SequencerLatencyAboveSla",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&REQUEST_DURATION, TRAFFIC)),
        lines(
            "P95 by route",
            "Duration that 95 % of the requests of a route stay below.",
            "tens of milliseconds",
            "SequencerHighLatency",
        )
        .unit(Unit::Seconds)
        .query(&quantile(0.95, "route", &REQUEST_DURATION, TRAFFIC), "{{route}}"),
        lines(
            "First byte of live streams",
            "Time from the request to the head of a live stream; its length is its reader's.",
            "tens of milliseconds",
            "SequencerHighLatency",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&STREAM_FIRST_BYTE, &[]))
        .empty_when("nobody opens a live stream"),
        Panel::of_alerts(set, "P95 by instance", &["SequencerHighLatency"]),
        Panel::of_alerts(set, "P99 by instance", &["SequencerLatencyAboveSla"]),
    ]
}

fn errors(set: &RuleSet) -> Vec<Panel> {
    vec![
        stacked(
            "Errors by category",
            "Error responses a second. database, anchor and internal are ours.",
            "none of ours",
            "SequencerHighErrorRate",
        )
        .unit(Unit::RequestsPerSecond)
        .query(&sum("category", &rate(&ERRORS, &[])), "{{category}}"),
        stacked(
            "Failed requests by route",
            "Requests a second answered 5xx, by route and status.",
            "none",
            "SequencerErrorRatioHigh",
        )
        .unit(Unit::RequestsPerSecond)
        .query(
            &sum("route, status", &rate(&REQUESTS, &[("status", "=~", "5..")])),
            "{{route}} {{status}}",
        ),
        stacked(
            "Refused requests by route",
            "Requests a second answered 4xx, by route and status: callers have to change them.",
            "few, and none that begins at once",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::RequestsPerSecond)
        .query(
            &sum("route, status", &rate(&REQUESTS, &[("status", "=~", "4..")])),
            "{{route}} {{status}}",
        ),
        Panel::of_alerts(set, "Errors of ours", &["SequencerHighErrorRate"]),
        Panel::of_alerts(set, "Share of failed requests", &["SequencerErrorRatioHigh"])
            .legend("{{job}}"),
    ]
}
