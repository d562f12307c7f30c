//! Figures as people read them, alike in every report.

use crate::record::{LedgerSummary, Record, ThresholdVerdict, Verdict};

/// A latency: three figures at most, in the unit that fits.
pub(super) fn latency(micros: f64) -> String {
    match micros {
        us if us < 999.5 => format!("{us:.0} us"),
        us if us < 99_950.0 => format!("{:.1} ms", us / 1e3),
        us if us < 999_500.0 => format!("{:.0} ms", us / 1e3),
        us => format!("{:.2} s", us / 1e6),
    }
}

/// A latency of a distribution; one without a sample has none.
pub(super) fn quantile(samples: u64, micros: u64) -> String {
    if samples == 0 { "no sample".to_owned() } else { latency(micros as f64) }
}

/// So many a second.
pub(super) fn rate(value: f64) -> String {
    if value >= 1000.0 { format!("{value:.0}/s") } else { format!("{value:.1}/s") }
}

/// A share; small ones keep their digits.
pub(super) fn share(ratio: f64) -> String {
    match ratio * 100.0 {
        0.0 => "0 %".to_owned(),
        percent if percent < 1.0 => format!("{percent:.3} %"),
        percent => format!("{percent:.2} %"),
    }
}

/// Of a threshold.
pub(super) fn threshold_word(verdict: ThresholdVerdict) -> &'static str {
    match verdict {
        ThresholdVerdict::Pass => "held",
        ThresholdVerdict::Fail => "did not hold",
        ThresholdVerdict::NoData => "nothing to measure",
    }
}

/// Whether the run says anything about its target.
pub(super) fn is_valid(verdict: Verdict) -> bool {
    matches!(verdict, Verdict::Pass | Verdict::ThresholdsFailed)
}

/// What became of the acknowledged events, in a sentence.
pub(super) fn ledger(record: &Record) -> String {
    match &record.ledger {
        Some(ledger) if ledger.is_sound => {
            format!("all {} acknowledged events were read back and verify", ledger.acknowledged)
        }
        Some(ledger) => {
            format!(
                "NOT sound: {} of {} acknowledged events verified{}",
                ledger.verified,
                ledger.acknowledged,
                losses(ledger)
            )
        }
        None if record.totals.events > 0 => "was not read back".to_owned(),
        None => "no event was acknowledged, so there is none to read back".to_owned(),
    }
}

fn losses(ledger: &LedgerSummary) -> String {
    let counts = [
        (ledger.missing, "missing"),
        (ledger.different, "different"),
        (ledger.duplicated, "duplicated"),
        (ledger.gaps, "gaps"),
        (ledger.violations, "violations"),
    ];
    let found = counts.into_iter().filter(|(count, _)| *count > 0);
    found.map(|(count, word)| format!(", {count} {word}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_keep_the_digits_that_matter() {
        for (micros, text) in [
            (0.0, "0 us"),
            (420.0, "420 us"),
            (7824.0, "7.8 ms"),
            (99_960.0, "100 ms"),
            (999_700.0, "1.00 s"),
        ] {
            assert_eq!(latency(micros), text);
        }
        assert_eq!(quantile(0, 0), "no sample");
        assert_eq!([share(0.0), share(0.00354), share(0.5)], ["0 %", "0.354 %", "50.00 %"]);
        assert_eq!([rate(44.84), rate(9999.7)], ["44.8/s", "10000/s"]);
    }
}
