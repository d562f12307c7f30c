//! The script behind `make dev`: a development server and its sidecar, from the first line to the
//! end of both.

use std::net::TcpListener;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::program::{Ended, Folder, Program};

/// Longest wait for what the sidecar shows.
const SHOWN: Duration = Duration::from_secs(20);

/// The sidecar, which is built with the workspace.
pub(crate) fn sidecar() -> String {
    let program = Path::new(env!("CARGO_BIN_EXE_sequencer")).with_file_name("sidecar");
    let name = program.display().to_string();
    assert!(program.is_file(), "{name} is missing: run `cargo build -p sidecar`");
    name
}

/// Both programs, in the words of a shell.
fn line(arguments: &str) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/dev.sh");
    format!("exec {script} {} {} {arguments}", env!("CARGO_BIN_EXE_sequencer"), sidecar())
}

/// Address of the status page.
pub(crate) fn status_page(dev: &mut Program) -> String {
    let line = dev.wait_for("status page  ");
    line.split_whitespace().nth(2).unwrap().to_owned()
}

/// What the sidecar shows of itself at a path; `None` when nobody answers.
async fn shown(page: &str, path: &str) -> Option<String> {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    let answer = client.build().unwrap().get(format!("{page}{path}")).send().await.ok()?;
    Some(answer.text().await.unwrap())
}

/// Waits until the sidecar has seen the sequencer.
pub(crate) async fn sees_it(page: &str) {
    let started = Instant::now();
    loop {
        let scrape = shown(page, "metrics").await.unwrap();
        if scrape.lines().any(|line| line == "stateset_sidecar_sequencer_up 1") {
            return;
        }
        assert!(started.elapsed() < SHOWN, "it does not see the sequencer:\n{scrape}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn is_quiet(ended: &Ended) {
    assert_eq!(ended.stdout.matches('\u{2713}').count(), 9, "{}", ended.stdout);
    assert_eq!(ended.stderr, "", "a development server is quiet");
    assert!(ended.stdout.starts_with("status page  http://"), "{}", ended.stdout);
}

#[tokio::test(flavor = "multi_thread")]
async fn dev_opens_with_the_status_page_and_ends_both() {
    sequencer::client::prepare_tls();
    let folder = Folder::new();
    for _ in 0..2 {
        let mut dev = folder.start_shell(&line(""));
        let page = status_page(&mut dev);
        dev.wait_for("Running until Ctrl-C");
        assert!(shown(&page, "health").await.unwrap().contains("stateset-sidecar"));
        sees_it(&page).await;
        is_quiet(&dev.stop());
        assert_eq!(shown(&page, "health").await, None, "the sidecar has ended");
        let log = folder.read("data/sidecar.log");
        assert!(log.contains("\"message\":\"stopped\""), "in order: {log}");
    }
    // Both have let go of the store.
    folder.run(&["verify"]).succeeded();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_ends_takes_its_sidecar_with_it() {
    sequencer::client::prepare_tls();
    let folder = Folder::new();
    let mut dev = folder.start_shell(&line("--data-dir 'other keys'"));
    let page = status_page(&mut dev);
    let serving = dev.wait_for("serving on http://");
    let operations = serving.split_once("operations on ").unwrap().1.split(',').next().unwrap();
    dev.wait_for("Running until Ctrl-C");
    sees_it(&page).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let drain = client.post(format!("{operations}/drain?exit=true"));
    let drain = drain.bearer_auth(folder.read("other keys/bootstrap.key").trim());
    let drain = drain.header("content-type", "application/json").send().await.unwrap();
    assert_eq!(drain.status(), 200);
    let ended = dev.end().succeeded();
    is_quiet(&ended);
    assert_eq!(shown(&page, "health").await, None, "the sidecar has ended");
}

#[test]
fn a_port_in_the_way_is_named_and_nothing_is_left_running() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    for (arguments, before, name) in [
        (format!("--port {port}"), String::new(), "PORT"),
        (format!("--ops-port {port}"), String::new(), "OPS_PORT"),
        (String::new(), format!("SIDECAR_PORT={port}; export SIDECAR_PORT;"), "SIDECAR_PORT"),
    ] {
        let refused = folder.shell(&format!("{before} {}", line(&arguments)));
        refused.refused(1, &format!("cannot listen on 127.0.0.1:{port} ({name})"));
        // A server that was left would own the store.
        folder.run(&["migrate"]).succeeded();
    }
    folder.shell(&line("--host 0.0.0.0")).refused(1, "`dev` is for this machine only");
}
