//! What a process wrote, truncated, renamed and synced in a folder, in the order of effect; and
//! what the disk refused, when a test says so.

use std::path::{Path, PathBuf};
use std::process::Command;

use rustix::io::Errno;

/// Preloaded into the recorded process.
const SOURCE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/faults/recorder.c");
/// Length of a record's fixed part.
const HEADER: usize = 32;

/// Records processes over one folder, one after the other.
pub(crate) struct Recorder {
    library: PathBuf,
    folder: PathBuf,
    /// Its length is the time: what was done before a moment is within the length at the moment.
    pub(crate) log: PathBuf,
    fault: PathBuf,
}

/// What a disk refuses, and the error number it gives.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Fault {
    /// Everything that would change something.
    Changes(Errno),
    /// Syncs. What was written since the last one is lost with it: the kernel takes it for
    /// written (fsync of Linux reports a failure once).
    Syncs(Errno),
    /// The process is killed (-9) where it would begin its next change.
    LifeBeforeChange,
    /// The same where it would begin its next sync.
    LifeBeforeSync,
}

/// One operation that succeeded, or a sync that failed.
pub(crate) struct Operation {
    /// Length of the log with it.
    pub(crate) end: u64,
    /// Inside the folder; empty for the folder itself.
    pub(crate) path: String,
    pub(crate) effect: Effect,
}

pub(crate) enum Effect {
    Create,
    Write { offset: usize, data: Vec<u8> },
    Truncate { size: usize },
    Sync,
    FailedSync,
    Unlink,
    Rename { to: String },
    Link { to: String },
}

impl Recorder {
    /// Compiles the recorder into `work` for processes over `folder`.
    pub(crate) fn new(work: &Path, folder: &Path) -> Self {
        let library = work.join("recorder.so");
        let arguments = ["-shared", "-fPIC", "-O1", "-Wall", "-Wextra", "-Werror", "-o"];
        let compiled =
            Command::new("cc").args(arguments).arg(&library).args([SOURCE, "-ldl"]).output();
        let output =
            compiled.expect("the C compiler `cc` is missing (Debian: apt-get install gcc)");
        assert!(output.status.success(), "cc: {}", String::from_utf8_lossy(&output.stderr));
        let (log, fault) = (work.join("operations"), work.join("fault"));
        Self { library, folder: folder.canonicalize().unwrap(), log, fault }
    }

    /// From now on the disk refuses this, or nothing.
    pub(crate) fn refuse(&self, fault: Option<Fault>) {
        let text = match fault {
            Some(Fault::Changes(error)) => format!("w{}", error.raw_os_error()),
            Some(Fault::Syncs(error)) => format!("s{}", error.raw_os_error()),
            Some(Fault::LifeBeforeChange) => "w0".to_owned(),
            Some(Fault::LifeBeforeSync) => "s0".to_owned(),
            None => String::new(),
        };
        std::fs::write(&self.fault, text).unwrap();
    }

    /// Records what this command will do.
    pub(crate) fn attach(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("RECORDER_FOLDER", &self.folder);
        command.env("RECORDER_LOG", &self.log).env("RECORDER_FAULT", &self.fault);
    }

    /// Everything so far. The recorded processes must have ended.
    pub(crate) fn operations(&self) -> Vec<Operation> {
        let log = std::fs::read(&self.log).expect("nothing recorded: is the program static?");
        let mut operations = Vec::new();
        let mut rest = &log[..];
        while !rest.is_empty() {
            let number = |at: usize| {
                let bytes = rest[at..at + 8].try_into().unwrap();
                usize::try_from(u64::from_le_bytes(bytes)).unwrap()
            };
            let [kind, path, data, offset] = [0, 8, 16, 24].map(number);
            let whole = HEADER + path + data;
            let path = text(&rest[HEADER..HEADER + path]);
            let effect = effect(kind, offset, &rest[whole - data..whole]);
            rest = &rest[whole..];
            operations.push(Operation { end: (log.len() - rest.len()) as u64, path, effect });
        }
        operations
    }
}

fn effect(kind: usize, offset: usize, data: &[u8]) -> Effect {
    match u8::try_from(kind).map(char::from) {
        Ok('c') => Effect::Create,
        Ok('w') => Effect::Write { offset, data: data.to_vec() },
        Ok('t') => Effect::Truncate { size: offset },
        Ok('s') => Effect::Sync,
        Ok('f') => Effect::FailedSync,
        Ok('u') => Effect::Unlink,
        Ok('r') => Effect::Rename { to: text(data) },
        Ok('l') => Effect::Link { to: text(data) },
        _ => panic!("no such record: {kind}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
