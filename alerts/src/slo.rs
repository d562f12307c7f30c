//! Burn-rate alerts of the objectives: multi-window, multi-burn-rate, as in the SRE Workbook,
//! chapter 5.
//!
//! The good and the bad are recorded per job and instance as rates over five minutes, never as
//! ratios; a long window sums those samples, so it weighs each minute by its traffic and costs one
//! series an instance, however many routes there are.

use catalog::sequencer::{COMMITMENT_DELAY, ERRORS, INGEST_SUCCESS_DURATION, REQUESTS};
use catalog::sidecar::CANARY_ATTEMPTS;
use catalog::slo::{
    AVAILABILITY, ERROR_RATE, FRESHNESS, INGEST_LATENCY, INGEST_LATENCY_FAST, Objective,
    REACHABILITY, WINDOW_DAYS,
};

use crate::promql::{at_or_below, count, series};
use crate::rule::{Comparison, Decimal, Guard, Rule, Severity, Unit, duration};
use crate::rules::NOT_TRAFFIC;

const MINUTE: u32 = 60;
const HOUR: u32 = 60 * MINUTE;
const DAY: u32 = 24 * HOUR;

/// Routes whose requests the availability promises: events, commitments and proofs.
const PROMISED: &str = "/api/v1/ves/.*";
/// Measured to its first byte, under its own metric.
const STREAM: &str = "/api/v1/ves/events/stream";

/// Alerts about errors at a shorter sight.
const ERRORS_SEEN: &[&str] = &["SequencerHighErrorRate", "SequencerErrorRatioHigh"];

/// A recorded series.
#[derive(Clone, Debug)]
pub struct Recording {
    /// `job_instance:<objective>_<bad or total>:rate5m`.
    pub record: String,
    /// What is recorded.
    pub expression: String,
}

/// What is counted for an objective.
pub struct Indicator {
    /// The objective.
    pub objective: Objective,
    /// Its name inside an alert's name.
    alert: &'static str,
    /// Counters of bad and of all events, without `rate`.
    bad: Bad,
    total: String,
    /// Bad events that a window must be able to hold before it may fire.
    minimum_errors: f64,
    /// Only tickets: nobody gets up for it.
    tickets_only: bool,
    /// Indicator that the same fault spoils too, by its name inside an alert's name.
    spoils: Option<&'static str>,
    /// Alerts about the same at a shorter sight.
    brings: &'static [&'static str],
    summary: &'static str,
}

enum Bad {
    Counter(String),
    /// All but those at or below the bound.
    Above(String),
}

/// A long and a short window that must both burn.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Long window, seconds.
    pub long: u32,
    /// Short window, seconds: ends the alert soon after the fault.
    pub short: u32,
    /// Multiple of the speed at which the budget lasts the whole period.
    pub burn: f64,
    /// What is done about it.
    pub severity: Severity,
}

/// `burn = budget × period / long`: 2 %, 5 %, 10 % and 10 % of 30 days.
pub const PAIRS: &[Pair] = &[
    Pair { long: HOUR, short: 5 * MINUTE, burn: 14.4, severity: Severity::Critical },
    Pair { long: 6 * HOUR, short: 30 * MINUTE, burn: 6.0, severity: Severity::Critical },
    Pair { long: DAY, short: 2 * HOUR, burn: 3.0, severity: Severity::Warning },
    Pair { long: 3 * DAY, short: 6 * HOUR, burn: 1.0, severity: Severity::Warning },
];

/// What is counted for each objective.
#[must_use]
pub fn indicators() -> Vec<Indicator> {
    let [latency, fast] = latencies();
    vec![availability(), reachability(), latency, fast, errors(), freshness()]
}

fn availability() -> Indicator {
    let promised = [("route", "=~", PROMISED), ("route", "!=", STREAM)];
    let failed = [promised[0], promised[1], ("status", "=~", "5..")];
    Indicator {
        objective: AVAILABILITY,
        alert: "Availability",
        bad: Bad::Counter(series(&REQUESTS, &failed)),
        total: series(&REQUESTS, &promised),
        minimum_errors: 10.0,
        tickets_only: false,
        spoils: Some("Error"),
        brings: ERRORS_SEEN,
        summary: "Requests fail so often that the availability budget is being used up.",
    }
}

fn reachability() -> Indicator {
    Indicator {
        objective: REACHABILITY,
        alert: "Reachability",
        bad: Bad::Counter(series(&CANARY_ATTEMPTS, &[("outcome", "=", "failure")])),
        total: series(&CANARY_ATTEMPTS, &[]),
        // There are 240 rounds an hour: a floor of ten failures could never be reached.
        minimum_errors: 1.0,
        tickets_only: false,
        spoils: None,
        brings: &[],
        summary: "The canary fails so often that the reachability budget is being used up.",
    }
}

fn latencies() -> [Indicator; 2] {
    let indicator = |objective: Objective, alert, spoils, summary| Indicator {
        spoils,
        brings: &["SequencerHighLatency", "SequencerLatencyAboveSla"],
        bad: Bad::Above(at_or_below(&INGEST_SUCCESS_DURATION, bound(&objective))),
        total: count(&INGEST_SUCCESS_DURATION),
        minimum_errors: 10.0,
        tickets_only: false,
        objective,
        alert,
        summary,
    };
    [
        indicator(
            INGEST_LATENCY,
            "IngestLatency",
            Some("IngestLatencyFast"),
            "So many ingest requests take above 500 ms that their budget is being used up.",
        ),
        indicator(
            INGEST_LATENCY_FAST,
            "IngestLatencyFast",
            None,
            "So many ingest requests take above 50 ms that their budget is being used up.",
        ),
    ]
}

fn errors() -> Indicator {
    let ours = [("category", "=~", "database|anchor|internal")];
    Indicator {
        objective: ERROR_RATE,
        alert: "Error",
        bad: Bad::Counter(series(&ERRORS, &ours)),
        total: series(&REQUESTS, &[("route", "!~", NOT_TRAFFIC)]),
        minimum_errors: 10.0,
        tickets_only: false,
        spoils: None,
        brings: ERRORS_SEEN,
        summary: "Errors of ours are so many that their budget is being used up.",
    }
}

fn freshness() -> Indicator {
    Indicator {
        objective: FRESHNESS,
        alert: "Freshness",
        bad: Bad::Above(at_or_below(&COMMITMENT_DELAY, bound(&FRESHNESS))),
        total: count(&COMMITMENT_DELAY),
        minimum_errors: 10.0,
        tickets_only: true,
        spoils: None,
        brings: &["SequencerCommitmentLagging"],
        summary: "So many events wait above 60 s for their batch that the budget is being used up.",
    }
}

fn bound(objective: &Objective) -> f64 {
    objective.bound_seconds.expect("an objective about time has a bound")
}

/// The recorded series of all objectives.
#[must_use]
pub fn recordings() -> Vec<Recording> {
    let of = |indicator: &Indicator| {
        let name = indicator.objective.name;
        let rate = |counter: &str| format!("sum by (job, instance) (rate({counter}[5m]))");
        let total = rate(&indicator.total);
        let bad = match &indicator.bad {
            Bad::Counter(bad) => rate(bad),
            Bad::Above(good) => format!("{total} - {}", rate(good)),
        };
        [
            Recording { record: recorded(name, "bad"), expression: bad },
            Recording { record: recorded(name, "total"), expression: total },
        ]
    };
    indicators().iter().flat_map(of).collect()
}

/// Name of a recorded series.
#[must_use]
pub fn recorded(objective: &str, what: &str) -> String {
    format!("job_instance:{objective}_{what}:rate5m")
}

/// The share of bad events over a window.
#[must_use]
pub fn ratio(objective: &str, window: &str) -> String {
    let sum = |what| format!("sum(sum_over_time({}[{window}]))", recorded(objective, what));
    format!("{} / {}", sum("bad"), sum("total"))
}

/// Error share above which a pair fires, as an exact decimal.
///
/// # Errors
/// When it is 1 or more: such a pair can never fire.
pub fn threshold(objective: &Objective, pair: &Pair) -> Result<f64, String> {
    let share = pair.burn * (1.0 - objective.target_ratio);
    let share: f64 = Decimal(share).to_string().parse().unwrap_or(share);
    if share >= 1.0 {
        let (name, burn) = (objective.name, pair.burn);
        return Err(format!("{name}: a burn rate of {burn} is an error share of {share}"));
    }
    Ok(share)
}

/// The burn-rate alerts of all objectives.
///
/// # Panics
/// When a pair of the constants above can never fire, which a test would say first.
#[must_use]
pub fn rules() -> Vec<Rule> {
    let mut rules = Vec::new();
    for indicator in indicators() {
        let pairs = PAIRS
            .iter()
            .filter(|pair| !indicator.tickets_only || pair.severity < Severity::Critical);
        let pairs: Vec<&Pair> = pairs.collect();
        for (place, pair) in pairs.iter().enumerate() {
            let mut rule = rule(&indicator, pair).unwrap_or_else(|mistake| panic!("{mistake}"));
            // One fault burns every window; the quickest says so.
            let slower = pairs[place + 1..].iter();
            rule.consequences = slower.map(|pair| name(indicator.alert, pair)).collect();
            if let Some(spoiled) = indicator.spoils {
                let too = pairs[place..].iter().map(|pair| name(spoiled, pair));
                rule.consequences.extend(too);
            }
            rule.consequences.extend(indicator.brings.iter().map(|name| (*name).to_owned()));
            rules.push(rule);
        }
    }
    rules
}

fn name(indicator: &str, pair: &Pair) -> String {
    format!("Sequencer{indicator}BudgetBurn{}", duration(pair.long))
}

fn rule(indicator: &Indicator, pair: &Pair) -> Result<Rule, String> {
    let objective = &indicator.objective;
    let threshold = threshold(objective, pair)?;
    let (long, short) = (duration(pair.long), duration(pair.short));
    let total = recorded(objective.name, "total");
    let floor = (indicator.minimum_errors / threshold).ceil();
    let enough =
        format!("sum(avg_over_time({total}[{long}])) * {} > {}", pair.long, Decimal(floor));
    // A Prometheus that has begun just now knows minutes of a long window; a few bad ones are no
    // page. It judges once it knows more than the short window.
    let known = |window: &str| format!("max(count_over_time({total}[{window}]))");
    let old = format!("{} > {}", known(&long), known(&short));
    let floor = format!("and ({enough}) and ({old})");
    let gone_days = f64::from(WINDOW_DAYS) / pair.burn;
    let gone = if gone_days < 3.0 {
        format!("{} hours", Decimal((gone_days * 24.0).round()))
    } else {
        format!("{} days", Decimal((gone_days * 10.0).round() / 10.0))
    };
    Ok(Rule {
        name: name(indicator.alert, pair),
        group: "slo",
        enabled: true,
        severity: pair.severity,
        for_seconds: 0,
        left: ratio(objective.name, &long),
        comparison: Comparison::Above,
        threshold,
        unit: Unit::Ratio,
        guard: Guard::Window { left: ratio(objective.name, &short), floor },
        summary: indicator.summary,
        description: format!(
            "{{value}} of the last {long} was bad; {}. At this rate the {WINDOW_DAYS}-day budget \
             is gone in {gone}.",
            objective.promise
        ),
        board: "stateset-slo",
        objective: Some(objective.name),
        consequences: Vec::new(),
        labels: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pair_that_can_never_fire_is_refused() {
        let lax = Objective { target_ratio: 0.9, ..AVAILABILITY };
        assert!(threshold(&lax, &PAIRS[0]).is_err());
        assert_eq!(threshold(&AVAILABILITY, &PAIRS[0]), Ok(0.0072));
        assert_eq!(threshold(&INGEST_LATENCY_FAST, &PAIRS[0]), Ok(0.72));
    }

    /// budget = burn × long / period.
    #[test]
    fn the_pairs_spend_what_they_should() {
        let spent = |pair: &Pair| pair.burn * f64::from(pair.long) / f64::from(30 * DAY);
        let spent: Vec<String> =
            PAIRS.iter().map(|pair| Decimal(spent(pair)).to_string()).collect();
        assert_eq!(spent, ["0.02", "0.05", "0.1", "0.1"]);
    }

    /// A floor of events that never come would keep a rule silent for ever.
    #[test]
    fn the_canary_has_enough_rounds_for_its_floors() {
        let rounds_an_hour = 3600.0 / 15.0;
        for pair in PAIRS {
            let floor = 1.0 / threshold(&REACHABILITY, pair).unwrap_or(1.0);
            assert!(floor < rounds_an_hour * f64::from(pair.long) / 3600.0, "{pair:?}: {floor}");
        }
    }
}
