//! Bounds on what one client can send, and on how slowly.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::agent::body;
use crate::answer::Answer;
use crate::app::{ROOT_KEY, TestApp};
use crate::raw::{Connection, post_head, status};

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused_by_its_announced_length() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(&app.client).await;
    connection.send(post_head("content-length: 10485761\r\n")).await;
    let answer = connection.read_until("\"}}").await;
    assert_eq!(status(&answer), 413, "{answer}");
    assert!(answer.contains("PAYLOAD_TOO_LARGE") && answer.contains("10485760"), "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_above_the_limit_is_refused_while_it_comes() {
    let app = TestApp::start_with(&["--max-body-size-bytes=100000"]).await;
    let mut connection = Connection::open(&app.client).await;
    connection.send(post_head("transfer-encoding: chunked\r\n")).await;
    let chunk = format!("4000\r\n{}\r\n", "x".repeat(0x4000));
    for _ in 0..8 {
        connection.send(&chunk).await;
    }
    let answer = connection.read_until("\"}}").await;
    assert_eq!(status(&answer), 413, "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_of_exactly_the_limit_is_taken() {
    let app = TestApp::start_with(&["--max-body-size-bytes=4096"]).await;
    let agent = app.agent().await;
    for (length, expect) in [(4096, 200), (4097, 413)] {
        let mut text = body(agent.id, &[agent.event().to_json()]);
        text.push_str(&" ".repeat(length - text.len()));
        let answer = app.client.post_events(text.clone()).await;
        assert_eq!(answer.status, expect, "{}", answer.text);
        // The same in one chunk that does not say how long it is.
        let mut connection = Connection::open(&app.client).await;
        let chunked = format!("{:x}\r\n{text}\r\n0\r\n\r\n", text.len());
        connection.send(post_head("transfer-encoding: chunked\r\n") + &chunked).await;
        assert_eq!(status(&connection.read_until("}").await), expect);
    }
    let error = app.client.post_events(" ".repeat(5000)).await.refused("PAYLOAD_TOO_LARGE");
    assert_eq!(error["details"], json!({ "max_bytes": 4096 }));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_post_route_bounds_its_body() {
    let app = TestApp::start_with(&["--max-body-size-bytes=2000"]).await;
    let paths = [
        "/api/v1/ves/events/ingest",
        "/api/v1/ves/commitments",
        "/api/v1/ves/proofs/verify",
        "/api/v1/agents/keys",
        "/api/v1/agents/keys/revoke",
        "/api/v1/agents/keys/rotate",
        "/api/v1/admin/api-keys",
    ];
    for path in paths {
        app.client.post_text(path, " ".repeat(2001)).await.refused("PAYLOAD_TOO_LARGE");
        let request = app.client.request("POST", path).header("content-type", "text/xml");
        let answer = Answer::of(request.body("<a/>").send().await.unwrap()).await;
        answer.refused("UNSUPPORTED_MEDIA_TYPE");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_request_head_is_cut_off() {
    let app = TestApp::start_with(&["--header-read-timeout-secs=1"]).await;
    let started = Instant::now();
    let mut silent = Connection::open(&app.client).await;
    let mut stuck = Connection::open(&app.client).await;
    stuck.send("GET /health HTTP/1.1\r\nhost: te").await;
    let mut dribbling = Connection::open(&app.client).await;
    let dribble = async {
        for byte in "GET /health HTTP/1.1\r\nx-long: ".chars().chain(std::iter::repeat_n('x', 20)) {
            dribbling.send(byte.to_string()).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
        dribbling.read_to_end().await
    };
    let (silent, stuck, dribbling) =
        tokio::join!(silent.read_to_end(), stuck.read_to_end(), dribble);
    for answer in [silent, stuck, dribbling] {
        assert!(matches!(status(&answer), 0 | 408), "{answer}");
    }
    assert!(started.elapsed() < Duration::from_secs(8));
    app.client.get("/health").await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_does_not_come_is_answered_in_time() {
    let app = TestApp::start_with(&["--request-timeout-secs=1"]).await;
    let mut connection = Connection::open(&app.client).await;
    connection.send(post_head("content-length: 100\r\n") + "{\"agentId\"").await;
    let answer = connection.read_until("\"}}").await;
    assert_eq!(status(&answer), 504, "{answer}");
    assert!(answer.contains("\"TIMEOUT\"") && answer.contains("8003"), "{answer}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_ends_early_is_no_request() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let text = body(agent.id, &[agent.event().to_json()]);
    let mut connection = Connection::open(&app.client).await;
    let head = post_head(&format!("content-length: {}\r\n", text.len() + 10));
    connection.send(head + &text).await;
    connection.end().await;
    let answer = connection.read_to_end().await;
    assert!(matches!(status(&answer), 0 | 400), "{answer}");
    assert_eq!(app.client.head_sequence(agent.stream).await, 0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_many_and_too_large_headers_are_refused() {
    let app = TestApp::start_with(&["--max-headers=20"]).await;
    let many = |count: usize| -> String { (0..count).map(|n| format!("x-{n}: 1\r\n")).collect() };
    let get = |headers: &str| format!("GET /health HTTP/1.1\r\nhost: t\r\n{headers}\r\n");
    let cases = [
        (get(&many(10)), 200),
        (get(&many(30)), 431),
        (get(&many(5000)), 431),
        (get(&format!("x-long: {}\r\n", "x".repeat(10_000))), 200),
        (get(&format!("x-long: {}\r\n", "x".repeat(40_000))), 431),
    ];
    for (request, expect) in cases {
        let mut connection = Connection::open(&app.client).await;
        connection.send(&request).await;
        let answer = connection.read_until("\r\n\r\n").await;
        assert_eq!(status(&answer), expect, "{} bytes: {answer}", request.len());
    }
    let long = format!("GET /{} HTTP/1.1\r\nhost: t\r\n\r\n", "x".repeat(40_000));
    let mut connection = Connection::open(&app.client).await;
    connection.send(long).await;
    let status = status(&connection.read_until("\r\n\r\n").await);
    assert!(matches!(status, 414 | 431), "{status}");
    app.client.get("/health").await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_http_is_dropped_and_harms_nobody() {
    let app = TestApp::start().await;
    let noise: [&[u8]; 6] = [
        b"\0\0\0\0\0\0\0\0\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\ncontent-length: 5\r\ncontent-length: 6\r\n\r\n",
    ];
    for bytes in noise {
        let mut connection = Connection::open(&app.client).await;
        connection.send(bytes).await;
        connection.end().await;
        let answer = connection.read_to_end().await;
        assert!(matches!(status(&answer), 0 | 400 | 404 | 505), "{answer}");
    }
    app.client.get("/health").await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_above_the_cap_wait_until_another_ends() {
    let app = TestApp::start_with(&["--max-connections=2"]).await;
    let get = "GET /health HTTP/1.1\r\nhost: t\r\n\r\n";
    let mut first = Connection::open(&app.client).await;
    let mut second = Connection::open(&app.client).await;
    for connection in [&mut first, &mut second] {
        connection.send(get).await;
        assert_eq!(status(&connection.read_until("}").await), 200);
    }
    let mut third = Connection::open(&app.client).await;
    third.send(get).await;
    let waited = tokio::time::timeout(Duration::from_millis(500), third.read_until("}")).await;
    assert!(waited.is_err(), "served above the cap: {waited:?}");
    drop(first);
    assert_eq!(status(&third.read_until("}").await), 200);
    drop((second, third));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bodies_in_memory_are_bounded_by_bytes() {
    let flags = ["--max-inflight-bytes=10000", "--max-body-size-bytes=10000"];
    let app = TestApp::start_with(&flags).await;
    let agent = app.agent().await;
    // Two bodies that are announced and do not come hold their room.
    let mut holders = Vec::new();
    for _ in 0..2 {
        let mut connection = Connection::open(&app.client).await;
        connection.send(post_head("content-length: 4900\r\n")).await;
        holders.push(connection);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let answer = app.client.try_ingest(&[agent.event()]).await;
    answer.refused("OVERLOADED");
    assert_eq!(answer.header("retry-after"), Some("1"));
    // Reads take no body and go on; a chunked body would need all the room there is.
    app.client.head(agent.stream).await;
    drop(holders.pop());
    let event = agent.event();
    crate::answer::eventually(Duration::from_secs(5), || async {
        (app.client.try_ingest(std::slice::from_ref(&event)).await.status == 200).then_some(())
    })
    .await;
    let mut chunked = Connection::open(&app.client).await;
    chunked.send(post_head("transfer-encoding: chunked\r\n")).await;
    assert_eq!(status(&chunked.read_until("}}").await), 503);
    drop(holders);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_in_one_packet_are_answered_one_by_one() {
    let app = TestApp::start().await;
    let mut connection = Connection::open(&app.client).await;
    let get = "GET /health HTTP/1.1\r\nhost: t\r\n\r\n";
    let last = "GET /nowhere HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\r\n";
    connection.send(format!("{get}{get}{last}")).await;
    let answers = connection.read_to_end().await;
    assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 2, "{answers}");
    assert_eq!(answers.matches("HTTP/1.1 404 Not Found").count(), 1, "{answers}");
    assert!(!answers.contains(ROOT_KEY));
    app.finish().await;
}
