//! `loadgen verify`.

use std::path::PathBuf;

use clap::Args;

use super::{TargetArgs, complain, say};
use crate::caller::Caller;
use crate::ledger::{Ledger, verify};
use crate::record::Verdict;

/// Arguments of `loadgen verify`.
#[derive(Args, Debug)]
pub(super) struct VerifyArgs {
    /// The `ledger.ndjson` of a run.
    ledger: PathBuf,
    #[command(flatten)]
    target: TargetArgs,
    /// Print the summary as JSON.
    #[arg(long)]
    json: bool,
}

impl VerifyArgs {
    pub(super) async fn run(self) -> anyhow::Result<Verdict> {
        let environment = self.target.find()?;
        let key = environment.key()?;
        let ledger = Ledger::read(&self.ledger)?;
        let caller = Caller::new(&environment, Some(&key))?;
        let summary = match verify::verify(&ledger, &caller).await {
            Ok(summary) => summary,
            Err(error) => {
                complain(&format!("{error:#}"));
                return Ok(Verdict::Invalid);
            }
        };
        if self.json {
            say(&serde_json::to_string(&summary)?);
        } else {
            for problem in &summary.problems {
                say(&format!("PROBLEM    {problem}"));
            }
            if !ledger.is_closed {
                say("the ledger was cut off: events acknowledged last may not be in it");
            }
            say(&format!("acknowledged {}", summary.acknowledged));
            say(&format!("verified     {}", summary.verified));
            say(&format!("missing      {}", summary.missing));
            say(&format!("different    {}", summary.different));
            say(&format!("duplicated   {}", summary.duplicated));
            say(&format!("gaps         {}", summary.gaps));
            say(&format!("violations   {}", summary.violations));
            let words = if summary.is_sound { "verifies" } else { "does NOT verify" };
            say(&format!("the ledger {words}"));
        }
        Ok(if summary.is_sound { Verdict::Pass } else { Verdict::ThresholdsFailed })
    }
}
