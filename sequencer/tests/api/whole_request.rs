//! What fails a whole request, and only that.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::{Agent, body, envelope};
use crate::app::TestApp;

/// Asserts code and message, and that nothing was stored.
async fn check(app: &TestApp, agent: &Agent, body: String, code: &str, names: &str) {
    let error = app.client.post_events(body.clone()).await.refused(code);
    let message = error["message"].as_str().unwrap();
    assert!(message.contains(names), "`{names}` in `{message}` for {body:.200}");
    assert_eq!(app.client.head_sequence(agent.stream).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_no_request_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (id, event) = (agent.id, agent.event().to_json());
    let wrong = "INVALID_REQUEST_BODY";
    let cases = [
        (String::new(), wrong, "body"),
        ("{".to_owned(), wrong, "body"),
        ("null".to_owned(), wrong, "body"),
        ("[]".to_owned(), wrong, "body"),
        ("\"text\"".to_owned(), wrong, "body"),
        (format!("[\"{id}\",[{event}]]"), wrong, "object"),
        (format!("{} x", body(id, std::slice::from_ref(&event))), wrong, "body"),
        (format!("{{\"agentId\":\"{id}\",\"events\":[{event},]}}"), wrong, "body"),
        (
            format!("{{\"agentId\":\"{id}\",\"agentId\":\"{id}\",\"events\":[{event}]}}"),
            wrong,
            "agentId",
        ),
        (format!("{{\"events\":[{event}]}}"), "MISSING_REQUIRED_FIELD", "`agentId`"),
        (
            format!("{{\"agentId\":null,\"events\":[{event}]}}"),
            "MISSING_REQUIRED_FIELD",
            "`agentId`",
        ),
        (format!("{{\"agent_id\":\"{id}\",\"events\":[{event}]}}"), "MISSING_REQUIRED_FIELD", ""),
        (format!("{{\"agentId\":7,\"events\":[{event}]}}"), "INVALID_FIELD_VALUE", "`agentId`"),
        (body(id, &[]).replace(&id.to_string(), "x"), "INVALID_FIELD_VALUE", "`agentId`"),
        (format!("{{\"agentId\":\"{id}\"}}"), "MISSING_REQUIRED_FIELD", "`events`"),
        (format!("{{\"agentId\":\"{id}\",\"events\":{{}}}}"), "INVALID_FIELD_VALUE", "`events`"),
        (format!("{{\"agentId\":\"{id}\",\"events\":\"x\"}}"), "INVALID_FIELD_VALUE", "`events`"),
        (body(id, &[]), "INVALID_FIELD_VALUE", "`events`"),
    ];
    for (body, code, names) in cases {
        check(&app, &agent, body, code, names).await;
    }
    let upper = id.to_string().to_uppercase();
    let body = body(id, &[event]).replacen(&id.to_string(), &upper, 1);
    check(&app, &agent, body, "INVALID_FIELD_VALUE", "`agentId`").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_element_that_is_no_envelope_fails_the_request_and_is_named() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let good = agent.event().to_json();
    for element in ["null", "1", "\"x\"", "[]", "[{}]"] {
        let body = body(agent.id, &[good.clone(), element.to_owned()]);
        check(&app, &agent, body, "INVALID_FIELD_VALUE", "events[1]").await;
    }
    let repeated = [
        ("payload", good.replacen("\"payload\":", "\"payload\":{},\"payload\":", 1)),
        ("event_id", good.replacen('{', "{\"event_id\":\"x\",", 1)),
        ("ves_version", good.replacen('{', "{\"ves_v\\u0065rsion\":1,", 1)),
        ("sequence_number", good.replacen('{', "{\"sequence_number\":1,\"sequence_number\":1,", 1)),
    ];
    for (member, envelope) in repeated {
        let body = body(agent.id, &[good.clone(), envelope]);
        let names = format!("events[1].{member}");
        check(&app, &agent, body, "INVALID_FIELD_VALUE", &names).await;
    }
    // Unknown members may come twice: they are ignored.
    let unknown = agent.event().to_json().replacen('{', "{\"colour\":1,\"colour\":2,", 1);
    assert_eq!(app.client.ingest_raw(&agent, &[unknown]).await.events_accepted, 1);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_that_is_missing_or_not_in_the_strict_form_fails_the_request() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let good = agent.event().to_json();
    for member in ["event_id", "tenant_id", "store_id", "source_agent_id"] {
        let id = Uuid::from_u128(0xabcd_ef01_2345_6789_abcd_ef01_2345_6789);
        let wrong = [
            Value::Null,
            json!(7),
            json!(""),
            json!(id.to_string().to_uppercase()),
            json!(id.braced().to_string()),
            json!(id.simple().to_string()),
            json!(id.urn().to_string()),
            json!(format!(" {id}")),
        ];
        let mut envelopes: Vec<Value> =
            wrong.iter().map(|value| agent.envelope_with(|e| e[member] = value.clone())).collect();
        envelopes.push(agent.envelope_with(|event| {
            event.as_object_mut().unwrap().remove(member);
        }));
        for envelope in envelopes {
            let body = body(agent.id, &[good.clone(), envelope.to_string()]);
            let names = format!("events[1].{member}");
            check(&app, &agent, body, "INVALID_FIELD_VALUE", &names).await;
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_is_about_one_stream_and_one_agent() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let good = agent.event().to_json();
    for (member, names) in [
        ("store_id", "events[1]"),
        ("tenant_id", "events[1]"),
        ("source_agent_id", "events[1].source_agent_id"),
    ] {
        let other = agent.envelope_with(|event| event[member] = json!(Uuid::new_v4()));
        let body = body(agent.id, &[good.clone(), other.to_string()]);
        check(&app, &agent, body, "INVALID_FIELD_VALUE", names).await;
    }
    let body = body(Uuid::new_v4(), &[good]);
    check(&app, &agent, body, "INVALID_FIELD_VALUE", "events[0].source_agent_id").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_than_a_thousand_events_fail_the_request() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let one = agent.event().to_json();
    for count in [1001, 5000] {
        let body = body(agent.id, &vec![one.clone(); count]);
        check(&app, &agent, body, "BATCH_TOO_LARGE", "1000").await;
    }
    // Counted before they are looked at.
    let body = body(agent.id, &vec!["null".to_owned(); 1001]);
    let error = app.client.post_events(body).await.refused("BATCH_TOO_LARGE");
    assert_eq!(error["details"], json!({ "max_events": 1000 }));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lower_limit_of_events_is_kept_and_published() {
    let app = TestApp::start_with(&["--max-events-per-batch=2"]).await;
    let agent = app.agent().await;
    app.client.try_ingest(&agent.events(3)).await.refused("BATCH_TOO_LARGE");
    assert_eq!(app.ingest(&agent.events(2)).await.events_accepted, 2);
    let info = app.client.get("/api/v1/ves/sequencer").await.ok();
    assert_eq!(info["limits"]["max_events_per_request"], 2);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_that_is_not_utf8_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut bytes = body(agent.id, &[agent.event().to_json()]).into_bytes();
    let place = bytes.iter().position(|byte| *byte == b's').unwrap();
    bytes[place] = 0xff;
    app.client.post_events(bytes).await.refused("INVALID_REQUEST_BODY");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_nested_without_end_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let deep = "[".repeat(2_000_000);
    check(&app, &agent, deep.clone(), "INVALID_REQUEST_BODY", "").await;
    let closed = format!("{deep}{}", "]".repeat(2_000_000));
    check(&app, &agent, closed.clone(), "INVALID_REQUEST_BODY", "").await;
    check(&app, &agent, body(agent.id, &[closed]), "INVALID_FIELD_VALUE", "events[0]").await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn other_media_types_are_refused_and_json_with_parameters_is_not() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let path = "/api/v1/ves/events/ingest";
    let cases = [
        ("text/plain", 415),
        ("application/x-www-form-urlencoded", 415),
        ("application/jsonp", 415),
        ("", 415),
        ("application/json", 200),
        ("application/json; charset=utf-8", 200),
        ("Application/JSON", 200),
    ];
    for (media_type, expect) in cases {
        let text = body(agent.id, &[agent.event().to_json()]);
        let request = app.client.request("POST", path).header("content-type", media_type);
        let answer = crate::answer::Answer::of(request.body(text).send().await.unwrap()).await;
        answer.check_conventions();
        assert_eq!(answer.status, expect, "{media_type}: {}", answer.text);
    }
    let text = body(agent.id, &[envelope(&agent.event()).to_string()]);
    let silent = app.client.request("POST", path).body(text).send().await.unwrap();
    assert_eq!(silent.status(), 200);
    app.finish().await;
}
