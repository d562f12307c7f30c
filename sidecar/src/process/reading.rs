//! One process as `/proc` shows it.

use procfs::process::{LimitValue, Process};
use procfs::{ProcError, ProcResult};

/// What a process is, so that another one that gets its number is not taken for it.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Identity {
    /// Process id, as seen from here.
    pub(crate) pid: i32,
    /// When it began, ticks since the start of the machine.
    start_ticks: u64,
}

/// A look at a process.
pub(super) struct Reading {
    pub(super) identity: Identity,
    pub(super) name: String,
    /// What it does, in words.
    pub(super) state: &'static str,
    /// Unix seconds.
    pub(super) started: f64,
    pub(super) cpu_seconds: f64,
    pub(super) resident_bytes: u64,
    pub(super) threads: u64,
    /// Open descriptors and their limit; none where the kernel does not let us look.
    pub(super) descriptors: Option<Descriptors>,
}

/// Descriptors of a process.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Descriptors {
    pub(crate) open: u64,
    /// Soft limit.
    pub(crate) limit: u64,
}

impl Identity {
    /// Of the process that has this id now.
    pub(super) fn of(pid: i32) -> ProcResult<Self> {
        let stat = Process::new(pid)?.stat()?;
        // A process that has ended and that its parent has not collected does nothing any more.
        if stat.state == 'Z' {
            return Err(ProcError::NotFound(None));
        }
        Ok(Self { pid, start_ticks: stat.starttime })
    }

    /// True while it is still that process.
    pub(crate) fn is_alive(self) -> bool {
        Self::of(self.pid).is_ok_and(|now| now == self)
    }

    /// What it does, in words; none when it has ended.
    pub(super) fn state(self) -> Option<&'static str> {
        let stat = Process::new(self.pid).and_then(|process| process.stat()).ok()?;
        self.is_alive().then(|| state(stat.state))
    }

    /// Its descriptors now.
    pub(crate) fn descriptors(self) -> Option<Descriptors> {
        let process = Process::new(self.pid).ok()?;
        descriptors(&process).filter(|_| self.is_alive())
    }
}

/// Looks at a process.
pub(super) fn read(pid: i32) -> ProcResult<Reading> {
    let process = Process::new(pid)?;
    let stat = process.stat()?;
    let ticks = procfs::ticks_per_second() as f64;
    Ok(Reading {
        identity: Identity { pid, start_ticks: stat.starttime },
        state: state(stat.state),
        started: procfs::boot_time_secs()? as f64 + stat.starttime as f64 / ticks,
        cpu_seconds: (stat.utime + stat.stime) as f64 / ticks,
        resident_bytes: stat.rss * procfs::page_size(),
        threads: u64::try_from(stat.num_threads).unwrap_or_default(),
        descriptors: descriptors(&process),
        name: stat.comm,
    })
}

fn descriptors(process: &Process) -> Option<Descriptors> {
    let open = process.fd_count().ok()? as u64;
    let limit = match process.limits().ok()?.max_open_files.soft_limit {
        LimitValue::Value(limit) => limit,
        LimitValue::Unlimited => u64::MAX,
    };
    Some(Descriptors { open, limit })
}

/// The kernel's letter in words.
fn state(letter: char) -> &'static str {
    match letter {
        'R' => "running",
        'S' | 'I' => "sleeping",
        'D' => "waiting for a disk",
        'T' => "stopped by a signal",
        't' => "stopped by a debugger",
        'Z' | 'X' => "ended",
        _ => "in an unknown state",
    }
}
