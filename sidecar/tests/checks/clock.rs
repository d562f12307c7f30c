//! A sequencer whose clock is set.

use std::path::{Path, PathBuf};

use crate::stack::{Sequencer, Sidecar, sqlite_url};
use crate::watch::{FAIL, OK, QUICK, WARN, until};

const SKEW: &str = "stateset_sidecar_clock_skew_seconds{source=\"sequencer\"}";

#[tokio::test]
async fn a_clock_that_is_set_is_said_until_it_is_right_again() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("clock");
    set(&file, 0);
    let mut serve = Sequencer::command(&sqlite_url(folder.path()), folder.path(), &[]);
    serve
        .env("LD_PRELOAD", library())
        .env("FAKETIME_TIMESTAMP_FILE", &file)
        .env("FAKETIME_NO_CACHE", "1")
        .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
        .env("FAKETIME_DONT_RESET", "1");
    let sequencer = Sequencer::run(serve);
    let (url, operations) = (&sequencer.url, &sequencer.operations_url);
    let sidecar = Sidecar::start(folder.path(), url, operations, &QUICK);
    until(&sidecar, "clock", OK, "apart").await;
    set(&file, 5);
    until(&sidecar, "clock", WARN, "5.0 s ahead of the sidecar's").await;
    set(&file, -60);
    until(&sidecar, "clock", FAIL, "behind the sidecar's").await;
    let skew = sidecar.sample(SKEW).await.unwrap();
    assert!((-60.0..=-59.0).contains(&skew), "{skew}");
    set(&file, 0);
    until(&sidecar, "clock", OK, "apart").await;
}

/// Sets the clock so many seconds ahead of the real time.
fn set(file: &Path, seconds: i64) {
    let new = file.with_extension("new");
    std::fs::write(&new, format!("{seconds:+}")).unwrap();
    // Replaced whole: the process reads it at any moment.
    std::fs::rename(&new, file).unwrap();
}

/// libfaketime, from `make tools` or from the system.
fn library() -> PathBuf {
    let name = "libfaketimeMT.so.1";
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin").join(name);
    let of_system = std::fs::read_dir("/usr/lib").into_iter().flatten().flatten();
    let mut found = of_system.map(|entry| entry.path().join("faketime").join(name)).chain([ours]);
    found.find(|file| file.is_file()).expect("libfaketime is missing; get it with `make tools`")
}
