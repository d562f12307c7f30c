//! Readers that are too slow: paced, then cut with the place to go on.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};
use ves::Stream;

use crate::agent::Agent;
use crate::answer::eventually;
use crate::app::{Client, TestApp};
use crate::follower::{Follower, Message, path};

/// Longest wait for what must happen.
const LIMIT: Duration = Duration::from_secs(20);

/// A connection that asks for a stream and reads nothing until told to.
pub(super) async fn unread(client: &Client, stream: Stream, from: u64) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(16 << 10).unwrap();
    let address = client.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut connection = socket.connect(address).await.unwrap();
    let (path, key) = (path(stream, &format!("&from={from}")), &client.key);
    let head = format!(
        "GET {path} HTTP/1.1\r\nhost: t\r\nauthorization: ApiKey {key}\r\n\
         accept: application/x-ndjson\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.unwrap();
    connection
}

/// All messages until the connection ends; the last may be broken off.
async fn read_all(connection: &mut TcpStream) -> (Vec<Message>, bool) {
    let mut bytes = Vec::new();
    // A connection that is cut may end with a reset.
    let _ = tokio::time::timeout(LIMIT, connection.read_to_end(&mut bytes)).await.unwrap();
    let text = String::from_utf8(bytes).unwrap();
    let (head, body) = text.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    let (body, complete) = unchunked(body);
    let messages = body.split_inclusive('\n').filter(|line| line.ends_with('\n'));
    (messages.map(Message::parse).collect(), complete)
}

/// The body without its transfer coding, and whether it is complete.
fn unchunked(mut rest: &str) -> (String, bool) {
    let mut body = String::new();
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return (body, true);
        }
        let Some(part) = after.get(..size) else { break };
        body.push_str(part);
        rest = after.get(size + 2..).unwrap_or_default();
    }
    (body, false)
}

/// Far more than the buffers of a connection hold: 60 events of 64 KiB.
async fn fill_with_large(app: &TestApp, agent: &Agent) {
    for _ in 0..6 {
        let large =
            || agent.event_with(|draft| draft.payload = json!({ "x": "x".repeat(64 << 10) }));
        let events: Vec<_> = (0..10).map(|_| large()).collect();
        assert_eq!(app.ingest(&events).await.events_accepted, 10);
    }
}

async fn figure(app: &TestApp, name: &str) -> f64 {
    let scrape = app.scrape().await;
    let name = format!("stateset_sequencer_{name} ");
    let line = scrape.lines().find_map(|line| line.strip_prefix(name.as_str()));
    line.unwrap().parse().unwrap()
}

/// The numbers are 1, 2, 3, … and the last message says where to go on; then the rest is there.
async fn check_resume(app: &TestApp, agent: &Agent, messages: &[Message], reason: &str) {
    let (last, events) = messages.split_last().unwrap();
    let numbers = events.iter().map(Message::number);
    assert!(numbers.eq(1..=events.len() as u64));
    let resume_from = last.resume_from("lagged");
    assert_eq!(resume_from, events.len() as u64 + 1);
    assert!(last.data["reason"].as_str().unwrap().contains(reason), "{last:?}");
    let head = app.client.head_sequence(agent.stream).await;
    assert!(resume_from <= head, "it was not behind");
    let mut follower = Follower::from(&app.client, agent.stream, resume_from).await;
    follower.expect(resume_from..=head).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_is_cut_and_goes_on_without_a_hole() {
    let app = TestApp::start_with(&["--stream-stall-secs=2"]).await;
    let agent = app.agent().await;
    fill_with_large(&app, &agent).await;
    let mut connection = unread(&app.client, agent.stream, 1).await;
    let cut = || async { (figure(&app, "stream_lagged_total").await == 1.0).then_some(()) };
    eventually(LIMIT, cut).await;
    let (messages, complete) = read_all(&mut connection).await;
    assert!(complete);
    check_resume(&app, &agent, &messages, "STREAM_STALL_SECS").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_never_reads_loses_its_connection() {
    let app = TestApp::start_with(&["--stream-stall-secs=1"]).await;
    let agent = app.agent().await;
    fill_with_large(&app, &agent).await;
    let mut connection = unread(&app.client, agent.stream, 1).await;
    let open = |expect| {
        let app = &app;
        move || async move { (figure(app, "stream_subscribers").await == expect).then_some(()) }
    };
    eventually(LIMIT, open(1.0)).await;
    eventually(LIMIT, open(0.0)).await;
    let (messages, complete) = read_all(&mut connection).await;
    assert!(!complete, "nobody could tell it");
    assert!(messages.iter().map(Message::number).eq(1..=messages.len() as u64));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_falls_behind_is_cut_and_goes_on_without_a_hole() {
    let app = TestApp::start_with(&["--stream-max-lag-events=50"]).await;
    let agent = app.agent().await;
    fill_with_large(&app, &agent).await;
    let mut connection = unread(&app.client, agent.stream, 1).await;
    // Until its buffers are full.
    let mut sent = (0.0, Instant::now());
    loop {
        let now = figure(&app, "stream_events_sent_total").await;
        if now > sent.0 {
            sent = (now, Instant::now());
        } else if now > 0.0 && sent.1.elapsed() > Duration::from_secs(1) {
            break;
        }
        assert!(now < 60.0, "the buffers hold all of it");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    app.fill(&agent, 300).await;
    let (messages, complete) = read_all(&mut connection).await;
    assert!(complete);
    check_resume(&app, &agent, &messages, "STREAM_MAX_LAG_EVENTS").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stops_does_not_hold_up_a_stop() {
    let mut app = TestApp::start().await;
    let agent = app.agent().await;
    fill_with_large(&app, &agent).await;
    let connection = unread(&app.client, agent.stream, 1).await;
    let sending = || async { (figure(&app, "stream_events_sent_total").await > 0.0).then_some(()) };
    eventually(LIMIT, sending).await;
    let since = Instant::now();
    app.take_server().stop().await.unwrap();
    assert!(since.elapsed() < Duration::from_secs(8), "{:?}", since.elapsed());
    drop(connection);
}
