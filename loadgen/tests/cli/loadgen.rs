//! Starting the program, and waiting for its end within a bound.

use std::io::Read as _;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::program::{bare, program};
use crate::stack::ADMIN_KEY;

/// Longest run of these tests, with a machine that does other things too.
const LIMIT: Duration = Duration::from_secs(150);

/// What became of it.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
    pub(crate) seconds: f64,
}

/// A run under way.
pub(crate) struct Started {
    child: Child,
    began: Instant,
}

/// The command with the platform's key, on a port of its own for its metrics.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = bare(&program("loadgen"));
    command.args(arguments).env("SEQUENCER_API_KEY", ADMIN_KEY).stdout(Stdio::piped());
    if arguments.first() == Some(&"run") && arguments.get(1) != Some(&"--help") {
        command.arg("--metrics-port=0");
    }
    command
}

/// Runs it to its end.
pub(crate) fn run(arguments: &[&str]) -> Ended {
    start(command(arguments)).end()
}

/// Runs a profile and gives its record too.
pub(crate) fn run_into(out: &Path, arguments: &[&str]) -> (Ended, Value) {
    let folder = out.display().to_string();
    let ended = on_time(|| run(&[&["run"], arguments, &["--out", &folder]].concat()));
    let record = record(out);
    assert_eq!(record["exit_code"], ended.code, "{ended:?}");
    (ended, record)
}

/// A run that is not about being late: on a machine that does other things a short one may be, and
/// is called invalid then, rightly; it is made again, a few times.
pub(crate) fn on_time(run: impl Fn() -> Ended) -> Ended {
    let mut ended = run();
    for _ in 0..3 {
        if ended.code != 98 || !ended.err.contains("the generator was late") {
            break;
        }
        ended = run();
    }
    ended
}

/// The record in a folder.
pub(crate) fn record(out: &Path) -> Value {
    let text = std::fs::read_to_string(out.join("run.json")).unwrap();
    serde_json::from_str(&text).unwrap()
}

pub(crate) fn start(mut command: Command) -> Started {
    let child = command.spawn().unwrap_or_else(|error| panic!("{command:?}: {error}"));
    Started { child, began: Instant::now() }
}

impl Started {
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_raw(self.child.id().cast_signed()).unwrap(), signal).unwrap();
    }

    /// The first line of its output that holds this text.
    pub(crate) fn line(&mut self, part: &str) -> String {
        let out = self.child.stdout.as_mut().unwrap();
        let (mut line, mut byte) = (Vec::new(), [0]);
        while out.read(&mut byte).unwrap() == 1 {
            if byte[0] != b'\n' {
                line.push(byte[0]);
                continue;
            }
            let text = String::from_utf8_lossy(&line).into_owned();
            if text.contains(part) {
                return text;
            }
            line.clear();
        }
        panic!("it ended without `{part}`");
    }

    /// Waits for its end.
    pub(crate) fn end(mut self) -> Ended {
        let (out, err) = (self.child.stdout.take(), self.child.stderr.take());
        let read = |mut pipe: Box<dyn std::io::Read + Send>| {
            std::thread::spawn(move || {
                let mut text = String::new();
                let _ = pipe.read_to_string(&mut text);
                text
            })
        };
        let (out, err) = (read(Box::new(out.unwrap())), read(Box::new(err.unwrap())));
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            if self.began.elapsed() > LIMIT {
                let _ = self.child.kill();
                let _ = self.child.wait();
                panic!("it does not end: {} {}", out.join().unwrap(), err.join().unwrap());
            }
            std::thread::sleep(Duration::from_millis(20));
        };
        let seconds = self.began.elapsed().as_secs_f64();
        let (out, err) = (out.join().unwrap(), err.join().unwrap());
        Ended { code: status.code().unwrap_or(-1), out, err, seconds }
    }
}
