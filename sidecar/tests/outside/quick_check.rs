//! The integrity check that somebody asks for.

use std::fs::{self, File, OpenOptions};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::{Duration, Instant};

use crate::program::{bare, program};
use crate::rooms::{LIMIT, Rooms};
use crate::sqlite_look::{files, writer};
use crate::stack::{Stack, database_file, sqlite_url};
use sidecar::store::QuickCheckState;

const OK: &str = "stateset_sidecar_store_sqlite_quick_check_ok";

/// `sidecar store quick-check` of the store in a folder.
fn quick_check(folder: &Path, database_url: &str) -> Output {
    let mut command = bare(&program("sidecar"));
    command
        .args(["store", "quick-check"])
        .arg(format!("--database-url={database_url}"))
        .arg(format!("--sidecar-state-dir={}", folder.join("sidecar").display()))
        .stdout(Stdio::piped());
    command.output().unwrap()
}

fn refused(output: &Output, words: &[&str]) {
    let text = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{text}");
    assert!(words.iter().all(|word| text.contains(word)), "{text}");
}

#[tokio::test]
async fn it_finds_damage_and_the_running_sidecar_shows_it() {
    let stack = Stack::start(&["--canary-interval-secs=0.1"]);
    let (folder, sidecar) = (stack.folder.path(), &stack.sidecar);
    let canary = "stateset_sidecar_canary_attempts_total{outcome=\"success\"}";
    sidecar.wait_for(canary, LIMIT, |rounds| rounds >= 2.0).await;
    assert_eq!(sidecar.sample(OK).await, None, "nobody asked");
    let sound = quick_check(folder, &sqlite_url(folder));
    assert!(sound.status.success(), "{}", String::from_utf8_lossy(&sound.stderr));
    assert!(String::from_utf8_lossy(&sound.stdout).contains("nothing wrong"));
    sidecar.wait_for(OK, LIMIT, |value| value == 1.0).await;

    // A page of the file is overwritten behind everybody's back, once no log covers it.
    let file = database_file(folder);
    let Stack { folder, sequencer, sidecar } = stack;
    assert!(sequencer.running.stop().success());
    let page = OpenOptions::new().write(true).open(&file).unwrap();
    let pages = fs::metadata(&file).unwrap().len() / 4096;
    // The last pages: the first hold the schema, without which nobody opens it.
    for number in pages * 3 / 4..pages {
        page.write_all_at(&[0x55; 64], number * 4096 + 8).unwrap();
    }
    drop(page);
    refused(&quick_check(folder.path(), &sqlite_url(folder.path())), &["no sequencer has"]);
    let before = files(folder.path());
    assert_eq!(before, ["log.db", "log.db.lock"], "a refused check makes no file");
    let began = Instant::now();
    while sidecar.sample(OK).await.is_some() {
        assert!(began.elapsed() < LIMIT, "what is not known is not shown");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }

    // Somebody has it open: SQLite itself, in this process.
    let open = writer(folder.path()).await;
    refused(&quick_check(folder.path(), &sqlite_url(folder.path())), &["damaged", "backup"]);
    sidecar.wait_for(OK, LIMIT, |value| value == 0.0).await;
    drop(open);
}

#[tokio::test]
async fn one_runs_at_a_time_and_one_that_was_killed_has_no_result() {
    let stack = Stack::start(&["--canary=false", "--witness=false"]);
    let (folder, url) = (stack.folder.path(), sqlite_url(stack.folder.path()));
    let rooms = Rooms::store(folder, &url).await;
    let state = |wanted, words: &'static str| {
        let rooms = &rooms;
        async move {
            let is = move |view: &sidecar::store::StoreView| {
                let check = view.quick_check.as_ref();
                check.is_some_and(|check| check.state == wanted && check.reason.contains(words))
            };
            rooms.store_when(is).await.quick_check.unwrap()
        }
    };
    state(QuickCheckState::Never, "sidecar store quick-check").await;
    assert!(quick_check(folder, &url).status.success());
    let sound = state(QuickCheckState::Sound, "nothing wrong").await;
    assert!(sound.started_at <= sound.finished_at && sound.finished_at.is_some(), "{sound:?}");

    // Another one holds the lock and has said that it runs.
    let lock = File::options().write(true).open(folder.join("sidecar/quick-check.lock")).unwrap();
    lock.lock().unwrap();
    let result = folder.join("sidecar/quick-check.json");
    let running = fs::read_to_string(&result).unwrap().replace("\"sound\"", "\"running\"");
    fs::write(&result, running).unwrap();
    state(QuickCheckState::Running, "").await;
    refused(&quick_check(folder, &url), &["another quick check is running"]);
    drop(lock);
    state(QuickCheckState::Failed, "ended before").await;
    fs::write(&result, "no result").unwrap();
    state(QuickCheckState::Failed, "cannot be read").await;
    assert!(quick_check(folder, &url).status.success());
    state(QuickCheckState::Sound, "nothing wrong").await;
}

#[test]
fn a_server_has_a_tool_of_its_own() {
    let folder = tempfile::tempdir().unwrap();
    let output = quick_check(folder.path(), "postgres://u:s3cret@127.0.0.1/d");
    refused(&output, &["pg_amcheck"]);
    assert!(!String::from_utf8_lossy(&output.stderr).contains("s3cret"));
}
