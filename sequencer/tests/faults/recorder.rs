//! What a process wrote, truncated, renamed and synced in a folder, in the order of effect.

use std::path::{Path, PathBuf};
use std::process::Command;

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
}

/// One operation that succeeded.
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
        Self { library, folder: folder.canonicalize().unwrap(), log: work.join("operations") }
    }

    /// Records what this command will do.
    pub(crate) fn attach(&self, command: &mut Command) {
        command.env("LD_PRELOAD", &self.library);
        command.env("RECORDER_FOLDER", &self.folder).env("RECORDER_LOG", &self.log);
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
        Ok('u') => Effect::Unlink,
        Ok('r') => Effect::Rename { to: text(data) },
        Ok('l') => Effect::Link { to: text(data) },
        _ => panic!("no such record: {kind}"),
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
