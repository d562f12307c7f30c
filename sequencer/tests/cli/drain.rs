//! `drain` as a hook runs it before its process is ended.

use std::time::{Duration, Instant};

use crate::program::Folder;

#[test]
fn drain_returns_when_the_delay_is_over_and_the_process_then_ends_at_once() {
    let folder = Folder::new();
    let mut server = folder.start(&["serve", "--drain-delay-secs=60"]);
    let line = server.wait_for("\"serving\"");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = line["operations"].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let started = Instant::now();
    // Told nothing of the address but what the server itself is told.
    let key = folder.read("data/bootstrap.key");
    let key = ["--bootstrap-admin-api-key", key.trim()];
    let drain = ["drain", "--delay", "2s", "--ops-host", "0.0.0.0", "--ops-port", &port];
    let told = folder.run(&[&drain[..], &key[..]].concat()).succeeded().stdout;
    assert!(told.contains("the port closes in"), "{told}");
    assert!(started.elapsed() >= Duration::from_secs(2), "{:?}", started.elapsed());
    // A second hook finds it drained, with the key that a development server keeps.
    let again = Instant::now();
    let url = format!("http://127.0.0.1:{port}");
    folder.run(&["drain", "--operations-url", &url]).succeeded();
    assert!(again.elapsed() < Duration::from_secs(10), "{:?}", again.elapsed());
    server.stop();
}

#[test]
fn a_container_asks_its_own_server_whether_it_is_ready() {
    let folder = Folder::new();
    let mut server = folder.start(&["serve"]);
    let line = server.wait_for("\"serving\"");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let port = |name: &str| line[name].as_str().unwrap().rsplit_once(':').unwrap().1.to_owned();
    let health = ["--health", "--host", "0.0.0.0", "--port", &port("api")];
    assert_eq!(folder.run(&health).succeeded().stdout, "ready\n");
    let url = format!("http://127.0.0.1:{}", port("operations"));
    folder.run(&["drain", "--delay", "0s", "--operations-url", &url]).succeeded();
    folder.run(&health).refused(1, "/ready");
    server.stop();
}

#[test]
fn a_drain_with_exit_ends_the_process_with_0() {
    let folder = Folder::new();
    let mut server = folder.start(&["serve"]);
    let line = server.wait_for("\"serving\"");
    let line: serde_json::Value = serde_json::from_str(&line).unwrap();
    let url = format!("http://{}/drain?exit=true", line["operations"].as_str().unwrap());
    let header = "authorization: ApiKey $(cat data/bootstrap.key)";
    let told = folder.shell(&format!("curl -sS -X POST -H \"{header}\" '{url}'")).succeeded();
    assert!(told.stdout.contains("\"exit\":true"), "{}{}", told.stdout, told.stderr);
    let ended = server.end();
    assert_eq!(ended.code, Some(0), "{}", ended.stderr);
    assert!(ended.stderr.contains("POST /drain"), "the log says why: {}", ended.stderr);
}

#[test]
fn drain_says_what_it_cannot_do() {
    let folder = Folder::new();
    folder.run(&["drain", "--delay", "1m"]).refused(2, "must be whole seconds, as in 15s");
    let key = ["--api-key", "ss_00000000rootrootrootrootrootrootroot"];
    let gone =
        folder.run(&[&["drain", "--operations-url", "http://127.0.0.1:1"], &key[..]].concat());
    gone.refused(1, "cannot reach http://127.0.0.1:1/drain");
}
