//! Agents' signing keys: what may be registered, rotation with overlap, revocation.

use std::time::Duration;

use serde_json::{Value, json};
use ves::proof_of_possession_challenge;

use crate::agent::Agent;
use crate::answer::eventually;
use crate::app::TestApp;
use crate::ingest::is_time;

const KEYS: &str = "/api/v1/agents/keys";
const ROTATE: &str = "/api/v1/agents/keys/rotate";
const REVOKE: &str = "/api/v1/agents/keys/revoke";

/// The reason for which a new event of the agent is refused; empty when it is accepted.
async fn reason(app: &TestApp, agent: &Agent) -> String {
    let response = app.ingest(&[agent.event()]).await;
    response.rejections.first().map_or(String::new(), |rejection| rejection.reason.clone())
}

async fn list(app: &TestApp, agent: &Agent) -> Value {
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    app.client.get(&format!("{KEYS}?tenant_id={tenant}&agent_id={id}")).await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn register_list_and_revoke_answer_with_exactly_the_members_of_the_contract() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    let mut body = agent.key_body();
    body["validFrom"] = json!("2026-01-01T00:00:00Z");
    body["validTo"] = json!("2099-01-01T01:00:00+01:00");
    let done = |message: &Value| {
        json!({
            "success": true,
            "tenantId": agent.stream.tenant_id,
            "agentId": agent.id,
            "keyId": 1,
            "keyAlgorithm": 1,
            "message": message,
        })
    };
    let answer = app.client.post(KEYS, &body).await.ok();
    assert_eq!(answer, done(&answer["message"]));
    let listed = list(&app, &agent).await;
    let expect = |status: &str, revoked_at: &Value| {
        json!({
            "keys": [{
                "tenantId": agent.stream.tenant_id,
                "agentId": agent.id,
                "keyId": 1,
                "keyAlgorithm": 1,
                "publicKey": agent.public_key_hex(),
                "status": status,
                "validFrom": "2026-01-01T00:00:00.000000Z",
                "validTo": "2099-01-01T00:00:00.000000Z",
                "revokedAt": revoked_at,
                "createdAt": listed["keys"][0]["createdAt"],
            }],
            "count": 1,
        })
    };
    assert_eq!(listed, expect("active", &Value::Null));
    is_time(&listed["keys"][0]["createdAt"]);
    let answer = app.client.post(REVOKE, &agent.key_name()).await.ok();
    assert_eq!(answer, done(&answer["message"]));
    let revoked = list(&app, &agent).await;
    let revoked_at = &revoked["keys"][0]["revokedAt"];
    is_time(revoked_at);
    assert_eq!(revoked, expect("revoked", revoked_at));
    // A second revocation keeps the time of the first.
    app.client.post(REVOKE, &agent.key_name()).await.ok();
    assert_eq!(list(&app, &agent).await, revoked);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_that_is_not_a_good_point_is_refused() {
    let app = TestApp::start().await;
    let tail =
        |first: &str, filler: &str, last: &str| format!("{first}{}{last}", filler.repeat(30));
    let agent = Agent::new();
    let good = agent.public_key_hex();
    let keys = [
        ("zero", tail("00", "00", "00")),
        ("neutral element", tail("01", "00", "00")),
        ("neutral element with the sign bit", tail("01", "00", "80")),
        ("order two", tail("ec", "ff", "7f")),
        ("zero, not canonical", tail("ed", "ff", "7f")),
        ("neutral element, not canonical", tail("ee", "ff", "7f")),
        ("y = 2^255 - 1", tail("ff", "ff", "7f")),
        ("order four with the sign bit", tail("00", "00", "80")),
        (
            "order eight",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05".to_owned(),
        ),
        ("no point", tail("02", "00", "00")),
        ("31 bytes", good[..62].to_owned()),
        ("33 bytes", format!("{good}00")),
        ("no hex", "zz".repeat(32)),
        ("empty", String::new()),
        ("only 0x", "0x".to_owned()),
    ];
    for (name, key) in keys {
        let mut body = agent.key_body();
        body["publicKey"] = json!(key);
        let answer = app.client.post(KEYS, &body).await;
        assert_eq!(answer.code(), "INVALID_PUBLIC_KEY", "{name}: {}", answer.text);
        let error = answer.refused("INVALID_PUBLIC_KEY");
        assert_eq!((answer.status, &error["numeric_code"]), (400, &json!(6003)));
    }
    assert_eq!(list(&app, &agent).await["count"], 0);
    let mut prefixed = agent.key_body();
    prefixed["publicKey"] = json!(format!("0x{good}"));
    app.client.post(KEYS, &prefixed).await.ok();
    assert_eq!(reason(&app, &agent).await, "");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_member_is_refused() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    let value = "INVALID_FIELD_VALUE";
    let cases = [
        ("keyId", json!(2_147_483_648_u32), value),
        ("keyId", json!(4_294_967_296_u64), value),
        ("keyId", json!(-1), value),
        ("keyId", json!("1"), value),
        ("keyId", json!(null), "MISSING_REQUIRED_FIELD"),
        ("keyAlgorithm", json!(2), value),
        ("keyAlgorithm", json!(3), value),
        ("keyAlgorithm", json!(5), value),
        ("keyAlgorithm", json!(99), value),
        ("publicKeyBundle", json!({}), value),
        ("proofOfPossessionBundle", json!({ "ed25519_signature": [] }), value),
        ("validFrom", json!("yesterday"), value),
        ("validTo", json!("2026-01-01"), value),
        ("validTo", json!(7), value),
        ("overlapSeconds", json!(1), value),
        ("tenantId", json!("x"), value),
        ("agentId", json!(3), value),
        ("proofOfPossession", json!("ab"), value),
    ];
    for (member, wrong, code) in cases {
        let mut body = agent.key_body();
        body[member] = wrong.clone();
        let answer = app.client.post(KEYS, &body).await;
        assert_eq!(answer.code(), code, "{member} = {wrong}: {}", answer.text);
        answer.refused(code);
    }
    for member in ["tenantId", "agentId", "keyId", "publicKey"] {
        let mut body = agent.key_body();
        body.as_object_mut().unwrap().remove(member);
        let error = app.client.post(KEYS, &body).await.refused("MISSING_REQUIRED_FIELD");
        assert!(error["message"].as_str().unwrap().contains(member));
    }
    let mut body = agent.key_body();
    body["validFrom"] = json!("2026-01-02T00:00:00Z");
    body["validTo"] = json!("2026-01-01T00:00:00Z");
    app.client.post(KEYS, &body).await.refused("INVALID_FIELD_VALUE");
    for (key_id, algorithm) in [(0, 0), (1, 1), (i32::MAX, 1)] {
        let mut body = agent.key_body();
        body["keyId"] = json!(key_id);
        body["keyAlgorithm"] = json!(algorithm);
        body["publicKeyBundle"] = json!(null);
        body["proofOfPossessionBundle"] = json!(null);
        let done = app.client.post(KEYS, &body).await.ok();
        assert_eq!((&done["keyId"], &done["keyAlgorithm"]), (&json!(key_id), &json!(1)));
        app.client.post(KEYS, &body).await.refused("ALREADY_EXISTS");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proof_of_possession_is_checked_when_given_and_demanded_when_configured() {
    let proof = |agent: &Agent, signer: &Agent| {
        let challenge = proof_of_possession_challenge(agent.key.public_key().as_bytes());
        signer.key.sign(&challenge).to_string()
    };
    for (required, without) in [("false", 200), ("true", 400)] {
        let app = TestApp::start_with(&["--require-proof-of-possession", required]).await;
        let (agent, other) = (Agent::new(), Agent::new());
        let mut body = agent.key_body();
        body["proofOfPossession"] = json!(proof(&agent, &other));
        app.client.post(KEYS, &body).await.refused("INVALID_SIGNATURE");
        body["proofOfPossession"] = json!(format!("0x{}", proof(&agent, &agent)));
        app.client.post(KEYS, &body).await.ok();
        let second = agent.with_key(2);
        let mut body = second.key_body();
        assert_eq!(app.client.post(KEYS, &body).await.status, without);
        if without != 200 {
            app.client.post(KEYS, &body).await.refused("MISSING_REQUIRED_FIELD");
            app.client.post(ROTATE, &body).await.refused("MISSING_REQUIRED_FIELD");
            body["proofOfPossession"] = json!(proof(&second, &second));
            app.client.post(ROTATE, &body).await.ok();
        }
        app.finish().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_counts_from_its_registration_inside_its_window_until_it_is_revoked() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    assert_eq!(reason(&app, &agent).await, "agent_key_invalid: not_found");
    app.register(&agent).await;
    assert_eq!(reason(&app, &agent).await, "", "at once, though it was just looked up in vain");
    let windows = [
        (2, "validTo", "2026-01-01T00:00:00Z", "agent_key_invalid: expired"),
        (3, "validFrom", "2199-01-01T00:00:00Z", "agent_key_invalid: not_yet_valid"),
        (4, "validFrom", "2026-01-01T00:00:00Z", ""),
    ];
    for (key_id, bound, time, expect) in windows {
        let key = agent.with_key(key_id);
        let mut body = key.key_body();
        body[bound] = json!(time);
        app.client.post(KEYS, &body).await.ok();
        assert_eq!(reason(&app, &key).await, expect, "{bound} {time}");
    }
    app.client.post(REVOKE, &agent.key_name()).await.ok();
    assert_eq!(reason(&app, &agent).await, "agent_key_invalid: revoked");
    // Revoked once is revoked for good.
    app.client.post(KEYS, &agent.key_body()).await.refused("ALREADY_EXISTS");
    let app = app.restart().await;
    assert_eq!(reason(&app, &agent).await, "agent_key_invalid: revoked");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rotation_lets_the_old_key_work_until_the_overlap_ends() {
    let app = TestApp::start().await;
    let old = app.agent().await;
    let new = old.with_key(2);
    let mut body = new.key_body();
    body.as_object_mut().unwrap().remove("keyId");
    body["overlapSeconds"] = json!(2);
    let done = app.client.post(ROTATE, &body).await.ok();
    assert_eq!((&done["success"], &done["keyId"]), (&json!(true), &json!(2)));
    assert_eq!(done.as_object().unwrap().len(), 6);
    assert_eq!(
        (reason(&app, &old).await, reason(&app, &new).await),
        (String::new(), String::new())
    );
    eventually(Duration::from_secs(10), || async {
        (reason(&app, &old).await == "agent_key_invalid: expired").then_some(())
    })
    .await;
    assert_eq!(reason(&app, &new).await, "");
    let newest = old.with_key(3);
    let mut body = newest.key_body();
    body["overlapSeconds"] = json!(0);
    app.client.post(ROTATE, &body).await.ok();
    assert_eq!(reason(&app, &new).await, "agent_key_invalid: expired");
    assert_eq!(reason(&app, &newest).await, "");
    let keys = list(&app, &old).await;
    let ends: Vec<bool> =
        keys["keys"].as_array().unwrap().iter().map(|key| key["validTo"].is_string()).collect();
    assert_eq!(ends, [true, true, false]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_that_does_not_fit_is_refused() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let unknown = Agent::new();
    app.client.post(ROTATE, &unknown.key_body()).await.refused("AGENT_KEY_NOT_FOUND");
    for key_id in [0, 1, 3, i32::MAX] {
        let mut body = agent.with_key(2).key_body();
        body["keyId"] = json!(key_id);
        app.client.post(ROTATE, &body).await.refused("INVALID_FIELD_VALUE");
    }
    for overlap in [json!(-1), json!(366 * 24 * 3600 + 1), json!(1.5)] {
        let mut body = agent.with_key(2).key_body();
        body["overlapSeconds"] = overlap;
        app.client.post(ROTATE, &body).await.refused("INVALID_FIELD_VALUE");
    }
    let mut body = agent.with_key(2).key_body();
    body["publicKey"] = json!("00".repeat(32));
    app.client.post(ROTATE, &body).await.refused("INVALID_PUBLIC_KEY");
    assert_eq!(reason(&app, &agent).await, "", "a refused rotation ends no key");
    let last = Agent { key_id: i32::MAX.cast_unsigned(), ..agent.clone() };
    app.register(&last).await;
    let mut body = agent.key_body();
    body.as_object_mut().unwrap().remove("keyId");
    app.client.post(ROTATE, &body).await.refused("INVALID_FIELD_VALUE");
    let mut name = agent.key_name();
    name["keyId"] = json!(77);
    app.client.post(REVOKE, &name).await.refused("AGENT_KEY_NOT_FOUND");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_rotations_give_one_next_key() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..8 {
        let (client, body) = (app.client.clone(), agent.with_key(2).key_body());
        tasks.spawn(async move { client.post(ROTATE, &body).await });
    }
    let answers = tasks.join_all().await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 200).count(), 1);
    for answer in answers.iter().filter(|answer| answer.status != 200) {
        answer.check_conventions();
        assert!(matches!(answer.status, 400 | 409), "{}", answer.text);
    }
    assert_eq!(list(&app, &agent).await["count"], 2);
    app.finish().await;
}
