//! Reading events back: ranges, single events, entities, heads, and holes.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, envelope, query};
use crate::app::TestApp;
use crate::ingest::is_time;

/// The numbers of a page's events, and its `head_sequence` and `next_from`.
fn page(answer: &Value) -> (Vec<u64>, u64, Option<u64>) {
    let events = answer["events"].as_array().unwrap();
    let numbers = events.iter().map(|event| event["sequence_number"].as_u64().unwrap());
    let head = answer["head_sequence"].as_u64().unwrap();
    (numbers.collect(), head, answer["next_from"].as_u64())
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_ascending_and_say_where_the_next_begins() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 250).await;
    let cases: [(&str, std::ops::RangeInclusive<u64>, Option<u64>); 11] = [
        ("", 1..=100, Some(101)),
        ("&from=0", 1..=100, Some(101)),
        ("&from=1", 1..=100, Some(101)),
        ("&from=0&limit=10", 1..=10, Some(11)),
        ("&from=101", 101..=200, Some(201)),
        ("&from=201", 201..=250, None),
        ("&from=151&limit=100", 151..=250, None),
        ("&from=250&limit=1", 250..=250, None),
        ("&limit=1000", 1..=250, None),
        ("&from=1&limit=1", 1..=1, Some(2)),
        ("&from=249&limit=1", 249..=249, Some(250)),
    ];
    for (parameters, numbers, next_from) in cases {
        let path = format!("/api/v1/ves/events?{}{parameters}", query(agent.stream));
        let answer = app.client.get(&path).await.ok();
        assert_eq!(page(&answer), (numbers.collect(), 250, next_from), "{parameters}");
        assert_eq!(answer.as_object().unwrap().len(), 3);
    }
    for beyond in ["251", "9223372036854775807"] {
        let path = format!("/api/v1/ves/events?{}&from={beyond}", query(agent.stream));
        assert_eq!(page(&app.client.get(&path).await.ok()), (vec![], 250, None));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_stream_is_empty() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    let path = format!("/api/v1/ves/events?{}", query(agent.stream));
    let answer = app.client.get(&path).await.ok();
    assert_eq!(answer, json!({ "events": [], "head_sequence": 0, "next_from": null }));
    let head = app.client.head(agent.stream).await;
    let expect = json!({ "head_sequence": 0, "committed_sequence": 0, "last_state_root": null });
    assert_eq!(head, expect);
    let path = format!("/api/v1/ves/entities/shelf/SH-1?{}", query(agent.stream));
    let answer = app.client.get(&path).await.ok();
    assert_eq!(answer, json!({ "events": [], "version": 0, "next_from": null }));
    let path = format!("/api/v1/ves/events/{}?{}", Uuid::new_v4(), query(agent.stream));
    app.client.get(&path).await.refused("EVENT_NOT_FOUND");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_read_route_shows_the_same_object() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event_with(|draft| {
        draft.command_id = Some(Uuid::new_v4());
        draft.base_version = Some(0);
    });
    let posted = app.client.try_ingest(std::slice::from_ref(&event)).await.ok();
    let q = query(agent.stream);
    let one = app.client.get(&format!("/api/v1/ves/events/{}?{q}", event.event_id)).await;
    let range = app.client.get(&format!("/api/v1/ves/events?{q}")).await.ok();
    let entity = format!("/api/v1/ves/entities/shelf/{}?{q}", event.entity_id);
    let entity = app.client.get(&entity).await.ok();
    assert_eq!(range["events"], json!([one.ok()]));
    assert_eq!(entity["events"], json!([one.ok()]));
    assert_eq!((&entity["version"], &entity["next_from"]), (&json!(1), &Value::Null));
    let mut expect = envelope(&event);
    expect["sequence_number"] = json!(1);
    expect["sequenced_at"] = posted["receipts"][0]["sequencedAt"].clone();
    expect["receipt"] = posted["receipts"][0].clone();
    assert_eq!(one.ok(), expect);
    is_time(&expect["sequenced_at"]);
    // The same text on every read.
    let again = app.client.get(&format!("/api/v1/ves/events/{}?{q}", event.event_id)).await;
    assert_eq!(again.text, one.text);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_found_in_its_own_stream_only() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    app.ingest(std::slice::from_ref(&event)).await;
    let elsewhere = agent.in_store(Uuid::new_v4());
    let path = format!("/api/v1/ves/events/{}?{}", event.event_id, query(elsewhere.stream));
    app.client.get(&path).await.refused("EVENT_NOT_FOUND");
    let upper = event.event_id.to_string().to_uppercase();
    for id in ["x", upper.as_str(), &event.event_id.simple().to_string()] {
        let path = format!("/api/v1/ves/events/{id}?{}", query(agent.stream));
        let error = app.client.get(&path).await.refused("INVALID_FIELD_VALUE");
        assert!(error["message"].as_str().unwrap().contains("event_id"));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hole_below_the_head_is_said_and_never_skipped() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.fill(&agent, 20).await;
    let holes = "DELETE FROM events WHERE sequence_number IN (7, 20)";
    app.behind().await.execute(holes).await;
    let q = query(agent.stream);
    let cases = [("from=1", 7), ("from=5&limit=10", 7), ("from=7&limit=1", 7), ("from=8", 20)];
    for (parameters, missing) in cases {
        let path = format!("/api/v1/ves/events?{q}&{parameters}");
        let error = app.client.get(&path).await.refused("SEQUENCE_GAP");
        let expect = json!({ "missing_sequence": missing, "head_sequence": 20 });
        assert_eq!(error["details"], expect, "{parameters}");
    }
    let path = format!("/api/v1/ves/events?{q}&from=1&limit=6");
    assert_eq!(page(&app.client.get(&path).await.ok()), ((1..=6).collect(), 20, Some(7)));
    // A batch over the hole is not sealed either.
    let error = app.client.seal(agent.stream, 1, 10).await.refused("SEQUENCE_GAP");
    assert_eq!(error["details"]["missing_sequence"], 7);
    app.client.seal(agent.stream, 1, 6).await.ok();
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn entities_may_have_any_name_and_their_history_is_paged() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let names = ["a/b", "a b", "ü/ß☃", "..", ".", "%2F", "a?b#c", "x+y&z=1", "\"quoted\"", "💡"];
    for round in 0..3 {
        let events: Vec<_> = names
            .iter()
            .map(|name| {
                agent.event_with(|draft| {
                    draft.entity_type = (*name).to_owned();
                    draft.entity_id = format!("{name}-id");
                    draft.base_version = Some(round);
                })
            })
            .collect();
        assert_eq!(app.ingest(&events).await.events_accepted, names.len() as u64);
    }
    for (place, name) in names.iter().enumerate() {
        let encode = |text: &str| {
            percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC)
                .to_string()
        };
        let (entity_type, id) = (encode(name), encode(&format!("{name}-id")));
        // A dot alone is taken out of a path by clients; encoded twice it would be another name.
        if matches!(*name, "." | "..") {
            continue;
        }
        let path = format!("/api/v1/ves/entities/{entity_type}/{id}?{}", query(agent.stream));
        let answer = app.client.get(&format!("{path}&limit=2")).await.ok();
        let step = names.len() as u64;
        let first = place as u64 + 1;
        let numbers: Vec<u64> = answer["events"]
            .as_array()
            .unwrap()
            .iter()
            .map(|event| event["sequence_number"].as_u64().unwrap())
            .collect();
        assert_eq!(numbers, [first, first + step], "{name}");
        assert_eq!(answer["events"][0]["entity_type"], *name);
        assert_eq!(
            (&answer["version"], answer["next_from"].as_u64()),
            (&json!(3), Some(first + 2 * step))
        );
        let next = app.client.get(&format!("{path}&limit=2&from={}", first + 2 * step)).await.ok();
        assert_eq!(next["events"].as_array().unwrap().len(), 1);
        assert_eq!((&next["version"], &next["next_from"]), (&json!(3), &Value::Null));
        let beyond = app.client.get(&format!("{path}&from=9223372036854775807")).await.ok();
        assert_eq!(beyond["events"], json!([]));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_that_no_entity_can_have_is_refused() {
    let app = TestApp::start().await;
    let q = query(Agent::new().stream);
    let (long_type, long_id) = ("t".repeat(129), "\u{fc}".repeat(257));
    for (entity_type, entity_id, wrong) in [
        (long_type.as_str(), "SH-1", "entity_type"),
        ("shelf", long_id.as_str(), "entity_id"),
        ("%00", "SH-1", "entity_type"),
        ("shelf", "a%00", "entity_id"),
    ] {
        let path = format!("/api/v1/ves/entities/{entity_type}/{entity_id}?{q}");
        let error = app.client.get(&path).await.refused("INVALID_FIELD_VALUE");
        assert!(error["message"].as_str().unwrap().contains(wrong), "{error}");
    }
    let longest = format!("{}/{}", &long_type[1..], &long_id[2..]);
    app.client.get(&format!("/api/v1/ves/entities/{longest}?{q}")).await.ok();
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_ends_when_its_bytes_are_full_and_the_next_continues() {
    let app = TestApp::start_with(&["--max-page-bytes=100000"]).await;
    let agent = app.agent().await;
    let large = || {
        agent.event_with(|draft| {
            draft.entity_id = "one".to_owned();
            draft.payload = json!({ "a": "x".repeat(60_000) });
        })
    };
    app.ingest(&(0..5).map(|_| large()).collect::<Vec<_>>()).await;
    for (route, total) in [("events", "head_sequence"), ("entities/shelf/one", "version")] {
        let mut from = Some(1);
        let mut pages: Vec<Vec<u64>> = Vec::new();
        while let Some(next) = from {
            let path = format!("/api/v1/ves/{route}?{}&from={next}", query(agent.stream));
            let answer = app.client.get(&path).await.ok();
            assert_eq!(answer[total], 5);
            let events = answer["events"].as_array().unwrap();
            pages.push(events.iter().map(|e| e["sequence_number"].as_u64().unwrap()).collect());
            from = answer["next_from"].as_u64();
            assert!(pages.len() < 9, "{route}: {pages:?}");
        }
        let expect: [Vec<u64>; 3] = [vec![1, 2], vec![3, 4], vec![5]];
        assert_eq!(pages, expect, "{route}");
    }
    app.finish().await;
}
