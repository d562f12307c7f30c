//! Records for tests: the sample, each verdict, empty and hostile ones.

use std::path::Path;

use crate::record::{ErrorCount, Latency, Record, Totals, Verdict};

/// Text that ends scripts, tags, tables and attributes where it is not escaped.
pub(super) const HOSTILE: &str = "</script><img src=x onerror=alert(1)>|`\"']]>&\u{1}\n# a";

pub(super) fn sample() -> Record {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample/run.json");
    Record::read(&path).unwrap()
}

/// The sample as a run that ended so.
pub(super) fn ended(verdict: Verdict) -> Record {
    let mut record = sample();
    record.verdict = verdict;
    record.exit_code = verdict.exit_code();
    record.reasons = match verdict {
        Verdict::Pass => Vec::new(),
        _ => vec![format!("because it was {}", verdict.words())],
    };
    record
}

/// A run that could not be.
pub(super) fn empty() -> Record {
    let mut record = ended(Verdict::BadConfiguration);
    record.timeline.clear();
    record.stages.clear();
    record.totals = Totals::default();
    record.latency = Latency::default();
    record.curves = Default::default();
    record.scenarios.clear();
    record.routes.clear();
    record.errors.clear();
    record.thresholds.clear();
    record.target_metrics.clear();
    record.ledger = None;
    record
}

/// One in which every free text is hostile.
pub(super) fn hostile() -> Record {
    let mut record = sample();
    let text = HOSTILE.to_owned();
    record.environment.name.clone_from(&text);
    record.environment.url.clone_from(&text);
    record.profile.name.clone_from(&text);
    record.profile.description.clone_from(&text);
    record.versions.target.clone_from(&text);
    record.thresholds[0].expression.clone_from(&text);
    record.thresholds[0].measured_text.clone_from(&text);
    record.reasons.push(text.clone());
    record.notes.push(text.clone());
    record.timeline[3].errors.insert(text.clone(), 2);
    record.errors.push(ErrorCount {
        class: text.clone(),
        meaning: text.clone(),
        count: 2,
        example: text,
    });
    record
}

/// All of them.
pub(super) fn every() -> Vec<Record> {
    let verdicts = [
        Verdict::Pass,
        Verdict::ThresholdsFailed,
        Verdict::Invalid,
        Verdict::BadConfiguration,
        Verdict::Interrupted,
    ];
    verdicts.into_iter().map(ended).chain([empty(), hostile()]).collect()
}
