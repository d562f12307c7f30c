//! What makes each alert fire, in literals: nothing here is read from the rules. The burn rates
//! follow from numbers: see `burn`.

mod sequencer;
mod sidecar;

/// A fault by its series, at three strengths.
pub(crate) struct Case {
    pub(crate) alert: &'static str,
    pub(crate) severity: &'static str,
    /// Minutes for which the fault must last.
    pub(crate) minutes: u32,
    /// Seconds after which the strong fault is seen: two samples, where a rate is asked for.
    pub(crate) seen_after: u32,
    /// Minutes at which the weak strengths are looked at.
    pub(crate) late_minutes: u32,
    /// Labels of the alert that come from its expression.
    pub(crate) labels: &'static [(&'static str, &'static str)],
    /// The value as the description shows it, of the strong fault at the moment of firing.
    pub(crate) value: &'static str,
    /// Series, and their values: not enough, just enough, strong.
    pub(crate) fault: &'static [(&'static str, [&'static str; 3])],
}

const SEQUENCER: &[(&str, &str)] = &[("job", "stateset-sequencer"), ("instance", "seq-0")];
const SIDECAR: &[(&str, &str)] = &[("job", "stateset-sidecar"), ("instance", "seq-0")];

const GAUGE: Case = Case {
    alert: "",
    severity: "warning",
    minutes: 5,
    seen_after: 0,
    late_minutes: 12,
    labels: SEQUENCER,
    value: "",
    fault: &[],
};
/// A rate over five minutes passes a near threshold only when its window is full.
const RATE: Case = Case { seen_after: 15, late_minutes: 15, ..GAUGE };

/// Every alert but the burn rates and the watchdog.
pub(crate) fn all() -> impl Iterator<Item = &'static Case> {
    sequencer::CASES.iter().chain(sidecar::CASES)
}
