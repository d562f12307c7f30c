//! The real binary in a folder of its own, with every wait bounded.

use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

/// Longest wait for a line or an end: generous, because builds run beside the tests.
const PATIENCE: Duration = Duration::from_secs(60);

/// A folder with its own store and keys.
pub(crate) struct Folder(tempfile::TempDir);

/// How a command ended.
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A command under way; killed by its id when dropped.
pub(crate) struct Program {
    child: Child,
    lines: Receiver<(Stream, String)>,
    stdout: String,
    stderr: String,
}

#[derive(Clone, Copy)]
enum Stream {
    Out,
    Err,
}

impl Folder {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn read(&self, name: &str) -> String {
        std::fs::read_to_string(self.path(name)).unwrap()
    }

    /// Starts the program on free ports, with nothing of this environment but PATH.
    pub(crate) fn start(&self, arguments: &[&str]) -> Program {
        let mut command = Command::new(env!("CARGO_BIN_EXE_sequencer"));
        Program::start(command.args(arguments), self.0.path())
    }

    /// Runs the program to its end.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.start(arguments).end()
    }

    /// The same with these variables in its environment, where no other process sees them.
    pub(crate) fn run_with(&self, variables: &[(&str, String)], arguments: &[&str]) -> Ended {
        let mut command = Command::new("env");
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.arg(env!("CARGO_BIN_EXE_sequencer")).args(arguments);
        Program::start(&mut command, self.0.path()).end()
    }

    /// Runs a line as a person pastes it.
    pub(crate) fn shell(&self, line: &str) -> Ended {
        self.start_shell(line).end()
    }

    /// Starts such a line, of which `exec` makes one process.
    pub(crate) fn start_shell(&self, line: &str) -> Program {
        Program::start(Command::new("sh").args(["-c", line]), self.0.path())
    }

    /// Starts `serve`; gives it with the address of its API.
    pub(crate) fn serve(&self) -> (Program, String) {
        self.serve_with(&[])
    }

    /// The same with these variables in its environment.
    pub(crate) fn serve_with(&self, variables: &[(&str, String)]) -> (Program, String) {
        let mut command = Command::new("env");
        command.args(variables.iter().map(|(name, value)| format!("{name}={value}")));
        command.args([env!("CARGO_BIN_EXE_sequencer"), "serve"]);
        let mut program = Program::start(&mut command, self.0.path());
        let line = program.wait_for("\"serving\"");
        let line: serde_json::Value = serde_json::from_str(&line).unwrap();
        (program, format!("http://{}", line["api"].as_str().unwrap()))
    }
}

impl Program {
    fn start(command: &mut Command, folder: &Path) -> Self {
        command
            .current_dir(folder)
            .env_clear()
            // Where a coverage run collects what its children reach.
            .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .envs([("PORT", "0"), ("OPS_PORT", "0"), ("SIDECAR_PORT", "0")])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let (sender, lines) = channel();
        forward(child.stdout.take().unwrap(), Stream::Out, sender.clone());
        forward(child.stderr.take().unwrap(), Stream::Err, sender);
        Self { child, lines, stdout: String::new(), stderr: String::new() }
    }

    /// Waits for a line that holds a text.
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_line(deadline) {
                Ok(line) if line.contains(text) => return line,
                Ok(_) => {}
                Err(error) => panic!("no line with {text} ({error}):\n{}", self.transcript()),
            }
        }
    }

    /// Sends SIGTERM: a shell that was started in the background is deaf to SIGINT.
    pub(crate) fn terminate(&self) {
        let pid = i32::try_from(self.child.id()).unwrap();
        kill_process(Pid::from_raw(pid).unwrap(), Signal::TERM).unwrap();
    }

    /// Stops a server; it must take at most ten seconds and end with 0.
    pub(crate) fn stop(self) -> Ended {
        self.terminate();
        let started = Instant::now();
        let ended = self.end();
        assert_eq!(ended.code, Some(0), "{}", ended.stderr);
        assert!(started.elapsed() < Duration::from_secs(10), "it took {:?}", started.elapsed());
        ended
    }

    /// Waits for the end.
    pub(crate) fn end(mut self) -> Ended {
        let deadline = Instant::now() + PATIENCE;
        loop {
            match self.next_line(deadline) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => panic!("no end:\n{}", self.transcript()),
            }
        }
        // Both pipes are closed: the process has ended or is about to.
        let status: ExitStatus = self.child.wait().unwrap();
        let (stdout, stderr) = (&mut self.stdout, &mut self.stderr);
        Ended {
            code: status.code(),
            stdout: std::mem::take(stdout),
            stderr: std::mem::take(stderr),
        }
    }

    fn next_line(&mut self, deadline: Instant) -> Result<String, RecvTimeoutError> {
        let left = deadline.saturating_duration_since(Instant::now());
        let (stream, line) = self.lines.recv_timeout(left)?;
        let text = match stream {
            Stream::Out => &mut self.stdout,
            Stream::Err => &mut self.stderr,
        };
        writeln!(text, "{line}").unwrap();
        Ok(line)
    }

    fn transcript(&self) -> String {
        format!("{}\n{}", self.stdout, self.stderr)
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn forward(pipe: impl Read + Send + 'static, stream: Stream, sender: Sender<(Stream, String)>) {
    std::thread::spawn(move || {
        for line in BufReader::new(pipe).lines().map_while(Result::ok) {
            if sender.send((stream, line)).is_err() {
                return;
            }
        }
    });
}

impl Ended {
    /// It must have failed with this code and say this in its one line.
    pub(crate) fn refused(&self, code: i32, sentence: &str) {
        assert_eq!(self.code, Some(code), "{}{}", self.stdout, self.stderr);
        assert!(self.stderr.contains(sentence), "`{sentence}` is not in: {}", self.stderr);
        if code == 1 {
            assert_eq!(self.stderr.lines().count(), 1, "{}", self.stderr);
        }
    }

    /// It must have succeeded.
    pub(crate) fn succeeded(self) -> Self {
        assert_eq!(self.code, Some(0), "{}{}", self.stdout, self.stderr);
        self
    }
}
