//! The incident bundle: complete, without a secret, and there when the sequencer is not.

use std::collections::BTreeMap;
use std::io::Read as _;
use std::time::{Duration, Instant};

use flate2::read::GzDecoder;
use rustix::process::Signal;
use serde_json::Value;

use crate::stack::{SIDECAR_KEY, Sequencer, Sidecar, Stack};

const FILES: [&str; 10] = [
    "README.txt",
    "checks.json",
    "config.txt",
    "health-detailed.json",
    "history.json",
    "metrics-sequencer.txt",
    "metrics-sidecar.txt",
    "status.json",
    "versions.json",
    "violations.json",
];

/// The files of a bundle by their names below its folder.
async fn unpacked(url: &str, token: Option<&str>) -> BTreeMap<String, String> {
    let mut request = reqwest::Client::new().get(format!("{url}/bundle"));
    if let Some(token) = token {
        request = request.bearer_auth(token);
    }
    let answer = request.send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["content-type"], "application/gzip");
    let name = answer.headers()["content-disposition"].to_str().unwrap().to_owned();
    assert!(name.starts_with("attachment; filename=\"sidecar-bundle-20"), "{name}");
    let bytes = answer.bytes().await.unwrap();
    let mut archive = tar::Archive::new(GzDecoder::new(&bytes[..]));
    let mut files = BTreeMap::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().to_str().unwrap().to_owned();
        let mut text = String::new();
        entry.read_to_string(&mut text).unwrap();
        let (folder, name) = path.split_once('/').unwrap();
        assert!(folder.starts_with("sidecar-bundle-"), "it unpacks into one folder: {path}");
        files.insert(name.to_owned(), text);
    }
    files
}

fn json(files: &BTreeMap<String, String>, name: &str) -> Value {
    serde_json::from_str(&files[name]).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[tokio::test]
async fn it_holds_everything_while_all_is_well() {
    let stack = Stack::start(&["--history-interval-secs=0.2"]);
    let up = "stateset_sidecar_sequencer_up";
    stack.sidecar.wait_for(up, Duration::from_secs(30), |up| up == 1.0).await;
    let began = Instant::now();
    while stack.sidecar.get("/api/history").await.json()["time"].as_array().unwrap().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(30), "no point of the curves");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    let files = unpacked(&stack.sidecar.url, None).await;
    let names: Vec<_> = files.keys().map(String::as_str).collect();
    assert_eq!(names, FILES);
    for name in FILES.iter().filter(|name| **name != "README.txt") {
        assert!(files["README.txt"].contains(name), "{name} is not explained");
    }
    assert!(json(&files, "status.json")["overall"]["sentence"].is_string());
    assert!(!json(&files, "history.json")["time"].as_array().unwrap().is_empty());
    assert!(!json(&files, "checks.json")["now"].as_array().unwrap().is_empty());
    assert!(!json(&files, "checks.json")["changes"].as_array().unwrap().is_empty());
    assert!(json(&files, "violations.json")["open_violations"].is_array());
    assert!(files["metrics-sidecar.txt"].contains("stateset_sidecar_sequencer_up 1"));
    assert!(files["metrics-sequencer.txt"].contains("stateset_sequencer_ready 1"));
    let health = json(&files, "health-detailed.json");
    assert!(health["error"].is_null() && health["status"].is_string(), "{health}");
    assert!(files["config.txt"].contains("SEQUENCER_API_KEY=(redacted)"));
    assert_eq!(json(&files, "versions.json")["sequencer"]["store"], "sqlite");
}

#[tokio::test]
async fn it_is_made_when_the_sequencer_is_frozen_and_when_it_is_dead() {
    let stack = Stack::start(&["--history-interval-secs=0.2"]);
    stack.sequencer.running.signal(Signal::STOP);
    let began = Instant::now();
    let files = unpacked(&stack.sidecar.url, None).await;
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
    let why = json(&files, "health-detailed.json")["error"].to_string();
    assert!(why.contains("no answer within"), "{why}");
    assert!(files["metrics-sequencer.txt"].contains("no answer within"));

    stack.sequencer.running.kill();
    let files = unpacked(&stack.sidecar.url, None).await;
    let why = json(&files, "health-detailed.json")["error"].to_string();
    assert!(why.contains("cannot be reached"), "{why}");
    assert_eq!(files.len(), FILES.len());
}

#[tokio::test]
async fn one_is_made_at_a_time() {
    let stack = Stack::start(&[]);
    // Frozen, so that the first takes a while.
    stack.sequencer.running.signal(Signal::STOP);
    let url = format!("{}/bundle", stack.sidecar.url);
    let http = reqwest::Client::new();
    let ask = || async { http.get(&url).send().await.unwrap() };
    let (one, two) = tokio::join!(ask(), ask());
    let mut statuses = [one.status().as_u16(), two.status().as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 503]);
    let refused = if one.status() == 503 { one } else { two };
    assert!(refused.headers().contains_key("retry-after"));
    assert!(refused.text().await.unwrap().contains("one at a time"));
    stack.sequencer.running.signal(Signal::CONT);
    assert_eq!(ask().await.status(), 200);
}

#[tokio::test]
async fn it_holds_no_secret() {
    const TOKEN: &str = "secret-token-of-the-sidecar";
    const CANARY: &str = "ss_5ec7e7005ec7e7005ec7e7005ec7e700canary";
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    // Credentials wherever a URL can hold them.
    let with_password = |url: &str| url.replace("http://", "http://me:secret-in-the-url@");
    let (api, operations) =
        (with_password(&sequencer.url), with_password(&sequencer.operations_url));
    let flags = [
        format!("--sidecar-token={TOKEN}"),
        format!("--canary-api-key={CANARY}"),
        "--database-url=postgres://me:secret%20of@the-base@127.0.0.1:1/log?password=secret-in-query"
            .to_owned(),
    ];
    let flags: Vec<&str> = flags.iter().map(String::as_str).collect();
    let sidecar = Sidecar::start(folder.path(), &api, &operations, &flags);
    // Every check and the canary have had their say.
    let attempts = "stateset_sidecar_canary_attempts_total{outcome=\"failure\"}";
    sidecar.wait_for(attempts, Duration::from_secs(30), |attempts| attempts >= 1.0).await;
    let files = unpacked(&sidecar.url, Some(TOKEN)).await;
    assert_eq!(files.len(), FILES.len());
    for (name, text) in &files {
        for secret in [
            TOKEN,
            CANARY,
            SIDECAR_KEY,
            "secret-in-the-url",
            "secret%20of",
            "the-base@",
            "secret of",
            "secret-in-query",
        ] {
            assert!(!text.contains(secret), "{name} holds {secret}");
        }
    }
    let log = format!("{:?}", sidecar.running.log());
    for secret in [TOKEN, CANARY, SIDECAR_KEY, "secret-in-the-url", "secret-in-query"] {
        assert!(!log.contains(secret), "the log holds {secret}: {log}");
    }
}
