//! Memory of the sequencer's control group, and whether tasks wait for memory.

use std::sync::Arc;

use async_trait::async_trait;
use catalog::label::Check;
use catalog::sequencer::{CGROUP_MEMORY, CGROUP_MEMORY_LIMIT};

use super::own::OwnGauges;
use super::probe::{Outcome, Probe};
use super::words::{bytes, percent};
use crate::app::Core;
use crate::process::{MachineMemory, Process, memory_of_process, pressure_ratio};

const WARN_RATIO: f64 = 0.8;
const FAIL_RATIO: f64 = 0.9;
/// Share of a minute in which a task waited for memory.
const WARN_PRESSURE_RATIO: f64 = 0.1;

pub(super) struct Memory {
    pub(super) core: Arc<Core>,
    pub(super) process: Process,
}

/// What is used of what.
struct Use {
    used_bytes: u64,
    limit_bytes: u64,
    whose: &'static str,
}

#[async_trait]
impl Probe for Memory {
    fn check(&self) -> Check {
        Check::Memory
    }

    async fn look(&self) -> Outcome {
        let looked = self.look_from_here();
        let found = match looked {
            Some(found) => Ok(found),
            None => self.ask().await,
        };
        match found {
            Ok(found) => judge(&found, pressure_ratio()),
            Err(reason) => Outcome::unknown(reason),
        }
    }
}

impl Memory {
    fn look_from_here(&self) -> Option<Use> {
        let machine = MachineMemory::read()?;
        let identity = self.process.identity().ok()?;
        let group = memory_of_process(identity.pid, machine.total_bytes)?;
        if let Some(limit_bytes) = group.limit_bytes {
            let whose = "its control group";
            return Some(Use { used_bytes: group.used_bytes, limit_bytes, whose });
        }
        let used_bytes = machine.total_bytes.saturating_sub(machine.available_bytes);
        let whose = "the machine, as its control group has no limit";
        Some(Use { used_bytes, limit_bytes: machine.total_bytes, whose })
    }

    async fn ask(&self) -> Result<Use, String> {
        let gauges = OwnGauges::ask(&self.core).await?;
        let (used, limit) =
            (gauges.get(CGROUP_MEMORY.name)?, gauges.get(CGROUP_MEMORY_LIMIT.name)?);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a gauge above 0; beyond 64 bits it saturates"
        )]
        let (used_bytes, limit_bytes) = (used as u64, limit as u64);
        Ok(Use { used_bytes, limit_bytes, whose: "its control group, by its own metrics" })
    }
}

fn judge(memory: &Use, pressure: Option<f64>) -> Outcome {
    let Use { used_bytes, limit_bytes, whose } = memory;
    let ratio = *used_bytes as f64 / (*limit_bytes).max(1) as f64;
    let (used, limit) = (bytes(*used_bytes), bytes(*limit_bytes));
    let used = format!("{used} of {limit} used ({}) in {whose}", percent(ratio));
    let above = |limit| format!("{used}; the limit of this check is {}", percent(limit));
    match (ratio, pressure) {
        (ratio, _) if ratio >= FAIL_RATIO => Outcome::fail(above(FAIL_RATIO)),
        (ratio, _) if ratio >= WARN_RATIO => Outcome::warn(above(WARN_RATIO)),
        (_, Some(waited)) if waited > WARN_PRESSURE_RATIO => Outcome::warn(format!(
            "tasks of the machine waited for memory {} of the last minute, more than {}; {used}",
            percent(waited),
            percent(WARN_PRESSURE_RATIO)
        )),
        _ => Outcome::ok(used),
    }
}

#[cfg(test)]
mod tests {
    use super::super::probe::Status;
    use super::*;

    #[test]
    fn a_group_near_its_limit_and_tasks_that_wait_are_said() {
        for (used, pressure, expect, words) in [
            (79, None, Status::Ok, "79.0 MiB of 100 MiB used (79.0 %) in its control group"),
            (80, Some(0.0), Status::Warn, "80.0 %"),
            (90, Some(0.5), Status::Fail, "90.0 %"),
            (10, Some(0.1), Status::Ok, "10.0 %"),
            (10, Some(0.11), Status::Warn, "waited for memory 11.0 %"),
        ] {
            let whose = "its control group";
            let memory = Use { used_bytes: used << 20, limit_bytes: 100 << 20, whose };
            let outcome = judge(&memory, pressure);
            assert_eq!(outcome.status, expect, "{}", outcome.reason);
            assert!(outcome.reason.contains(words), "{}", outcome.reason);
        }
    }
}
