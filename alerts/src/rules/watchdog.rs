//! The alert that always fires: its absence says that alerting itself is broken.

use super::{Place, is};
use crate::rule::Rule;
use crate::rule::Severity::Info;

const PLACE: Place = Place { group: "watchdog", board: "stateset-overview" };

pub(super) fn rule() -> Rule {
    PLACE.rule(
        "Watchdog",
        Info,
        is("vector(1)", 1.0, 0),
        "Alerting works.",
        "This alert always fires. Send it to a service that pages when it stops coming.",
    )
}
