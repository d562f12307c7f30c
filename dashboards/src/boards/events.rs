//! The path of an event: accepted, committed, provable, followed.

use alerts::overrides::RuleSet;
use catalog::sequencer::{
    BATCH_SIZE, COMMIT_DURATION, COMMIT_SIZE, COMMITMENT_DELAY, COMMITMENT_DURATION,
    COMMITMENT_LAG, COMMITMENTS, ENTITY_EVENTS_INGESTED, EVENTS_INGESTED, EVENTS_REJECTED,
    INGEST_INSIDE, INGEST_LIMIT, INGEST_SUCCESS_DURATION, PROOF_DURATION, QUEUE_CAPACITY,
    QUEUE_DEPTH, QUEUE_WAIT, RECEIPTS_SIGNED, SEALER_ACTIVE, SIGNATURE_VERIFICATIONS,
    STREAM_EVENTS_INGESTED, STREAM_EVENTS_SENT, STREAM_LAGGED, STREAM_SUBSCRIBERS,
};

use super::{heatmap, lines, plain, stacked, stat, timeline};
use crate::builder::threshold::{GOOD, NEUTRAL};
use crate::builder::{Board, Panel, Unit};
use crate::query::{heat, quantiles, rate, sum, top};

pub(super) fn board(set: &RuleSet) -> Board {
    Board::new(
        "stateset-events",
        "Sequencer / Events",
        "How many events come, from whom, and how soon they are committed and provable.",
    )
    .row("Events", [events(set), requests()].concat())
    .row("Queue and group commit", queue(set))
    .row("Merkle batches and proofs", batches(set))
    .row("Live streams", streams())
}

fn events(set: &RuleSet) -> Vec<Panel> {
    let accepted = sum("", &rate(&EVENTS_INGESTED, &[]));
    let refused = sum("", &rate(&EVENTS_REJECTED, &[]));
    let by_stream = top(&sum("tenant, store", &rate(&STREAM_EVENTS_INGESTED, &[])));
    let by_type = top(&sum("entity_type", &rate(&ENTITY_EVENTS_INGESTED, &[])));
    vec![
        stat(
            "Events a minute",
            "Events given a number, a minute.",
            "as on other days",
            "SequencerLowThroughput",
        )
        .size(6, 8)
        .unit(Unit::PerMinute)
        .coloured(NEUTRAL)
        .query(&format!("{accepted} * 60"), "events"),
        stat(
            "Accepted share",
            "Accepted events of all that came in accepted requests.",
            "near 100 %",
            "SequencerErrorRatioHigh",
        )
        .size(6, 8)
        .unit(Unit::Ratio)
        .coloured(NEUTRAL)
        .query(&format!("{accepted} / ({accepted} + {refused})"), "accepted"),
        Panel::of_alerts(set, "Events a second", &["SequencerLowThroughput"]),
        lines(
            "Refused events by reason",
            "Events a second that were refused inside an accepted request.",
            "none, or one known agent's",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::PerSecond)
        .query(&sum("reason", &rate(&EVENTS_REJECTED, &[])), "{{reason}}"),
        lines(
            "Events by tenant and store",
            "Events a second of the ten busiest streams.",
            "nobody fills the queue alone",
            "SequencerQueueSaturated",
        )
        .unit(Unit::PerSecond)
        .query(&by_stream, "{{tenant}} {{store}}"),
        lines(
            "Events by entity type",
            "Events a second of the ten most frequent entity types.",
            "the known mix",
            "SequencerLowThroughput",
        )
        .unit(Unit::PerSecond)
        .query(&by_type, "{{entity_type}}"),
    ]
}

fn requests() -> Vec<Panel> {
    vec![
        heatmap(
            "Batch size",
            "How often which number of events came in one ingest request.",
            "more than one: agents that batch get more through",
            "SequencerQueueSaturated",
        )
        .query(&heat(&BATCH_SIZE, &[]), "{{le}}"),
        lines(
            "Ingest duration",
            "Duration of ingest requests answered 200: the latency objective counts these.",
            "p95 below 50 ms, p99 below 500 ms",
            "SequencerIngestLatencyBudgetBurn1h",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&INGEST_SUCCESS_DURATION, &[])),
        lines(
            "Signatures and receipts",
            "Agent signatures checked by outcome, and receipts signed, a second.",
            "no invalid ones",
            "SequencerAuthFailureSpike",
        )
        .unit(Unit::PerSecond)
        .query(&sum("outcome", &rate(&SIGNATURE_VERIFICATIONS, &[])), "{{outcome}}")
        .query(&sum("", &rate(&RECEIPTS_SIGNED, &[])), "receipts"),
    ]
}

fn queue(set: &RuleSet) -> Vec<Panel> {
    vec![
        lines(
            "Queue depth",
            "Events that wait for the committer, and the bound of the queue.",
            "far below the bound",
            "SequencerQueueSaturated",
        )
        .query(&plain(&QUEUE_DEPTH), "waiting {{instance}}")
        .query(&plain(&QUEUE_CAPACITY), "bound {{instance}}"),
        Panel::of_alerts(set, "Queue in use", &["SequencerQueueSaturated"]),
        lines(
            "Events inside",
            "Events between admission and answer, and how many are let in at the measured rate.",
            "below the bound; at it, requests are refused with 503",
            "SequencerRateLimitedHeavily",
        )
        .query(&plain(&INGEST_INSIDE), "inside {{instance}}")
        .query(&plain(&INGEST_LIMIT), "bound {{instance}}"),
        lines(
            "Wait for the committer",
            "Time a request waited in the queue.",
            "a few milliseconds",
            "SequencerQueueSaturated",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&QUEUE_WAIT, &[])),
        lines(
            "Group commit duration",
            "Time of one group commit in the store.",
            "a few milliseconds",
            "SequencerDatabaseSlow",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&COMMIT_DURATION, &[])),
        lines(
            "Events in a group commit",
            "Events that one commit writes: more under load, so commits stay cheap.",
            "rises with the load",
            "SequencerQueueSaturated",
        )
        .queries(quantiles(&COMMIT_SIZE, &[])),
    ]
}

fn batches(set: &RuleSet) -> Vec<Panel> {
    vec![
        stacked(
            "Commitments a minute",
            "Merkle batches sealed, a minute, by instance.",
            "some, while events come",
            "SequencerCommitmentLagging",
        )
        .unit(Unit::PerMinute)
        .query(&format!("{} * 60", sum("instance", &rate(&COMMITMENTS, &[]))), "{{instance}}"),
        lines(
            "Commitment lag",
            "Accepted events that are not in a batch yet.",
            "falls to near 0 again and again",
            "SequencerCommitmentLagging",
        )
        .query(&plain(&COMMITMENT_LAG), "{{instance}}"),
        Panel::of_alerts(
            set,
            "Age of the oldest event without a batch",
            &["SequencerCommitmentLagging"],
        )
        .legend("{{job}}"),
        lines(
            "Time to a commitment",
            "From an event's acceptance to its batch: the freshness objective counts these.",
            "p99 below 60 s",
            "SequencerFreshnessBudgetBurn1d",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&COMMITMENT_DELAY, &[])),
        lines(
            "Sealing duration",
            "Time to read, hash and store one batch.",
            "below a second",
            "SequencerCommitmentLagging",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&COMMITMENT_DURATION, &[])),
        lines(
            "Proof duration",
            "Time to build one inclusion proof.",
            "milliseconds",
            "SequencerDatabaseSlow",
        )
        .unit(Unit::Seconds)
        .queries(quantiles(&PROOF_DURATION, &[])),
        timeline(
            "Who seals",
            "1 while the instance seals batches in the background.",
            "exactly one of those on the same database",
            "SequencerCommitmentLagging",
        )
        .query(&plain(&SEALER_ACTIVE), "{{instance}}")
        .states(&[(1.0, "seals", GOOD), (0.0, "waits", NEUTRAL)]),
    ]
}

fn streams() -> Vec<Panel> {
    vec![
        lines(
            "Subscribers",
            "Open live streams.",
            "as many as there are followers",
            "SequencerRateLimitedHeavily",
        )
        .size(8, 8)
        .query(&plain(&STREAM_SUBSCRIBERS), "{{instance}}"),
        lines(
            "Events sent to followers",
            "Events a second given to live streams.",
            "accepted events times followers",
            "SequencerLowThroughput",
        )
        .size(8, 8)
        .unit(Unit::PerSecond)
        .query(&rate(&STREAM_EVENTS_SENT, &[]), "{{instance}}"),
        lines(
            "Followers cut off",
            "Live streams a second that were ended because their reader was too slow.",
            "none",
            "SequencerRateLimitedHeavily",
        )
        .size(8, 8)
        .unit(Unit::PerSecond)
        .query(&rate(&STREAM_LAGGED, &[]), "{{instance}}"),
    ]
}
