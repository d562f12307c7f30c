//! The short set of drills: at least ten alerts, on every build. `make drill` plays all.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::process::{Command, Output};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use runbooks::results;

/// Longest run of the whole set.
const LIMIT: Duration = Duration::from_secs(360);
/// Longest time to firing of one of them, at the speed of drills.
const SLOW_SECONDS: f64 = 60.0;

/// One after the other: what a machine is too busy for looks like a fault.
static TURN: Mutex<()> = Mutex::new(());

/// What it prints, and how long it took.
fn drill(arguments: &[&str]) -> (Output, Duration) {
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let begin = Instant::now();
    let mut command = Command::new(env!("CARGO_BIN_EXE_runbooks"));
    (command.arg("drill").args(arguments).output().unwrap(), begin.elapsed())
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn the_short_set_passes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("drills.json");
    let (played, took) = drill(&["--short", "--jobs", "2", "--out", &file.display().to_string()]);
    let said = text(&played);
    assert!(played.status.success(), "{said}");
    assert!(took < LIMIT, "it took {took:?}");
    let rows = results::read(&file).unwrap();
    assert!(rows.len() >= 10, "{said}");
    for row in rows {
        assert!(row.seconds_to_firing < SLOW_SECONDS, "{} was slow:\n{said}", row.alert);
    }
    let table = std::fs::read_to_string(file.with_extension("md")).unwrap();
    assert!(table.contains("| [Watchdog]") && table.contains("| [SequencerDown]"), "{table}");
}

#[test]
fn health_tells_nobody() {
    let (played, _) = drill(&["--control"]);
    assert!(played.status.success(), "{}", text(&played));
}

#[test]
fn what_cannot_be_drilled_says_why() {
    let (refused, _) = drill(&["SequencerMemoryStalled"]);
    assert!(!refused.status.success());
    assert!(text(&refused).contains("would starve"), "{}", text(&refused));
    let (refused, _) = drill(&["NoSuchAlert"]);
    assert!(text(&refused).contains("there is no alert `NoSuchAlert`"), "{}", text(&refused));
}
