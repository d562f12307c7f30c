//! What is shown of the process and the machine.

use serde::Serialize;
use ves::Timestamp;

use super::reading::Reading;
use super::{DiskUse, GroupMemory, MachineMemory};

/// The sequencer's process and the machine, as they were last read.
#[derive(Clone, Debug, Serialize)]
pub struct ProcessView {
    /// True while the process can be seen from here.
    pub visible: bool,
    /// How it was found, or why it cannot be seen.
    pub reason: String,
    /// When all of this was read; `null` before the first time.
    pub read_at: Option<Timestamp>,
    /// Its process id, as seen from here.
    pub pid: Option<i32>,
    /// Its name.
    pub name: Option<String>,
    /// What it does: `running`, `sleeping`, `stopped` and so on.
    pub state: Option<&'static str>,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// CPU time since it began.
    pub cpu_seconds: Option<f64>,
    /// Cores that it used since the reading before.
    pub cpu_cores: Option<f64>,
    /// Resident memory.
    pub resident_bytes: Option<u64>,
    /// Open descriptors.
    pub open_file_descriptors: Option<u64>,
    /// Their soft limit.
    pub file_descriptor_limit: Option<u64>,
    /// Threads.
    pub threads: Option<u64>,
    /// New processes of the sequencer seen since this sidecar's start.
    pub restarts: u64,
    /// The disk of the data folder; `null` when it is not configured or does not answer.
    pub disk: Option<DiskUse>,
    /// Its control group, or the sidecar's where its own cannot be seen.
    pub group_memory: Option<GroupMemory>,
    /// The machine.
    pub machine_memory: Option<MachineMemory>,
    /// Share of the last 60 s in which a task of the machine waited for memory.
    pub memory_pressure_ratio: Option<f64>,
}

impl Default for ProcessView {
    fn default() -> Self {
        Self {
            visible: false,
            reason: "not looked for yet".to_owned(),
            read_at: None,
            pid: None,
            name: None,
            state: None,
            started_at: None,
            cpu_seconds: None,
            cpu_cores: None,
            resident_bytes: None,
            open_file_descriptors: None,
            file_descriptor_limit: None,
            threads: None,
            restarts: 0,
            disk: None,
            group_memory: None,
            machine_memory: None,
            memory_pressure_ratio: None,
        }
    }
}

impl ProcessView {
    pub(super) fn seen(reading: &Reading, how: String, cpu_cores: Option<f64>) -> Self {
        #[expect(clippy::cast_possible_truncation, reason = "micros of this century fit")]
        let started = Timestamp::from_micros((reading.started * 1e6) as i64);
        Self {
            visible: true,
            reason: how,
            pid: Some(reading.identity.pid),
            name: Some(reading.name.clone()),
            state: Some(reading.state),
            started_at: Some(started),
            cpu_seconds: Some(reading.cpu_seconds),
            cpu_cores,
            resident_bytes: Some(reading.resident_bytes),
            open_file_descriptors: reading.descriptors.map(|both| both.open),
            file_descriptor_limit: reading.descriptors.map(|both| both.limit),
            threads: Some(reading.threads),
            ..Self::default()
        }
    }
}
