//! Posting an event again: the same receipt, byte for byte, or a refusal.

use serde_json::{Value, json};
use uuid::Uuid;
use ves::{Event, Sig64};

use crate::app::{Client, TestApp};

/// The receipts of an answer as their raw text.
async fn receipts(client: &Client, events: &[Event]) -> String {
    let text = client.try_ingest(events).await.text;
    let start = text.find("\"receipts\":").unwrap();
    text[start..].to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeated_event_gets_the_same_receipt_and_counts_nowhere() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let events = agent.events(3);
    let first = receipts(&app.client, &events).await;
    let again = app.client.try_ingest(&events).await;
    assert!(again.text.ends_with(&first), "{}", again.text);
    let again = again.ok();
    assert_eq!((&again["eventsAccepted"], &again["eventsRejected"]), (&json!(0), &json!(0)));
    assert_eq!((&again["sequenceStart"], &again["sequenceEnd"]), (&Value::Null, &Value::Null));
    assert_eq!(again["headSequence"], 3);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_new_events_mix_in_request_order() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let old = agent.events(2);
    app.ingest(&old).await;
    let new = agent.events(2);
    let mixed = [new[0].clone(), old[1].clone(), new[1].clone(), old[0].clone()];
    let response = app.ingest(&mixed).await;
    let numbers: Vec<u64> = response.receipts.iter().map(|r| r.sequence_number).collect();
    assert_eq!(numbers, [3, 2, 4, 1]);
    assert_eq!((response.events_accepted, response.events_rejected), (2, 0));
    assert_eq!((response.sequence_start, response.sequence_end), (Some(3), Some(4)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_twice_in_one_request_is_refused_the_second_time() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    for accepted in [1, 0] {
        let response = app.ingest(&[event.clone(), event.clone()]).await;
        assert_eq!(response.events_accepted, accepted);
        assert_eq!(response.receipts.len(), 1);
        assert_eq!(response.rejections[0].reason, "duplicate_event_id");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_event_under_a_used_id_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let base = agent.event_with(|draft| {
        draft.command_id = Some(Uuid::new_v4());
        draft.base_version = Some(0);
    });
    app.ingest(std::slice::from_ref(&base)).await;
    type Change = fn(&mut Event);
    let signed: [(&str, Change); 5] = [
        ("entity_id", |event| event.entity_id = "other".to_owned()),
        ("created_at", |event| event.created_at = "2026-02-03T04:05:06.789+00:00".to_owned()),
        ("event_type", |event| event.event_type = "other".to_owned()),
        ("agent_key_id", |event| event.agent_key_id = 9),
        ("payload", |event| {
            event.payload = ves::Payload::Plain("{}".to_owned());
            event.payload_plain_hash = ves::canonical::payload_plain_hash("{}");
        }),
    ];
    let unsigned: [(&str, Change); 5] = [
        ("base_version", |event| event.base_version = Some(1)),
        ("no base_version", |event| event.base_version = None),
        ("command_id", |event| event.command_id = Some(Uuid::new_v4())),
        ("no command_id", |event| event.command_id = None),
        ("agent_signature", |event| event.agent_signature = Sig64([0x11; 64])),
    ];
    for (name, change) in signed.into_iter().chain(unsigned) {
        let mut event = base.clone();
        change(&mut event);
        if signed.iter().any(|(signed, _)| *signed == name) {
            event.agent_signature = agent.key.sign(&event.signing_hash());
        }
        let response = app.ingest(&[event]).await;
        assert_eq!(response.rejections[0].reason, "duplicate_event_id", "{name}");
        assert_eq!(response.head_sequence, 1, "{name}");
    }
    // A broken envelope under a used id is a duplicate too: its id decides first.
    let mut broken = crate::agent::envelope(&base);
    broken["payload"] = json!({ "swapped": true });
    let response = app.client.ingest_raw(&agent, &[broken.to_string()]).await;
    assert_eq!(response.rejections[0].reason, "duplicate_event_id");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_is_answered_after_its_key_was_revoked_and_after_a_restart() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    let first = receipts(&app.client, std::slice::from_ref(&event)).await;
    app.client.post("/api/v1/agents/keys/revoke", &agent.key_name()).await.ok();
    let fresh = app.ingest(&[agent.event()]).await;
    assert_eq!(fresh.rejections[0].reason, "agent_key_invalid: revoked");
    assert_eq!(receipts(&app.client, std::slice::from_ref(&event)).await, first);
    let app = app.restart().await;
    assert_eq!(receipts(&app.client, &[event]).await, first);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sixty_four_tasks_post_one_event_and_it_gets_one_number() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event_with(|draft| draft.command_id = Some(Uuid::new_v4()));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..64 {
        let (client, event) = (app.client.clone(), event.clone());
        tasks.spawn(async move { client.ingest(&[event]).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().map(|answer| answer.events_accepted).sum::<u64>(), 1);
    for answer in &answers {
        assert_eq!(answer.receipts, answers[0].receipts);
        assert_eq!((answer.events_rejected, answer.head_sequence), (0, 1));
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repeat_may_say_the_scheme_it_left_out_before() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let event = agent.event();
    let first = app.ingest(std::slice::from_ref(&event)).await;
    for scheme in [0, 1] {
        let mut envelope = crate::agent::envelope(&event);
        envelope["agent_signature_scheme"] = json!(scheme);
        let again = app.client.ingest_raw(&agent, &[envelope.to_string()]).await;
        assert_eq!(again.receipts, first.receipts, "scheme {scheme}");
    }
    app.finish().await;
}
