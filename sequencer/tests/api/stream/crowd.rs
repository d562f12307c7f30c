//! A thousand subscribers of one process: each gets every event, and memory stays bounded.

use std::time::{Duration, Instant};

use serde_json::json;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinSet;
use ves::Stream;

use crate::agent::Agent;
use crate::client::Client;
use crate::follower::{FORMATS, Follower, path};
use crate::process::{Process, command};
use crate::stream::slow::unread;

/// Subscribers at once.
const CROWD: usize = 1_000;
/// Events before they come, and while they follow.
const BEFORE: u64 = 100;
const LIVE: u64 = 100;
/// Longest wait for all of it, on a busy machine with an unoptimised server.
const LIMIT: Duration = Duration::from_secs(120);
/// Memory that an idle subscriber may cost.
const SUBSCRIBER_KIB: u64 = 64;

/// A figure of `/proc/<id>/status`, in KiB.
fn memory(process: &Process, name: &str) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", process.id())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap();
    line.trim_matches(|c: char| !c.is_ascii_digit()).parse().unwrap()
}

/// Reads until the last number; each must be the one after the one before.
async fn follow(client: Client, stream: Stream, last: u64, reached: watch::Sender<u64>) {
    let address = client.base.strip_prefix("http://").unwrap();
    let mut connection = TcpStream::connect(address).await.unwrap();
    let (path, key) = (path(stream, ""), &client.key);
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: t\r\nauthorization: ApiKey {key}\r\n\
         accept: application/x-ndjson\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    // Every line of the body holds the number twice: of the event and of its receipt.
    let (mut text, mut next) = (String::new(), 1);
    let mut buffer = vec![0; 16 << 10];
    while next <= last {
        let count = connection.read(&mut buffer).await.unwrap();
        assert!(count > 0, "it ended at {next}: {text}");
        text.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        while let Some(end) = text.find("}}\n") {
            let expect = format!("\"sequence_number\":{next},");
            assert!(text[..end].contains(&expect), "not {next}: {}", &text[..end]);
            text.drain(..end + 3);
            next += 1;
        }
        reached.send_replace(next - 1);
    }
}

async fn all_reached(crowd: &mut [watch::Receiver<u64>], number: u64) {
    for reached in crowd {
        reached.wait_for(|now| *now >= number).await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thousand_subscribers_get_every_event_in_bounded_memory() {
    let folder = TempDir::new().unwrap();
    let process = Process::start(folder.path());
    let client = process.client.clone();
    let agent = Agent::new();
    client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    for _ in 0..BEFORE / 20 {
        client.ingest(&agent.events(20)).await;
    }
    let before = memory(&process, "VmRSS:");
    let begun = Instant::now();
    let (mut followers, mut crowd) = (JoinSet::new(), Vec::new());
    for _ in 0..CROWD {
        let (reached, now) = watch::channel(0);
        followers.spawn(follow(client.clone(), agent.stream, BEFORE + LIVE, reached));
        crowd.push(now);
    }
    tokio::time::timeout(LIMIT, all_reached(&mut crowd, BEFORE)).await.unwrap();
    let caught_up = begun.elapsed();
    let idle = memory(&process, "VmRSS:");
    let mut slowest = Duration::ZERO;
    for round in 1..=LIVE / 10 {
        client.ingest(&agent.events(10)).await;
        let since = Instant::now();
        let reached = all_reached(&mut crowd, BEFORE + round * 10);
        tokio::time::timeout(LIMIT, reached).await.unwrap();
        slowest = slowest.max(since.elapsed());
    }
    while let Some(follower) = followers.join_next().await {
        follower.unwrap();
    }
    let most = memory(&process, "VmHWM:");
    println!(
        "{CROWD} subscribers: {BEFORE} events each in {caught_up:?}; 10 live events reached all \
         within {slowest:?}; RSS {before} KiB before, {idle} KiB idle, {most} KiB at most"
    );
    let allowed = before + SUBSCRIBER_KIB * CROWD as u64;
    assert!(most < allowed, "{most} KiB are more than {allowed} KiB");
}

/// What is on its way to readers that take nothing comes out of one budget, here of 8 MiB. They
/// once kept another reader waiting for seven minutes.
#[tokio::test(flavor = "multi_thread")]
async fn readers_that_stop_share_one_budget_of_memory_and_leave_it_to_others() {
    let folder = TempDir::new().unwrap();
    let flags = ["--stream-buffer-bytes=8388608", "--stream-stall-secs=3"];
    let process = Process::run(command(folder.path(), &flags), folder.path());
    let (client, agent) = (process.client.clone(), Agent::new());
    client.post("/api/v1/agents/keys", &agent.key_body()).await.ok();
    let payload = json!({ "x": "x".repeat(256 << 10) });
    for _ in 0..20 {
        let large = || agent.event_with(|draft| draft.payload = payload.clone());
        assert_eq!(client.ingest(&[large(), large(), large()]).await.events_accepted, 3);
    }
    let before = memory(&process, "VmHWM:");
    let mut stopped = Vec::new();
    for place in 0..200 {
        stopped.push(unread(&client, agent.stream, 1 + place % 60).await);
    }
    // It waits for those that hold the memory, and they are cut.
    let mut follower = Follower::open(&client, agent.stream, FORMATS[0]).await;
    let begun = Instant::now();
    follower.expect(1..=60).await;
    let most = memory(&process, "VmHWM:");
    println!(
        "200 readers that stop: RSS {before} KiB before, {most} KiB at most; another reader had \
         all after {:?}",
        begun.elapsed()
    );
    assert!(most < before + (64 << 10), "{most} KiB");
}
