//! Credentials: their shapes, their life, and that nobody widens their own rights.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::query;
use crate::app::{ROOT_KEY, SIDECAR_KEY, TestApp};
use crate::ingest::{is_hex, is_time};

const API_KEYS: &str = "/api/v1/admin/api-keys";

/// Shared with the other rooms: what `item` shows of a credential.
fn public_part(created: &Value) -> Value {
    let mut item = created.clone();
    item.as_object_mut().unwrap().remove("api_key");
    item
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_is_shown_once_and_listed_without_its_text() {
    let app = TestApp::start().await;
    let tenant = Uuid::new_v4();
    let (store, agent) = (Uuid::new_v4(), Uuid::new_v4());
    let wanted = json!({
        "tenant_id": tenant, "store_ids": [store], "read": true, "write": true, "admin": false,
        "agent_id": agent,
    });
    let created = app.client.post(API_KEYS, &wanted).await.ok();
    let key = created["api_key"].as_str().unwrap();
    let expect = json!({
        "api_key": key,
        "key_prefix": created["key_prefix"],
        "tenant_id": tenant,
        "store_ids": [store],
        "read": true,
        "write": true,
        "admin": false,
        "agent_id": agent,
        "rate_limit": null,
        "created_at": created["created_at"],
        "last_used_at": null,
        "revoked_at": null,
    });
    assert_eq!(created, expect);
    is_time(&created["created_at"]);
    is_hex(&created["key_prefix"], 16);
    assert!(key.starts_with(&format!("ss_{}", &tenant.simple().to_string()[..8])), "{key}");
    assert!(key.len() >= 3 + 8 + 32, "at least 24 random bytes: {key}");
    let listed = app.client.get(&format!("{API_KEYS}?tenant_id={tenant}")).await;
    assert_eq!(listed.ok(), json!({ "items": [public_part(&created)], "next": null }));
    // Only its hash is in the store, not even its bytes in a dump's words.
    let stored = app.place().stored();
    let hex: String = key.bytes().map(|byte| format!("{byte:02x}")).collect();
    for clear in [key.as_bytes(), hex.as_bytes()] {
        assert!(!stored.windows(clear.len()).any(|part| part == clear));
    }
    let prefix = created["key_prefix"].as_str().unwrap().as_bytes();
    assert!(stored.windows(prefix.len()).any(|part| part == prefix), "it is looked at");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_request_for_a_key_is_refused() {
    let app = TestApp::start().await;
    let good = json!({ "tenant_id": Uuid::new_v4(), "read": true, "write": false, "admin": false });
    for member in ["tenant_id", "read", "write", "admin"] {
        let mut body = good.clone();
        body.as_object_mut().unwrap().remove(member);
        app.client.post(API_KEYS, &body).await.refused("MISSING_REQUIRED_FIELD");
        body[member] = json!("x");
        app.client.post(API_KEYS, &body).await.refused("INVALID_FIELD_VALUE");
    }
    let cases = [
        ("read", json!(false)),
        ("store_ids", json!(["x"])),
        ("store_ids", json!(vec![Uuid::new_v4(); 1001])),
        ("agent_id", json!("x")),
    ];
    for (member, value) in cases {
        let mut body = good.clone();
        body[member] = value;
        app.client.post(API_KEYS, &body).await.refused("INVALID_FIELD_VALUE");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_key_ends_at_once_and_stays_listed() {
    let app = TestApp::start().await;
    let tenant = Uuid::new_v4();
    let wanted = json!({ "tenant_id": tenant, "read": true, "write": false, "admin": false });
    let created = app.client.post(API_KEYS, &wanted).await.ok();
    let client = app.client.with_key(created["api_key"].as_str().unwrap());
    let path = format!("/api/v1/agents/keys?tenant_id={tenant}&agent_id={}", Uuid::new_v4());
    client.get(&path).await.ok();
    let prefix = created["key_prefix"].as_str().unwrap();
    let done = app.client.delete(&format!("{API_KEYS}/{prefix}")).await.ok();
    assert_eq!(done["success"], true);
    client.get(&path).await.refused("INVALID_API_KEY");
    let listed = app.client.get(&format!("{API_KEYS}?tenant_id={tenant}")).await.ok();
    is_time(&listed["items"][0]["revoked_at"]);
    // Again is no error and changes nothing.
    app.client.delete(&format!("{API_KEYS}/{prefix}")).await.ok();
    assert_eq!(app.client.get(&format!("{API_KEYS}?tenant_id={tenant}")).await.ok(), listed);
    for unknown in ["0123456789abcdef", "x", "%20"] {
        let answer = app.client.delete(&format!("{API_KEYS}/{unknown}")).await;
        answer.refused("RESOURCE_NOT_FOUND");
    }
    let app = app.restart().await;
    app.client.with_key(&client.key).get(&path).await.refused("INVALID_API_KEY");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_use_of_a_key_is_kept() {
    let app = TestApp::start().await;
    let tenant = Uuid::new_v4();
    let client = app.credential(json!({ "tenant_id": tenant })).await;
    client.get(&format!("/api/v1/ves/head?tenant_id={tenant}&store_id={tenant}")).await.ok();
    let app = app.restart().await;
    let listed = app.client.get(&format!("{API_KEYS}?tenant_id={tenant}")).await.ok();
    is_time(&listed["items"][0]["last_used_at"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_paged_and_a_tenant_sees_its_own() {
    let app = TestApp::start().await;
    let (tenant, other) = (Uuid::new_v4(), Uuid::new_v4());
    let admin = app.credential(json!({ "tenant_id": tenant, "admin": true })).await;
    app.credential(json!({ "tenant_id": other })).await;
    for _ in 0..6 {
        app.credential(json!({ "tenant_id": tenant })).await;
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = admin.get(&format!("{API_KEYS}?limit=3&after={after}")).await.ok();
        let items = page["items"].as_array().unwrap();
        assert!(items.len() <= 3);
        seen.extend(items.iter().map(|item| item["key_prefix"].clone()));
        assert!(items.iter().all(|item| item["tenant_id"] == json!(tenant)));
        match page["next"].as_str() {
            Some(next) => after = next.to_owned(),
            None => break,
        }
    }
    assert_eq!(seen.len(), 7);
    seen.dedup();
    assert_eq!(seen.len(), 7, "no key twice");
    admin.get(&format!("{API_KEYS}?tenant_id={other}")).await.refused("INSUFFICIENT_PERMISSIONS");
    let all = app.client.get(&format!("{API_KEYS}?limit=1000")).await.ok();
    assert_eq!(all["items"].as_array().unwrap().len(), 10, "the platform sees all and its own");
    for wrong in ["limit=0", "limit=1001", "tenant_id=x"] {
        app.client.get(&format!("{API_KEYS}?{wrong}")).await.refused("INVALID_FIELD_VALUE");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_widens_their_own_rights() {
    let app = TestApp::start().await;
    let tenant = Uuid::new_v4();
    let (store, agent) = (Uuid::new_v4(), Uuid::new_v4());
    let all = json!({ "read": true, "write": true, "admin": true });
    // What each credential has beside its tenant, what it wants, and whether it may have it.
    let cases = [
        (all.clone(), json!({ "admin": true }), 200),
        (all.clone(), json!({ "store_ids": [store] }), 200),
        (all.clone(), json!({ "agent_id": agent }), 200),
        (all.clone(), json!({ "tenant_id": Uuid::new_v4() }), 403),
        (all.clone(), json!({ "tenant_id": Uuid::nil() }), 403),
        (json!({ "write": false, "admin": true }), json!({ "write": true }), 403),
        (json!({ "write": false, "admin": true }), json!({ "write": false }), 200),
        (json!({ "read": false, "admin": true }), json!({ "read": true }), 403),
        (json!({ "admin": false }), json!({ "write": false }), 403),
        (json!({ "admin": true, "store_ids": [store] }), json!({}), 403),
        (
            json!({ "admin": true, "store_ids": [store] }),
            json!({ "store_ids": [store, Uuid::new_v4()] }),
            403,
        ),
        (json!({ "admin": true, "store_ids": [store] }), json!({ "store_ids": [store] }), 200),
        (json!({ "admin": true, "agent_id": agent }), json!({}), 403),
        (json!({ "admin": true, "agent_id": agent }), json!({ "agent_id": Uuid::new_v4() }), 403),
        (json!({ "admin": true, "agent_id": agent }), json!({ "agent_id": agent }), 200),
        (json!({ "admin": true, "rate_limit": 90 }), json!({ "rate_limit": 90 }), 200),
        (json!({ "admin": true, "rate_limit": 90 }), json!({ "rate_limit": 91 }), 403),
        (json!({ "admin": true, "rate_limit": 90 }), json!({}), 403),
        (all.clone(), json!({ "rate_limit": 0 }), 400),
    ];
    for (mut has, wants, expect) in cases {
        has["tenant_id"] = json!(tenant);
        let client = app.credential(has.clone()).await;
        let mut wanted =
            json!({ "tenant_id": tenant, "read": true, "write": true, "admin": false });
        if has.get("write") == Some(&json!(false)) {
            wanted["write"] = json!(false);
        }
        if has.get("read") == Some(&json!(false)) {
            wanted["read"] = json!(false);
        }
        for (name, value) in wants.as_object().unwrap() {
            wanted[name] = value.clone();
        }
        let answer = client.post(API_KEYS, &wanted).await;
        answer.check_conventions();
        assert_eq!(answer.status, expect, "has {has}, wants {wanted}: {}", answer.text);
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_cannot_revoke_beyond_itself_and_nobody_a_configured_key() {
    let app = TestApp::start().await;
    let mine = app.credential(json!({ "tenant_id": Uuid::new_v4(), "admin": true })).await;
    let tenant = Uuid::new_v4();
    let theirs = app.credential(json!({ "tenant_id": tenant })).await;
    let all = app.client.get(&format!("{API_KEYS}?limit=1000")).await.ok();
    for item in all["items"].as_array().unwrap() {
        let path = format!("{API_KEYS}/{}", item["key_prefix"].as_str().unwrap());
        if item["tenant_id"] == json!(tenant) || item["tenant_id"] == json!(Uuid::nil()) {
            mine.delete(&path).await.refused("RESOURCE_NOT_FOUND");
        }
        if item["tenant_id"] == json!(Uuid::nil()) {
            app.client.delete(&path).await.refused("INSUFFICIENT_PERMISSIONS");
        }
    }
    let path = format!("/api/v1/ves/head?tenant_id={tenant}&store_id={tenant}");
    theirs.get(&path).await.ok();
    for configured in [ROOT_KEY, SIDECAR_KEY] {
        app.client.with_key(configured).get(&path).await.ok();
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_needs_no_set_up_of_tenant_or_store() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let client = app.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
    assert_eq!(client.ingest(&[agent.event()]).await.sequence_start, Some(1));
    let read = client.get(&format!("/api/v1/ves/events?{}", query(agent.stream))).await.ok();
    assert_eq!(read["head_sequence"], 1);
    app.finish().await;
}
