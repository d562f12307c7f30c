//! Whether the log is what it claims to be: the witness's part of the sidecar's board.

use alerts::overrides::RuleSet;
use catalog::sidecar::{
    WITNESS_AUDIT_COMPLETED, WITNESS_AUDITED_EVENTS, WITNESS_CATCHING_UP, WITNESS_LAG_EVENTS,
    WITNESS_LAG_SECONDS, WITNESS_LAST_VIOLATION, WITNESS_OPEN_VIOLATIONS, WITNESS_SIGNATURE_SAMPLE,
    WITNESS_STREAMS, WITNESS_VERIFIED_EVENTS, WITNESS_VERIFIED_SEQUENCE, WITNESS_VIOLATIONS,
};

use super::{lines, plain, stat, timeline};
use crate::builder::threshold::{CRITICAL, GOOD, NEUTRAL};
use crate::builder::{Panel, Unit};
use crate::query::{rate, sum, top};

pub(super) fn panels(set: &RuleSet) -> Vec<Panel> {
    [state(set), progress(set)].concat()
}

fn state(set: &RuleSet) -> Vec<Panel> {
    let figure = |title, meaning, good, runbook| {
        stat(title, meaning, good, runbook).size(6, 4).coloured(NEUTRAL)
    };
    let since = |metric| format!("{} * 1000", plain(metric));
    vec![
        stat(
            "Open violations",
            "Violations of every kind that nobody has acknowledged.",
            "0",
            "WitnessViolation",
        )
        .size(6, 4)
        .query(&sum("", &plain(&WITNESS_OPEN_VIOLATIONS)), "open")
        .coloured_by(set, &["WitnessViolation"]),
        figure(
            "Last violation",
            "When the last violation was found.",
            "nothing",
            "WitnessViolation",
        )
        .unit(Unit::FromNow)
        .coloured(CRITICAL)
        .query(&since(&WITNESS_LAST_VIOLATION), "{{instance}}")
        .empty_when("there was no violation"),
        figure(
            "Whole history read",
            "When the whole history was last read again to its end.",
            "not longer ago than it takes",
            "WitnessLagging",
        )
        .unit(Unit::FromNow)
        .query(&since(&WITNESS_AUDIT_COMPLETED), "{{instance}}")
        .empty_when("the history was not read to its end yet"),
        figure(
            "Streams watched",
            "Streams that the witness follows.",
            "every stream",
            "WitnessStale",
        )
        .query(&plain(&WITNESS_STREAMS), "{{instance}}"),
        Panel::of_alerts(set, "Open violations by kind", &["WitnessViolation"])
            .legend("{{kind}} {{instance}}")
            .size(8, 8),
        Panel::of_alerts(set, "Heads rolled back", &["WitnessHeadRolledBack"]).size(8, 8),
        lines(
            "Violations found",
            "Violations a second, by kind: is it still going on?",
            "none",
            "WitnessViolation",
        )
        .size(8, 8)
        .unit(Unit::PerSecond)
        .query(&sum("kind", &rate(&WITNESS_VIOLATIONS, &[])), "{{kind}}"),
    ]
}

fn progress(set: &RuleSet) -> Vec<Panel> {
    vec![
        Panel::of_alerts(set, "Time since the witness looked", &["WitnessStale"]).size(8, 8),
        Panel::of_alerts(set, "Age of the oldest unverified event", &["WitnessLagging"]).size(8, 8),
        lines(
            "Time to catch up",
            "Time that the backlog takes at the present speed.",
            "near 0",
            "WitnessLagging",
        )
        .size(8, 8)
        .unit(Unit::Seconds)
        .query(&plain(&WITNESS_LAG_SECONDS), "{{instance}}"),
        lines(
            "Unverified events",
            "Events below the heads that are not verified yet.",
            "near 0",
            "WitnessLagging",
        )
        .size(8, 8)
        .query(&plain(&WITNESS_LAG_EVENTS), "{{instance}}"),
        lines(
            "Speed of the witness",
            "Events a second verified at the tail, and read again from the whole history.",
            "the tail follows the traffic; the audit never stops",
            "WitnessLagging",
        )
        .size(8, 8)
        .unit(Unit::PerSecond)
        .query(&rate(&WITNESS_VERIFIED_EVENTS, &[]), "tail {{instance}}")
        .query(&rate(&WITNESS_AUDITED_EVENTS, &[]), "history {{instance}}"),
        lines(
            "Verified up to",
            "Highest verified number of the ten longest streams.",
            "follows the heads",
            "WitnessHeadRolledBack",
        )
        .size(8, 8)
        .unit(Unit::Exact)
        .query(
            &top(&format!("max by (tenant, store) ({})", plain(&WITNESS_VERIFIED_SEQUENCE))),
            "{{tenant}} {{store}}",
        ),
        timeline(
            "Catching up",
            "1 while the witness works through history that was there before it.",
            "only after its first start",
            "WitnessLagging",
        )
        .query(&plain(&WITNESS_CATCHING_UP), "{{instance}}")
        .states(&[(1.0, "catches up", NEUTRAL), (0.0, "follows", GOOD)]),
        stat(
            "Verified signatures",
            "Share of the events whose signatures are verified; hashes, numbers and roots always \
             are.",
            "100 %, unless a sample was asked for",
            "WitnessViolation",
        )
        .size(12, 6)
        .unit(Unit::Ratio)
        .coloured(NEUTRAL)
        .query(&plain(&WITNESS_SIGNATURE_SAMPLE), "{{instance}}"),
    ]
}
