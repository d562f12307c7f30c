//! The live stream: what is sent, from where on, how soon, and how it ends.

use std::time::{Duration, Instant};

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, query};
use crate::answer::eventually;
use crate::app::TestApp;
use crate::follower::{FORMATS, Follower, path, refused, request};

mod behind;
mod crowd;
mod replicas;
mod slow;

#[tokio::test(flavor = "multi_thread")]
async fn both_formats_hold_the_objects_of_the_range_route() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 70).await;
    let page = app.client.get(&format!("/api/v1/ves/events?{}", query(agent.stream))).await.ok();
    for accept in FORMATS {
        let mut follower = Follower::open(&app.client, agent.stream, accept).await;
        let headers = follower.response.headers().clone();
        for (name, value) in [
            ("content-type", accept),
            ("cache-control", "no-store"),
            ("x-content-type-options", "nosniff"),
            ("connection", "close"),
            ("x-accel-buffering", "no"),
        ] {
            assert_eq!(headers[name], value, "{name}");
        }
        assert!(headers.contains_key("x-request-id"));
        let messages = follower.expect(1..=70).await;
        let events: Vec<&Value> = messages.iter().map(|message| &message.data).collect();
        assert_eq!(json!(events), page["events"]);
        let ids: Vec<bool> = messages.iter().map(|message| message.id.is_some()).collect();
        assert_eq!(ids, vec![accept == FORMATS[0]; 70]);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_resumes_behind_the_last_event_or_at_a_number() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 40).await;
    let cases: [(&str, Option<&str>, u64); 9] = [
        ("", None, 1),
        ("&from=0", None, 1),
        ("&from=16", None, 16),
        ("&from=17", None, 17),
        ("&from=40", None, 40),
        ("&from=41", None, 41),
        ("", Some("0"), 1),
        ("", Some("25"), 26),
        // A client that connects again by itself repeats its query.
        ("&from=3", Some("40"), 41),
    ];
    let mut followers = Vec::new();
    for (from, last, first) in cases {
        let path = path(agent.stream, from);
        let headers: Vec<_> = last.map(|last| ("last-event-id", last)).into_iter().collect();
        let mut follower = Follower::open_with(&app.client, &path, &headers).await;
        follower.expect(first..=40).await;
        followers.push(follower);
    }
    app.fill(&agent, 20).await;
    for mut follower in followers {
        follower.expect(41..=60).await;
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_place_that_cannot_be_meant_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 3).await;
    let at = |more: &str| path(agent.stream, more);
    for from in ["-1", "x", "", "9223372036854775808"] {
        refused(&app.client, &at(&format!("&from={from}")), "INVALID_FIELD_VALUE").await;
    }
    refused(&app.client, "/api/v1/ves/events/stream", "MISSING_REQUIRED_FIELD").await;
    // What was seen and is not there any more is a log that was set back: never passed over.
    let answer = refused(&app.client, &at("&from=5"), "SEQUENCE_GAP").await;
    assert_eq!(answer.json()["error"]["details"], json!({ "head_sequence": 3 }));
    refused(&app.client, &at("&from=9223372036854775807"), "SEQUENCE_GAP").await;
    for (last, code) in [("4", 409), ("x", 400), ("-1", 400), ("9223372036854775807", 409)] {
        let answer = request(&app.client, &at(""), &[("last-event-id", last)]).await;
        assert_eq!(answer.status(), code, "{last}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_arrives_within_a_second_of_its_receipt() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut slowest = Duration::ZERO;
    let mut sse = Follower::open(&app.client, agent.stream, FORMATS[0]).await;
    let mut lines = Follower::open(&app.client, agent.stream, FORMATS[1]).await;
    for number in 1..=40 {
        let acknowledged = app.ingest(&[agent.event()]).await;
        let since = Instant::now();
        for follower in [&mut sse, &mut lines] {
            let event = follower.next().await;
            assert_eq!(event.number(), number);
            assert_eq!(event.data["receipt"], json!(acknowledged.receipts[0]));
        }
        slowest = slowest.max(since.elapsed());
    }
    println!("slowest arrival after the receipt: {slowest:?}");
    assert!(slowest < Duration::from_secs(1), "{slowest:?}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn silence_is_broken_by_heartbeats() {
    let app = TestApp::start_with(&["--stream-heartbeat-secs=1"]).await;
    let agent = app.agent().await;
    for accept in FORMATS {
        let mut follower = Follower::open(&app.client, agent.stream, accept).await;
        let since = Instant::now();
        for _ in 0..2 {
            assert_eq!(follower.message().await.unwrap().name, "heartbeat");
        }
        let elapsed = since.elapsed();
        let expect = Duration::from_millis(1900)..Duration::from_secs(4);
        assert!(expect.contains(&elapsed), "{elapsed:?}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_who_may_read_the_stream_follows_it() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let stream = agent.stream;
    refused(&app.client.with_key(""), &path(stream, ""), "AUTH_REQUIRED").await;
    let (tenant, other) = (stream.tenant_id, Uuid::new_v4());
    for rights in [
        json!({ "tenant_id": other }),
        json!({ "tenant_id": tenant, "store_ids": [other] }),
        json!({ "tenant_id": tenant, "read": false }),
    ] {
        let client = app.credential(rights).await;
        refused(&client, &path(stream, ""), "INSUFFICIENT_PERMISSIONS").await;
    }
    let client = app.credential(json!({ "tenant_id": tenant, "write": false })).await;
    app.fill(&agent, 1).await;
    Follower::open(&client, stream, FORMATS[0]).await.expect(1..=1).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_number_of_subscribers_is_bounded() {
    let app = TestApp::start_with(&["--max-stream-subscribers=2"]).await;
    let agent = app.agent().await;
    app.fill(&agent, 1).await;
    let mut first = Follower::open(&app.client, agent.stream, FORMATS[0]).await;
    let mut second = Follower::open(&app.client, agent.stream, FORMATS[1]).await;
    refused(&app.client, &path(agent.stream, ""), "OVERLOADED").await;
    first.expect(1..=1).await;
    drop(first);
    let again = eventually(Duration::from_secs(5), || async {
        let response = request(&app.client, &path(agent.stream, ""), &[]).await;
        (response.status() == 200).then_some(response)
    });
    drop(again.await);
    second.expect(1..=1).await;
    let scrape = app.scrape().await;
    assert!(scrape.contains("requests_shed_total{reason=\"stream_subscribers\"} "), "{scrape}");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stop_is_said_with_the_place_to_go_on() {
    for (accept, sent) in [(FORMATS[0], 5), (FORMATS[1], 0)] {
        let mut app = TestApp::start().await;
        let agent = app.agent().await;
        app.fill(&agent, 5).await;
        let path = path(agent.stream, &format!("&from={}", 6 - sent));
        let mut follower = Follower::open_with(&app.client, &path, &[("accept", accept)]).await;
        follower.expect(6 - sent..=5).await;
        let since = Instant::now();
        let (stopped, last) = tokio::join!(app.take_server().stop(), follower.next());
        stopped.unwrap();
        assert_eq!(last.resume_from("draining"), 6);
        assert!(follower.message().await.is_none());
        assert!(since.elapsed() < Duration::from_secs(3), "{:?}", since.elapsed());
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_credential_ends_its_streams_within_five_seconds() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 2).await;
    for elsewhere in [false, true] {
        let client = app.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
        let mut follower = Follower::open(&client, agent.stream, FORMATS[1]).await;
        follower.expect(1..=2).await;
        let prefix =
            sequencer::auth::api_key::public_prefix(&sequencer::auth::api_key::hash(&client.key));
        let since = Instant::now();
        if elsewhere {
            // As another replica does it: this process is not told.
            let revoke =
                format!("UPDATE api_keys SET revoked_at = 1 WHERE key_prefix = '{prefix}'");
            app.behind().await.execute(&revoke).await;
        } else {
            app.client.delete(&format!("/api/v1/admin/api-keys/{prefix}")).await.ok();
        }
        let last = follower.next().await;
        assert!(since.elapsed() < Duration::from_secs(5), "{:?}", since.elapsed());
        assert_eq!(last.resume_from("failed"), 3);
        assert_eq!(last.data["code"], "INVALID_API_KEY");
        assert!(follower.message().await.is_none());
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_have_figures_of_their_own() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 20).await;
    let figure = |scrape: &str, name: &str| -> f64 {
        let line = scrape
            .lines()
            .find(|line| line.strip_prefix(name).is_some_and(|rest| rest.starts_with(' ')));
        line.unwrap_or_else(|| panic!("{name}")).rsplit(' ').next().unwrap().parse().unwrap()
    };
    let mut follower = Follower::open(&app.client, agent.stream, FORMATS[0]).await;
    follower.expect(1..=20).await;
    // What was sent is counted after the reader has taken it.
    let scrape = eventually(Duration::from_secs(5), || async {
        let scrape = app.scrape().await;
        let sent = figure(&scrape, "stateset_sequencer_stream_events_sent_total");
        (sent >= 20.0).then_some(scrape)
    })
    .await;
    let route = "{method=\"GET\",route=\"/api/v1/ves/events/stream\"}";
    let expect = [
        ("stream_subscribers".to_owned(), 1.0),
        ("stream_events_sent_total".to_owned(), 20.0),
        ("stream_lagged_total".to_owned(), 0.0),
        ("stream_first_byte_seconds_count".to_owned(), 1.0),
        (format!("request_duration_seconds_count{route}"), 0.0),
    ];
    for (name, value) in expect {
        assert_eq!(figure(&scrape, &format!("stateset_sequencer_{name}")), value, "{name}");
    }
    drop(follower);
    eventually(Duration::from_secs(5), || async {
        let open = figure(&app.scrape().await, "stateset_sequencer_stream_subscribers");
        (open == 0.0).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_writers_and_followers_see_one_order() {
    let app = TestApp::start().await;
    let first = app.agent().await;
    let mut followers = tokio::task::JoinSet::new();
    for place in 0..8 {
        let (client, stream) = (app.client.clone(), first.stream);
        followers.spawn(async move {
            let mut follower = Follower::open(&client, stream, FORMATS[place % 2]).await;
            let messages = follower.expect(1..=600).await;
            messages.iter().map(|message| message.data["event_id"].clone()).collect::<Vec<_>>()
        });
    }
    let mut writers = tokio::task::JoinSet::new();
    for _ in 0..3 {
        let agent = Agent::in_stream(first.stream);
        app.register(&agent).await;
        let client = app.client.clone();
        writers.spawn(async move {
            for size in (1..20).chain([10]) {
                client.ingest(&agent.events(size)).await;
            }
        });
    }
    writers.join_all().await;
    let seen = followers.join_all().await;
    assert!(seen.iter().all(|order| *order == seen[0]));
    app.finish().await;
}
