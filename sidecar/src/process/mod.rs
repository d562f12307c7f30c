//! The sequencer's process and the machine, as the kernel sees them.

mod disk;
mod find;
mod memory;
mod reading;
mod view;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use tokio_util::sync::CancellationToken;

use crate::app::Core;
use crate::blocking::Blocking;
pub use disk::DiskUse;
use find::{Found, Target};
pub use memory::{GroupMemory, MachineMemory};
pub(crate) use memory::{of_process as memory_of_process, pressure_ratio};
pub(crate) use reading::Identity;
use reading::Reading;
pub use view::ProcessView;

/// Longest time for a look before it is given up; the kernel answers at once, a disk may not.
const LIMIT: Duration = Duration::from_secs(5);

/// Readings of the process and the machine. A clone is the same.
#[derive(Clone)]
pub struct Process {
    inner: Arc<Inner>,
}

struct Inner {
    core: Arc<Core>,
    target: Target,
    looking: Blocking,
    disk: Blocking,
    /// Held for a look-up only.
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The last process that was seen, gone or not.
    last: Option<Last>,
    restarts: u64,
    view: ProcessView,
}

struct Last {
    identity: Identity,
    how: String,
    cpu_seconds: f64,
    at: Instant,
}

/// One look at the machine and the process.
struct Look {
    process: Result<(Reading, String), String>,
    group: Option<GroupMemory>,
    machine: Option<MachineMemory>,
    pressure: Option<f64>,
}

impl Process {
    /// With the configuration of the process.
    #[must_use]
    pub fn new(core: &Arc<Core>) -> Self {
        let inner = Inner {
            core: Arc::clone(core),
            target: Target::new(&core.config),
            looking: Blocking::default(),
            disk: Blocking::default(),
            known: Mutex::default(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Runs until told to stop.
    pub async fn run(&self, stop: CancellationToken) {
        let interval = self.inner.core.config.system_interval_secs.duration();
        loop {
            self.inner.core.progress.mark("process", 3 * (interval + LIMIT));
            self.inner.look_at_process().await;
            self.inner.look_at_disk().await;
            if stop.run_until_cancelled(tokio::time::sleep(interval)).await.is_none() {
                return;
            }
        }
    }

    /// What was last seen.
    #[must_use]
    pub fn view(&self) -> ProcessView {
        self.inner.known().view.clone()
    }

    /// What became of the process, for whom it does not answer.
    pub(crate) fn fate(&self) -> String {
        match self.identity() {
            Ok(identity) => match identity.state() {
                Some(state) => format!("its process {} is {state}", identity.pid),
                None => format!("its process {} has ended", identity.pid),
            },
            Err(reason) => reason,
        }
    }

    /// The process, when it can be seen and is still there; else why not.
    pub(crate) fn identity(&self) -> Result<Identity, String> {
        let (last, reason) = {
            let known = self.inner.known();
            let last = known.last.as_ref().filter(|_| known.view.visible);
            (last.map(|last| last.identity), known.view.reason.clone())
        };
        let alive = last.ok_or(reason)?;
        alive.is_alive().then_some(alive).ok_or_else(|| format!("process {} has ended", alive.pid))
    }
}

impl Inner {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn look_at_process(&self) {
        let known = self
            .known()
            .last
            .as_ref()
            .map(|last| Found { identity: last.identity, how: last.how.clone() });
        let target = self.target.clone();
        let looking = self.looking.run(move || look(&target, known));
        if let Ok(Some(look)) = tokio::time::timeout(LIMIT, looking).await {
            self.take(look);
        }
    }

    async fn look_at_disk(&self) {
        let Some(folder) = self.core.config.data_dir.clone() else { return };
        let looking = self.disk.run(move || DiskUse::of(&folder).ok());
        let disk = tokio::time::timeout(LIMIT, looking).await.ok().flatten().flatten();
        let shown = &self.core.metrics.checks;
        shown.disk_total.show(disk.map(|disk| disk.total_bytes as f64));
        shown.disk_used.show(disk.map(|disk| disk.used_bytes as f64));
        shown.disk_available.show(disk.map(|disk| disk.available_bytes as f64));
        shown.disk_used_ratio.show(disk.map(|disk| disk.used_ratio));
        self.known().view.disk = disk;
    }

    fn take(&self, look: Look) {
        self.show_memory(&look);
        self.show_process(look.process.as_ref().ok().map(|(reading, _)| reading));
        let mut known = self.known();
        let known = &mut *known;
        let disk = known.view.disk;
        known.view = match look.process {
            Ok((reading, how)) => {
                let cpu_cores = known.follow(&reading, how.clone(), &self.core);
                ProcessView::seen(&reading, how, cpu_cores)
            }
            Err(reason) => ProcessView { reason, ..ProcessView::default() },
        };
        known.view.read_at = Some(crate::clock::now());
        known.view.restarts = known.restarts;
        (known.view.disk, known.view.machine_memory) = (disk, look.machine);
        (known.view.group_memory, known.view.memory_pressure_ratio) = (look.group, look.pressure);
    }

    fn show_memory(&self, look: &Look) {
        let shown = &self.core.metrics.checks;
        let total = look.machine.map(|machine| machine.total_bytes as f64);
        shown.system_memory_total.show(total);
        let available = look.machine.map(|machine| machine.available_bytes as f64);
        shown.system_memory_available.show(available);
        shown.cgroup_memory.show(look.group.map(|group| group.used_bytes as f64));
        let limit = look.group.and_then(|group| group.limit_bytes.map(|limit| limit as f64));
        shown.cgroup_memory_limit.show(look.group.and(limit.or(total)));
        shown.memory_pressure.show(look.pressure);
    }

    /// What is gone leaves the scrape.
    fn show_process(&self, reading: Option<&Reading>) {
        let shown = &self.core.metrics.process;
        shown.resident_memory.show(reading.map(|reading| reading.resident_bytes as f64));
        let descriptors = reading.and_then(|reading| reading.descriptors);
        shown.open_file_descriptors.show(descriptors.map(|both| both.open as f64));
        shown.file_descriptor_limit.show(descriptors.map(|both| both.limit as f64));
        shown.threads.show(reading.map(|reading| reading.threads as f64));
        shown.start_time.show(reading.map(|reading| reading.started));
    }
}

impl Known {
    /// Counts CPU time and restarts on; gives the cores that were used since the last look.
    fn follow(&mut self, reading: &Reading, how: String, core: &Core) -> Option<f64> {
        let seen = core.metrics.process.seen();
        let now = Instant::now();
        let same = self.last.as_ref().filter(|last| last.identity == reading.identity);
        // A new process has used all of its time since the last look.
        let used = reading.cpu_seconds - same.map_or(0.0, |last| last.cpu_seconds);
        seen.cpu.inc_by(used.max(0.0));
        let elapsed = same.map(|last| now.duration_since(last.at).as_secs_f64());
        let cores = elapsed.filter(|elapsed| *elapsed > 0.0).map(|elapsed| used / elapsed);
        if same.is_none() && self.last.is_some() {
            self.restarts += 1;
            seen.restarts.inc();
            tracing::warn!(pid = reading.identity.pid, "the sequencer has a new process");
        }
        let (identity, cpu_seconds) = (reading.identity, reading.cpu_seconds);
        self.last = Some(Last { identity, how, cpu_seconds, at: now });
        cores
    }
}

fn look(target: &Target, known: Option<Found>) -> Look {
    // Only a process that is gone is looked for.
    let alive = known.filter(|known| known.identity.is_alive());
    let found = alive.map_or_else(|| target.find(), Ok);
    let process = found.and_then(|found| {
        let reading = reading::read(found.identity.pid);
        let ended = |_| format!("process {} has just ended", found.identity.pid);
        Ok((reading.map_err(ended)?, found.how))
    });
    let machine = MachineMemory::read();
    let total = machine.map_or(u64::MAX, |machine| machine.total_bytes);
    let pid = process.as_ref().ok().map(|(reading, _)| reading.identity.pid);
    let own = i32::try_from(std::process::id()).ok();
    let group = pid.and_then(|pid| memory::of_process(pid, total));
    let group = group.or_else(|| memory::of_process(own?, total));
    Look { process, group, machine, pressure: memory::pressure_ratio() }
}
