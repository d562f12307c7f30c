//! Power loss. A recorded run is replayed up to many moments; at each, a disk is built with all
//! that was synced and some of what was not. Copying the files of a killed process would show
//! nothing: the kernel still has every write of it.

use std::panic::AssertUnwindSafe;
use std::path::Path;
use std::time::Duration;

use futures_util::FutureExt as _;
use rustix::process::Signal;
use tempfile::TempDir;

use crate::agent::{Agent, Numbers};
use crate::answer::eventually;
use crate::disk::Disk;
use crate::load::Load;
use crate::process::{Process, command, sequencer};
use crate::recorder::{Effect, Operation, Recorder};

/// Longest time for the load to write what it must.
const LIMIT: Duration = Duration::from_secs(120);
/// Operations that create the two secrets.
const SECRETS: usize = 12;
/// Operations of a first start, about: the secrets, an empty database, its schema.
const CREATED: usize = 90;
/// Bytes written in one life after which SQLite has begun its log again at its start.
const WRAPPED: u64 = 24 << 20;

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_when_the_power_is() {
    let mut run = Run::record(4 << 20).await;
    let moments = [run.first_moments(10), run.moments(30)].concat();
    run.lose_power(moments).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "long: make faults"]
async fn nothing_acknowledged_is_lost_when_the_power_is_400_times() {
    let mut run = Run::record(2 * WRAPPED).await;
    assert!(run.restarts_of_the_log() > 0, "SQLite's log was never written again from its start");
    let moments = [run.first_moments(100), run.moments(300)].concat();
    run.lose_power(moments).await;
}

/// A half-written file was no key, and the next start was refused.
#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_created_whole_or_not_at_all() {
    let mut run = Run::record(0).await;
    let moments = (0..=SECRETS).flat_map(|moment| [moment; 3]).collect();
    run.lose_power(moments).await;
}

/// The tests above would see a store that acknowledges before it syncs.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_forgets_its_syncs_is_noticed() {
    let mut run = Run::record(1 << 20).await;
    run.forgets_syncs = true;
    for moments in run.moments(40).into_iter().map(|moment| vec![moment]) {
        let lost = AssertUnwindSafe(run.lose_power(moments)).catch_unwind().await;
        let said = lost.err().and_then(|panic| panic.downcast::<String>().ok());
        if said.is_some_and(|said| said.contains("an acknowledged event is lost")) {
            return;
        }
    }
    panic!("nobody noticed");
}

/// Everything a store wrote, and what its clients were told.
pub(crate) struct Run {
    load: Load,
    operations: Vec<Operation>,
    numbers: Numbers,
    forgets_syncs: bool,
    /// Holds the recorder's log and the built disks.
    work: TempDir,
}

impl Run {
    /// Two lives of a new store, each under load until this much was written, each with an
    /// orderly end: the log is also emptied and removed.
    async fn record(bytes: u64) -> Self {
        let (work, folder) = (TempDir::new().unwrap(), TempDir::new().unwrap());
        let recorder = Recorder::new(work.path(), folder.path());
        let start = || {
            let mut serve = command(folder.path(), &[]);
            recorder.attach(&mut serve);
            Process::run(serve, folder.path())
        };
        let mut process = start();
        let mut load = Load::new(&process.client).await.clock(&recorder.log);
        let written = || std::fs::metadata(&recorder.log).unwrap().len();
        for life in 1..=2 {
            let running = load.begin(&process.client);
            let enough = || async { (written() > life * bytes / 2).then_some(()) };
            eventually(LIMIT, enough).await;
            load.end(running).await;
            process.signal(Signal::TERM);
            assert_eq!(process.wait().code(), Some(0));
            process = if life == 1 { start() } else { break };
        }
        Self::of(load, &recorder, work)
    }

    /// What was recorded in this folder, under this load. The process has ended.
    pub(crate) fn of(load: Load, recorder: &Recorder, work: TempDir) -> Self {
        let operations = recorder.operations();
        println!("{} events, {} operations", load.acknowledged(), operations.len());
        Self { load, operations, numbers: Numbers::printed(), forgets_syncs: false, work }
    }

    /// Builds a state at each of these moments, in ascending order, and checks it.
    pub(crate) async fn lose_power(&mut self, moments: Vec<usize>) {
        let mut disk = Disk::default();
        disk.forgets_syncs = self.forgets_syncs;
        let mut performed = 0;
        for moment in moments {
            for operation in &self.operations[performed..moment] {
                disk.perform(operation);
            }
            performed = moment;
            let seed = self.numbers.next();
            let folder = TempDir::new_in(self.work.path()).unwrap();
            println!("power lost after {moment} operations, state {seed}");
            disk.lose_power(&mut Numbers::from_seed(seed), folder.path());
            let time = self.operations[..moment].last().map_or(0, |operation| operation.end);
            check(folder.path(), &self.load, time).await;
        }
    }

    /// How often SQLite moved its log into the database and began it again, while it was open.
    fn restarts_of_the_log(&self) -> usize {
        let log = self.operations.iter().filter(|operation| operation.path == "log.db-wal");
        let (mut restarts, mut new) = (0, false);
        for operation in log {
            match operation.effect {
                Effect::Create => new = true,
                Effect::Write { offset: 0, .. } => {
                    restarts += usize::from(!std::mem::take(&mut new));
                }
                _ => {}
            }
        }
        restarts
    }

    /// So many moments while the store is created.
    fn first_moments(&mut self, count: usize) -> Vec<usize> {
        let mut moments: Vec<usize> = (0..count).map(|_| self.numbers.below(CREATED)).collect();
        moments.sort_unstable();
        moments
    }

    /// So many moments after it.
    pub(crate) fn moments(&mut self, count: usize) -> Vec<usize> {
        self.moments_from(CREATED, count)
    }

    /// So many moments after a time.
    pub(crate) fn moments_after(&mut self, time: u64, count: usize) -> Vec<usize> {
        let first = self.operations.partition_point(|operation| operation.end <= time);
        self.moments_from(first, count)
    }

    fn moments_from(&mut self, first: usize, count: usize) -> Vec<usize> {
        let mut moments: Vec<usize> = (0..count).map(|_| self.moment(first)).collect();
        moments.sort_unstable();
        moments
    }

    /// Any moment, or one just before or after something was synced, truncated or renamed.
    fn moment(&mut self, first: usize) -> usize {
        let count = self.operations.len();
        let any = first + self.numbers.below(count + 1 - first);
        if self.numbers.below(2) == 0 {
            return any;
        }
        let ordinary = |operation: &Operation| matches!(operation.effect, Effect::Write { .. });
        let next = self.operations[any..].iter().position(|operation| !ordinary(operation));
        (any + next.unwrap_or(0) + self.numbers.below(3)).saturating_sub(1).clamp(first, count)
    }
}

/// The log is sound, the server starts, what was acknowledged by then is there, and it goes on.
async fn check(folder: &Path, load: &Load, time: u64) {
    let process = Process::start(folder);
    load.check_at(&process.client, false, time).await;
    let agent = Agent::new();
    process.client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    assert_eq!(process.client.ingest(&agent.events(3)).await.head_sequence, 3);
    process.signal(Signal::TERM);
    assert_eq!(process.wait().code(), Some(0));
    let store = format!("sqlite://{}/log.db", folder.display());
    let verified = sequencer(&["verify", "--database-url", &store]).output().unwrap();
    assert!(verified.status.success(), "{}", String::from_utf8_lossy(&verified.stdout));
}
