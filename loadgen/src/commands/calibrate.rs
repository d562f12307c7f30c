//! `loadgen calibrate`.

use clap::Args;

use super::say;
use crate::calibrate::{Finding, LOOPBACK_SAMPLES, loopback, recorder};
use crate::record::Verdict;

/// Arguments of `loadgen calibrate`.
#[derive(Args, Debug)]
pub(super) struct CalibrateArgs {}

impl CalibrateArgs {
    pub(super) async fn run(self) -> anyhow::Result<Verdict> {
        say("recorder, known delays on a virtual clock, within 1 %");
        let mut all = recorder();
        all.iter().for_each(tell);
        say("the whole way over loopback, 64 users, within 1 % or 1 ms of the stub's own log");
        let (found, samples) = loopback().await?;
        found.iter().for_each(tell);
        let enough = samples >= LOOPBACK_SAMPLES;
        let remark = if enough { "" } else { ": too few, the machine is too slow or too busy" };
        say(&format!("  {samples} samples{remark}"));
        all.extend(found);
        let is_good = enough && all.iter().all(|finding| finding.is_good);
        say(if is_good { "calibrated" } else { "NOT calibrated: do not trust small differences" });
        Ok(if is_good { Verdict::Pass } else { Verdict::ThresholdsFailed })
    }
}

fn tell(finding: &Finding) {
    let Finding { name, truth_us, recorded_us, is_good } = finding;
    let mark = if *is_good { "good" } else { "BAD " };
    let (truth, recorded) = (truth_us / 1e3, recorded_us / 1e3);
    say(&format!("  {mark}  {name}: {recorded:.3} ms recorded, {truth:.3} ms in truth"));
}
