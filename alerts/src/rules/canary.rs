//! The path of an event, as a client walks it.

use catalog::sidecar::{CANARY_LAST_SUCCESS, CANARY_SUCCESS};

use super::{MINUTE, Place, above, is};
use crate::promql::series;
use crate::rule::Rule;
use crate::rule::Severity::Critical;
use crate::rule::Unit::AgeSeconds;

const PLACE: Place = Place { group: "canary", board: "stateset-sidecar" };

/// What follows from a broken path.
const BROKEN_PATH: &[&str] = &[
    "CanaryStale",
    "SequencerReachabilityBudgetBurn1h",
    "SequencerReachabilityBudgetBurn6h",
    "SequencerReachabilityBudgetBurn1d",
    "SequencerReachabilityBudgetBurn3d",
];

pub(super) fn rules() -> Vec<Rule> {
    let age = format!("time() - {}", series(&CANARY_LAST_SUCCESS, &[]));
    vec![
        PLACE
            .rule(
                "CanaryFailing",
                Critical,
                is(series(&CANARY_SUCCESS, &[]), 0.0, 2 * MINUTE),
                "A signed event does not make its way through the sequencer.",
                "The canary of {{ $labels.instance }} posts an event, verifies its receipt, reads \
                 it back and proves it; a step fails.",
            )
            .brings(BROKEN_PATH),
        PLACE.rule(
            "CanaryStale",
            Critical,
            above(age, 180.0, AgeSeconds, 2 * MINUTE),
            "No event was seen to make its way through the sequencer for minutes.",
            "The last good round of the canary of {{ $labels.instance }} was {value} ago.",
        ),
    ]
}
