//! The record of a run, `run.json`: all that a report, a comparison or a later reader needs.
//!
//! It holds no secret and knows no clock. Times are microseconds where a name ends in `_us`;
//! `seconds` count from the start of the load.

mod load;
mod outcome;
mod target;

use std::path::Path;

use anyhow::Context as _;
use serde::{Deserialize, Serialize};

pub use load::{
    CurvePoint, Curves, ErrorCount, Generator, Latency, Quantiles, RouteTotals, ScenarioTotals,
    Second, Stage, Totals,
};
pub use outcome::{LedgerSummary, Signing, SigningMode, Threshold, ThresholdVerdict, Verdict};
pub use target::{Environment, MetricPoint, MetricSeries, Model, Profile, Versions};

/// The version of this shape; a reader refuses what is newer.
pub const FORMAT: u32 = 1;

/// Everything about one run.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub struct Record {
    /// [`FORMAT`] of the program that wrote it.
    pub format: u32,
    /// How it ended, in one word.
    pub verdict: Verdict,
    /// The same as an exit code.
    pub exit_code: u8,
    /// Why, in sentences; empty for a pass.
    pub reasons: Vec<String>,
    /// What was asked for.
    pub profile: Profile,
    /// Where it was sent.
    pub environment: Environment,
    /// Repeats the run.
    pub seed: u64,
    /// What was running on both sides.
    pub versions: Versions,
    /// RFC 3339, UTC: the load began.
    pub started_at: String,
    /// RFC 3339, UTC: the last answer had come or was given up.
    pub ended_at: String,
    /// Between the two.
    pub duration_seconds: f64,
    /// Parts of the run, in order.
    pub stages: Vec<Stage>,
    /// One entry a second.
    pub timeline: Vec<Second>,
    /// Sums over the run.
    pub totals: Totals,
    /// The same by scenario, by name.
    pub scenarios: Vec<ScenarioTotals>,
    /// The same by route, by scenario and name.
    pub routes: Vec<RouteTotals>,
    /// Failed attempts and refused events by class, the most frequent first.
    pub errors: Vec<ErrorCount>,
    /// Quantiles over all requests that were answered, good or bad.
    pub latency: Latency,
    /// The same as curves over the percentile.
    pub curves: Curves,
    /// How the generator itself did.
    pub generator: Generator,
    /// In the order of the profile.
    pub thresholds: Vec<Threshold>,
    /// What became of the acknowledged events; absent when the run posted none.
    pub ledger: Option<LedgerSummary>,
    /// When events were signed.
    pub signing: Signing,
    /// The target's own metrics over the same time line; empty when they cannot be reached.
    pub target_metrics: Vec<MetricSeries>,
    /// What a reader should know: overrides, what was not reachable, what was left out.
    pub notes: Vec<String>,
}

impl Record {
    /// Reads a record.
    ///
    /// # Errors
    /// When the file cannot be read, is no record, or is of a newer format.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let record: Self =
            serde_json::from_str(&text).with_context(|| format!("{name} is no record of a run"))?;
        let format = record.format;
        anyhow::ensure!(
            format <= FORMAT,
            "{name} has format {format}; this program knows {FORMAT}"
        );
        Ok(record)
    }

    /// Writes it, whole or not at all.
    ///
    /// # Errors
    /// When the folder cannot be written.
    pub fn write(&self, path: &Path) -> anyhow::Result<()> {
        let name = path.display();
        let text = serde_json::to_string_pretty(self).context("a record is JSON")?;
        let unfinished = path.with_extension("json.part");
        std::fs::write(&unfinished, text + "\n")
            .and_then(|()| std::fs::rename(&unfinished, path))
            .with_context(|| format!("cannot write {name}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> std::path::PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample/run.json")
    }

    #[test]
    fn a_record_comes_back_as_it_was_written() {
        let record = Record::read(&sample()).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("run.json");
        record.write(&copy).unwrap();
        assert_eq!(Record::read(&copy).unwrap(), record);
        let text = std::fs::read_to_string(sample()).unwrap();
        assert!(std::fs::read_to_string(&copy).unwrap() == text, "the sample is not as written");
    }

    #[test]
    fn what_is_no_record_or_too_new_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("run.json");
        let newer = std::fs::read_to_string(sample()).unwrap();
        let newer = newer.replacen("\"format\": 1", "\"format\": 2", 1);
        for (text, expect) in [("{}", "no record of a run"), (newer.as_str(), "has format 2")] {
            std::fs::write(&path, text).unwrap();
            let error = format!("{:#}", Record::read(&path).unwrap_err());
            assert!(error.contains(expect), "{error}");
        }
        let missing = Record::read(&folder.path().join("none.json")).unwrap_err();
        assert!(missing.to_string().contains("cannot read"), "{missing}");
    }
}
