//! The sidecar, and what only it sees of the machine.

use catalog::JOB_SIDECAR;
use catalog::sequencer::{CGROUP_MEMORY, CGROUP_MEMORY_LIMIT, MEMORY_PRESSURE};
use catalog::sidecar::{CHECK_LAST_RUN, CHECK_STATUS, CLOCK_SKEW, TLS_EXPIRY};

use super::{MINUTE, Place, above, below, is};
use crate::promql::{series, up};
use crate::rule::Rule;
use crate::rule::Severity::{Critical, Warning};
use crate::rule::Unit::{AgeSeconds, Ratio, Seconds};

const PLACE: Place = Place { group: "sidecar", board: "stateset-sidecar" };
const DAY_SECONDS: f64 = 86_400.0;

pub(super) fn rules() -> Vec<Rule> {
    [the_sidecar(), the_machine()].concat()
}

fn the_sidecar() -> Vec<Rule> {
    let up = up(JOB_SIDECAR);
    let status = series(&CHECK_STATUS, &[]);
    vec![
        PLACE
            .rule(
                "SidecarDown",
                Warning,
                is(format!("(min({up}) or vector(0))"), 0.0, 2 * MINUTE),
                "A sidecar cannot be scraped.",
                "A sidecar, or every one, does not answer: nobody watches its sequencer from \
                 outside. Events are not affected.",
            )
            .brings(&["SidecarMetricsAbsent"]),
        PLACE.rule(
            "SidecarMetricsAbsent",
            Warning,
            is(format!("({up} unless on (job, instance) {status})"), 1.0, 2 * MINUTE),
            "A sidecar is scraped without its own metrics.",
            "{{ $labels.instance }} answers the scrape, but shows no check.",
        ),
        PLACE.rule(
            "SidecarChecksStale",
            Warning,
            above(
                format!("time() - {}", series(&CHECK_LAST_RUN, &[])),
                60.0,
                AgeSeconds,
                2 * MINUTE,
            ),
            "A check of the sidecar does not run any more.",
            "The check {{ $labels.check }} of {{ $labels.instance }} ran {value} ago; its result \
             is old.",
        ),
    ]
}

fn the_machine() -> Vec<Rule> {
    let memory = format!("{} / {}", series(&CGROUP_MEMORY, &[]), series(&CGROUP_MEMORY_LIMIT, &[]));
    let left = format!("{} - time()", series(&TLS_EXPIRY, &[]));
    vec![
        PLACE.rule(
            "SequencerMemoryPressure",
            Warning,
            above(memory, 0.9, Ratio, 5 * MINUTE),
            "The sequencer is near its memory limit.",
            "{{ $labels.instance }} uses {value} of its memory limit; at 100 % the kernel kills \
             it.",
        ),
        PLACE.rule(
            "SequencerMemoryStalled",
            Warning,
            above(series(&MEMORY_PRESSURE, &[]), 0.1, Ratio, 5 * MINUTE),
            "The sequencer waits for memory.",
            "In {value} of the last minute a task on the machine of {{ $labels.instance }} waited \
             for memory.",
        ),
        PLACE.rule(
            "SequencerTlsCertificateExpiring",
            Warning,
            below(&left, 14.0 * DAY_SECONDS, Seconds, 5 * MINUTE),
            "A certificate ends within two weeks.",
            "The first certificate to end does so in {value}.",
        ),
        PLACE
            .rule(
                "SequencerTlsCertificateEnding",
                Critical,
                below(&left, 2.0 * DAY_SECONDS, Seconds, 5 * MINUTE),
                "A certificate ends within two days.",
                "The first certificate to end does so in {value}; then clients refuse to connect.",
            )
            .brings(&["SequencerTlsCertificateExpiring"]),
        PLACE.rule(
            "SequencerClockSkew",
            Warning,
            above(format!("abs({})", series(&CLOCK_SKEW, &[])), 1.0, Seconds, 5 * MINUTE),
            "Two clocks differ.",
            "The clock of the {{ $labels.source }} differs by {value} from that of the sidecar of \
             {{ $labels.instance }}.",
        ),
    ]
}
