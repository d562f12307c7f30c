//! Descriptors of the sequencer's process: without a free one it takes no connection.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use catalog::sequencer::{FILE_DESCRIPTOR_LIMIT, OPEN_FILE_DESCRIPTORS};

use super::own::OwnGauges;
use super::probe::{Outcome, Probe};
use super::words::percent;
use crate::app::Core;
use crate::process::Process;

const WARN_RATIO: f64 = 0.8;
const FAIL_RATIO: f64 = 0.9;

pub(super) struct FileDescriptors {
    pub(super) core: Arc<Core>,
    pub(super) process: Process,
}

#[async_trait]
impl Probe for FileDescriptors {
    fn check(&self) -> Check {
        Check::FileDescriptors
    }

    async fn look(&self) -> Outcome {
        let seen = self.process.identity();
        let looked = seen.as_ref().ok().and_then(|identity| identity.descriptors());
        if let Some(both) = looked {
            return judge(both.open as f64, both.limit as f64, "of its process");
        }
        match self.ask().await {
            Ok((open, limit)) => judge(open, limit, "by its own metrics"),
            Err(reason) => {
                let unseen = seen.err().unwrap_or_else(|| "its process may not be read".to_owned());
                Outcome::unknown(format!("{unseen}; {reason}"))
            }
        }
    }
}

impl FileDescriptors {
    async fn ask(&self) -> Result<(f64, f64), String> {
        let gauges = OwnGauges::ask(&self.core).await?;
        Ok((gauges.get(OPEN_FILE_DESCRIPTORS.name)?, gauges.get(FILE_DESCRIPTOR_LIMIT.name)?))
    }
}

fn judge(open: f64, limit: f64, source: &str) -> Outcome {
    let ratio = if limit > 0.0 { open / limit } else { 1.0 };
    let used = format!("{open} of {limit} are open ({}), {source}", percent(ratio));
    match ratio {
        ratio if ratio >= FAIL_RATIO => {
            Outcome::fail(format!("{used}; the limit of this check is {}", percent(FAIL_RATIO)))
        }
        ratio if ratio >= WARN_RATIO => {
            Outcome::warn(format!("{used}; the limit of this check is {}", percent(WARN_RATIO)))
        }
        _ => Outcome::ok(used),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    #[test]
    fn few_free_descriptors_are_said() {
        for (open, expect) in
            [(79.0, Status::Ok), (80.0, Status::Warn), (89.0, Status::Warn), (90.0, Status::Fail)]
        {
            let outcome = judge(open, 100.0, "of its process");
            assert_eq!(outcome.status, expect, "{}", outcome.reason);
            assert!(outcome.reason.starts_with(&format!("{open} of 100 are open")));
        }
        assert_eq!(judge(0.0, 0.0, "").status, Status::Fail, "no descriptor may be opened");
    }
}
