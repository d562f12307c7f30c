//! Runs a block as a reader would paste it.

use std::io::Read;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Longest run of a block.
const LIMIT: Duration = Duration::from_secs(30);
/// Between two looks whether it has ended.
const PAUSE: Duration = Duration::from_millis(20);
/// Output that is kept.
const MAX_OUTPUT_BYTES: u64 = 256 << 10;
/// What this program hands on from its own environment.
const KEPT: [&str; 3] = ["PATH", "HOME", "LLVM_PROFILE_FILE"];

/// Variables of a run, by name.
pub type Variables = Vec<(String, String)>;

/// What a block printed.
#[derive(Clone, Debug)]
pub struct Output {
    /// Standard output, then standard error; at most 256 KiB of each.
    pub text: String,
    /// Exit code, if it ended by itself in time.
    pub code: Option<i32>,
}

/// Runs a script in bash with these variables, and none of this environment but where programs are.
/// Sessions of `psql` are read-only when it only looks.
///
/// # Errors
/// When bash cannot be started.
pub async fn run(script: &str, variables: &Variables, only_look: bool) -> anyhow::Result<Output> {
    let mut command = Command::new("bash");
    command.args(["-c", script]).env_clear();
    command.envs(KEPT.iter().filter_map(|name| Some((name, std::env::var_os(name)?))));
    command.envs(variables.iter().map(|(name, value)| (name, value)));
    if only_look {
        command.env("PGOPTIONS", "-c default_transaction_read_only=on");
    }
    command.env("PGCONNECT_TIMEOUT", "5");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    tokio::task::spawn_blocking(move || wait(command)).await?
}

fn wait(mut command: Command) -> anyhow::Result<Output> {
    let mut child = command.spawn()?;
    let out = child.stdout.take().map(|pipe| std::thread::spawn(|| read(pipe)));
    let err = child.stderr.take().map(|pipe| std::thread::spawn(|| read(pipe)));
    let begin = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait()? {
            break status;
        }
        if begin.elapsed() > LIMIT {
            child.kill()?;
            child.wait()?;
            let text = format!("(given up after {} s)", LIMIT.as_secs());
            return Ok(Output { text, code: None });
        }
        std::thread::sleep(PAUSE);
    };
    let read = [out, err].into_iter().flatten().filter_map(|reading| reading.join().ok());
    Ok(Output { text: read.collect(), code: status.code() })
}

fn read(pipe: impl Read) -> String {
    let mut bytes = Vec::new();
    // A pipe that breaks has said all it will say.
    let _ = pipe.take(MAX_OUTPUT_BYTES).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).into_owned()
}
