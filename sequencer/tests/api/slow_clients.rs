//! Clients that send slowly or take no answer: they are cut off, and nobody else waits for them.

use std::time::{Duration, Instant};

use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use crate::agent::{body, query};
use crate::answer::eventually;
use crate::app::TestApp;
use crate::raw::{Connection, post_head, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_trickles_is_cut_off() {
    let app = TestApp::start_with(&["--body-read-timeout-secs=1"]).await;
    let started = Instant::now();
    for length in ["content-length: 900\r\n", "transfer-encoding: chunked\r\n"] {
        let mut connection = Connection::open(&app.client).await;
        connection.send(post_head(length)).await;
        let trickle = if length.starts_with('t') { "1\r\n \r\n" } else { " " };
        for _ in 0..15 {
            connection.send(trickle).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        let answer = connection.read_to_end().await;
        assert_eq!(status(&answer), 400, "{answer}");
        assert!(answer.contains("INVALID_REQUEST_BODY") && answer.contains("1 s"), "{answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_body_that_comes_steadily_is_taken() {
    let app = TestApp::start_with(&["--body-read-timeout-secs=1"]).await;
    let agent = app.agent().await;
    let text = body(agent.id, &[agent.event().to_json()]);
    let mut connection = Connection::open(&app.client).await;
    let length = text.len() + 6 * 70_000;
    connection.send(post_head(&format!("content-length: {length}\r\n"))).await;
    for _ in 0..6 {
        connection.send(" ".repeat(70_000)).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
    }
    connection.send(text).await;
    let answer = connection.read_until("}]}").await;
    assert_eq!(status(&answer), 200, "{answer}");
    app.finish().await;
}

/// A connection that has asked for a page of about 12 MB and takes very little of it.
async fn asks_for_much(app: &TestApp, receive_buffer: u32) -> TcpStream {
    let agent = app.agent().await;
    let large = || agent.event_with(|draft| draft.payload = json!({ "a": "x".repeat(60_000) }));
    for _ in 0..4 {
        app.ingest(&(0..50).map(|_| large()).collect::<Vec<_>>()).await;
    }
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(receive_buffer).unwrap();
    let address = app.client.base.strip_prefix("http://").unwrap().parse().unwrap();
    let mut stream = socket.connect(address).await.unwrap();
    let (key, query) = (&app.client.key, query(agent.stream));
    let path = format!("/api/v1/ves/events?{query}&limit=1000");
    let head = format!("GET {path} HTTP/1.1\r\nhost: t\r\nx-api-key: {key}\r\n\r\n");
    stream.write_all(head.as_bytes()).await.unwrap();
    stream
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_nothing_is_cut_off() {
    let app = TestApp::start_with(&["--write-timeout-secs=1"]).await;
    let stream = asks_for_much(&app, 4096).await;
    // It sees the end of its connection without having read a byte.
    eventually(Duration::from_secs(10), || async { stream.take_error().unwrap() }).await;
    app.client.get("/health").await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_takes_its_answer_slowly_gets_all_of_it() {
    let app = TestApp::start_with(&["--write-timeout-secs=1"]).await;
    let mut stream = asks_for_much(&app, 256 << 10).await;
    let mut answer = Vec::new();
    let mut buffer = vec![0; 256 << 10];
    let started = Instant::now();
    let (mut wanted, mut next_pause) = (usize::MAX, Duration::from_millis(300));
    while answer.len() < wanted {
        let read = tokio::time::timeout(Duration::from_secs(10), stream.read(&mut buffer)).await;
        let read = read.unwrap().unwrap();
        assert!(read > 0, "ended after {} bytes", answer.len());
        answer.extend_from_slice(&buffer[..read]);
        if wanted == usize::MAX
            && let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n")
        {
            let head = String::from_utf8_lossy(&answer[..end]).into_owned();
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            wanted = end + 4 + length.unwrap().parse::<usize>().unwrap();
            assert!(wanted > 11_000_000, "{wanted}");
        }
        // Slower than the limit as a whole, never silent for as long.
        if started.elapsed() < Duration::from_secs(3) {
            tokio::time::sleep(next_pause).await;
            next_pause = Duration::from_millis(100);
        }
    }
    assert!(started.elapsed() > Duration::from_secs(2));
    app.finish().await;
}
