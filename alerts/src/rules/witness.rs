//! Whether the log is what it claims to be, and whether anybody looks.

use catalog::sidecar::{
    WITNESS_CATCHING_UP, WITNESS_LAST_POLL, WITNESS_OLDEST_UNVERIFIED_AGE, WITNESS_OPEN_VIOLATIONS,
};

use super::{MINUTE, Place, above};
use crate::promql::series;
use crate::rule::Rule;
use crate::rule::Severity::{Critical, Warning};
use crate::rule::Unit::{AgeSeconds, Count};

const PLACE: Place = Place { group: "witness", board: "stateset-sidecar" };

pub(super) fn rules() -> Vec<Rule> {
    let open = |operator| series(&WITNESS_OPEN_VIOLATIONS, &[("kind", operator, "rollback")]);
    let age = series(&WITNESS_OLDEST_UNVERIFIED_AGE, &[]);
    let poll = series(&WITNESS_LAST_POLL, &[]);
    let catching_up = series(&WITNESS_CATCHING_UP, &[]);
    vec![
        PLACE.rule(
            "WitnessViolation",
            Critical,
            above(open("!="), 0.0, Count, 0),
            "The log is not what it claims to be.",
            "The witness of {{ $labels.instance }} holds {value} open violations of kind \
             {{ $labels.kind }}. They end only by `sidecar witness acknowledge`.",
        ),
        PLACE
            .rule(
                "WitnessHeadRolledBack",
                Critical,
                above(open("="), 0.0, Count, 0),
                "The log is shorter than it was.",
                "The head of {value} streams is lower than the witness of {{ $labels.instance }} \
                 has seen it: a backup was restored, or events were removed.",
            )
            .brings(&["WitnessViolation"]),
        PLACE.rule(
            "WitnessStale",
            Critical,
            above(format!("time() - {poll}"), 120.0, AgeSeconds, 2 * MINUTE),
            "Nobody watches the log.",
            "The witness of {{ $labels.instance }} read the heads {value} ago.",
        ),
        PLACE
            .rule(
                "WitnessLagging",
                Warning,
                above(age, 300.0, AgeSeconds, 5 * MINUTE),
                "The witness is behind the log.",
                "The oldest event that {{ $labels.instance }} has not verified is {value} old.",
            )
            .guarded(format!("and on (job, instance) ({catching_up} == 0)")),
    ]
}
