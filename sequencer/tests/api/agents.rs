//! Agents and the API keys bound to them: who may look, mint and revoke, and what they get.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::Agent;
use crate::app::{Client, TestApp};
use crate::ingest::is_hex;

fn path(agent_id: Uuid) -> String {
    format!("/api/v1/agents/{agent_id}")
}

fn keys_path(agent_id: Uuid) -> String {
    format!("/api/v1/agents/{agent_id}/api-keys")
}

/// The prefix of a credential, as its agent's list shows it.
async fn prefixes(client: &Client, agent_id: Uuid) -> Vec<String> {
    let listed = client.get(&keys_path(agent_id)).await.ok();
    let keys = listed["keys"].as_array().unwrap();
    assert_eq!(listed["count"], keys.len());
    keys.iter().map(|key| key["keyHashPrefix"].as_str().unwrap().to_owned()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_begins_with_its_first_key_and_is_active_while_one_is_good() {
    let app = TestApp::start().await;
    let agent = Agent::new();
    app.client.get(&path(agent.id)).await.refused("RESOURCE_NOT_FOUND");
    app.client.get(&keys_path(agent.id)).await.refused("RESOURCE_NOT_FOUND");
    app.client.post(&keys_path(agent.id), &json!({})).await.refused("RESOURCE_NOT_FOUND");
    app.register(&agent).await;
    let shown = |active: bool, permissions: &str, stores: Value, rate_limit: Value| {
        json!({
            "agentId": agent.id, "tenantId": agent.stream.tenant_id, "active": active,
            "permissions": permissions, "storeIds": stores, "rateLimit": rate_limit,
        })
    };
    let now = async || app.client.get(&path(agent.id)).await.ok();
    // A signing key alone: its events go through credentials of the tenant.
    assert_eq!(now().await, shown(true, "read_write", json!([]), Value::Null));
    let mut stores = [Uuid::new_v4(), Uuid::new_v4(), Uuid::new_v4()];
    stores.sort_unstable();
    let mint = async |body: Value| app.client.post(&keys_path(agent.id), &body).await.ok();
    let [first, second, third] = stores;
    mint(json!({ "storeIds": [second, first], "readOnly": true, "rateLimit": 7 })).await;
    assert_eq!(now().await, shown(true, "read", json!([first, second]), json!(7)));
    mint(json!({ "storeIds": [second, third], "rateLimit": 9 })).await;
    assert_eq!(now().await, shown(true, "read_write", json!(stores), json!(9)));
    mint(json!({ "admin": true })).await;
    assert_eq!(now().await, shown(true, "admin", json!([]), Value::Null));
    for prefix in prefixes(&app.client, agent.id).await {
        app.client.delete(&format!("{}/{prefix}", keys_path(agent.id))).await.ok();
    }
    assert_eq!(now().await, shown(true, "read_write", json!([]), Value::Null));
    app.client.post("/api/v1/agents/keys/revoke", &agent.key_name()).await.ok();
    assert_eq!(now().await, shown(false, "read", json!([]), Value::Null));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_key_works_until_it_is_revoked() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let wanted = json!({ "storeIds": [agent.stream.store_id] });
    let minted = app.client.post(&keys_path(agent.id), &wanted).await.ok();
    let (key, prefix) = (&minted["apiKey"], &minted["keyHashPrefix"]);
    is_hex(prefix, 16);
    let expect = json!({
        "success": true, "apiKey": key, "keyHashPrefix": prefix, "permissions": "read_write",
        "message": minted["message"],
    });
    assert_eq!(minted, expect);
    let own = app.client.with_key(key.as_str().unwrap());
    assert_eq!(own.ingest(&[agent.event()]).await.events_accepted, 1);
    // It is for this agent and this store.
    let other = app.agent().await;
    own.try_ingest(&[other.event()]).await.refused("INSUFFICIENT_PERMISSIONS");
    let elsewhere = agent.in_store(Uuid::new_v4());
    own.try_ingest(&[elsewhere.event()]).await.refused("INSUFFICIENT_PERMISSIONS");
    let key = json!({
        "keyHashPrefix": prefix, "active": true, "permissions": "read_write", "rateLimit": null,
    });
    let listed = own.get(&keys_path(agent.id)).await.ok();
    assert_eq!(listed, json!({ "keys": [key], "count": 1, "next": null }));

    let prefix = prefix.as_str().unwrap();
    let revoke = |prefix: &str| format!("{}/{prefix}", keys_path(agent.id));
    app.client.delete(&revoke(&prefix[..7])).await.refused("INVALID_FIELD_VALUE");
    for unknown in ["0123456789abcdef", "zzzzzzzz", "%25%25%25%25%25%25%25%25", "%00%00%00%0000000"]
    {
        app.client.delete(&revoke(unknown)).await.refused("RESOURCE_NOT_FOUND");
    }
    let elsewhere = format!("{}/{prefix}", keys_path(other.id));
    app.client.delete(&elsewhere).await.refused("RESOURCE_NOT_FOUND");
    assert_eq!(own.delete(&revoke(&prefix[..8])).await.ok()["success"], true);
    own.get(&path(agent.id)).await.refused("INVALID_API_KEY");
    app.client.delete(&revoke(prefix)).await.ok();
    let listed = app.client.get(&keys_path(agent.id)).await.ok();
    assert_eq!(listed["keys"][0]["active"], false);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prefix_of_several_keys_revokes_none() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    for _ in 0..2 {
        app.client.post(&keys_path(agent.id), &json!({})).await.ok();
    }
    let mut behind = app.behind().await;
    for (place, prefix) in (0..).zip(prefixes(&app.client, agent.id).await) {
        // Two hashes that begin alike are not found by trying.
        let alike = format!("abcdef01{place:08x}");
        let sql =
            format!("UPDATE api_keys SET key_prefix = '{alike}' WHERE key_prefix = '{prefix}'");
        behind.execute(&sql).await;
    }
    let both = format!("{}/abcdef01", keys_path(agent.id));
    let error = app.client.delete(&both).await.refused("ALREADY_EXISTS");
    assert!(error["message"].as_str().unwrap().contains("more characters"), "{error}");
    app.client.delete(&format!("{both}00000001")).await.ok();
    let listed = app.client.get(&keys_path(agent.id)).await.ok();
    let active: Vec<&Value> =
        listed["keys"].as_array().unwrap().iter().map(|key| &key["active"]).collect();
    assert_eq!(active, [true, false]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_and_its_administrators_look_after_it_and_nobody_else() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    // What the credential is, then the answers to: look, list, mint, revoke.
    let cases = [
        (json!({ "agent_id": id }), [200, 200, 200, 200]),
        (json!({ "agent_id": id, "write": false }), [200, 200, 403, 403]),
        (json!({ "admin": true }), [200, 200, 200, 200]),
        (json!({ "admin": true, "agent_id": id }), [200, 200, 200, 200]),
        (json!({ "admin": true, "agent_id": Uuid::new_v4() }), [403, 403, 403, 403]),
        (json!({ "agent_id": Uuid::new_v4() }), [403, 403, 403, 403]),
        (json!({}), [403, 403, 403, 403]),
        (json!({ "tenant_id": Uuid::new_v4(), "admin": true }), [404, 404, 404, 404]),
        (json!({ "tenant_id": Uuid::new_v4(), "agent_id": id }), [200, 200, 200, 404]),
    ];
    for (mut has, expect) in cases {
        let place = format!("{}?tenant_id={tenant}", keys_path(id));
        let victim = app.client.post(&place, &json!({})).await.ok();
        let victim = victim["keyHashPrefix"].as_str().unwrap();
        if has.get("tenant_id").is_none() {
            has["tenant_id"] = json!(tenant);
        }
        let client = app.credential(has.clone()).await;
        let answers = [
            client.get(&path(id)).await,
            client.get(&keys_path(id)).await,
            client.post(&keys_path(id), &json!({})).await,
            client.delete(&format!("{}/{victim}", keys_path(id))).await,
        ];
        for answer in &answers {
            answer.check_conventions();
        }
        assert_eq!(answers.map(|answer| answer.status), expect, "{has}");
    }
    // By now two tenants have an agent with this id, and the platform must say which it means.
    let error = app.client.get(&path(id)).await.refused("MISSING_REQUIRED_FIELD");
    assert!(error["message"].as_str().unwrap().contains("tenant_id"), "{error}");
    let found = app.client.get(&format!("{}?tenant_id={tenant}", path(id))).await.ok();
    assert_eq!(found["tenantId"], json!(tenant));
    app.client.with_key("").get(&path(id)).await.refused("AUTH_REQUIRED");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_minted_key_is_never_wider_than_the_credential_that_minted_it() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (tenant, id, store) = (agent.stream.tenant_id, agent.id, agent.stream.store_id);
    let keys = keys_path(id);
    // What the credential has, what it asks for, and the permissions it gets, or the refusal.
    let cases = [
        (json!({}), json!({}), "read_write"),
        (json!({}), json!({ "readOnly": true }), "read"),
        (json!({}), json!({ "admin": false, "readOnly": false }), "read_write"),
        (json!({}), json!({ "admin": true }), "403"),
        (json!({ "admin": true }), json!({}), "read_write"),
        (json!({ "admin": true }), json!({ "admin": true }), "admin"),
        (json!({ "admin": true }), json!({ "admin": true, "readOnly": true }), "400"),
        (json!({ "admin": true, "write": false }), json!({}), "read"),
        (json!({ "admin": true, "write": false }), json!({ "readOnly": false }), "403"),
        (json!({ "admin": true, "write": false }), json!({ "admin": true }), "403"),
        (json!({ "read": false }), json!({}), "403"),
        (json!({ "store_ids": [store] }), json!({}), "read_write"),
        (json!({ "store_ids": [store] }), json!({ "storeIds": [store] }), "read_write"),
        (json!({ "store_ids": [store] }), json!({ "storeIds": [] }), "403"),
        (json!({ "store_ids": [store] }), json!({ "storeIds": [Uuid::new_v4()] }), "403"),
        (json!({ "rate_limit": 60 }), json!({}), "read_write"),
        (json!({ "rate_limit": 60 }), json!({ "rateLimit": 60 }), "read_write"),
        (json!({ "rate_limit": 60 }), json!({ "rateLimit": 61 }), "403"),
        (json!({}), json!({ "rateLimit": 0 }), "400"),
        (json!({}), json!({ "storeIds": vec![store; 1001] }), "400"),
        (json!({}), json!({ "storeIds": ["x"] }), "400"),
        (json!({}), json!({ "store_ids": [] }), "400"),
        (json!({}), json!([]), "400"),
    ];
    for (has, wants, expect) in cases {
        let mut rights = json!({ "tenant_id": tenant, "agent_id": id });
        for (name, value) in has.as_object().unwrap() {
            rights[name] = value.clone();
        }
        let client = app.credential(rights).await;
        let answer = client.post(&keys, &wants).await;
        answer.check_conventions();
        if answer.status != 200 {
            assert_eq!(answer.status.to_string(), expect, "{has} {wants}: {}", answer.text);
            continue;
        }
        let minted = answer.json();
        assert_eq!(minted["permissions"], expect, "{has} {wants}");
        let all = app.client.get(&format!("/api/v1/admin/api-keys?tenant_id={tenant}")).await;
        let all = all.ok();
        let made = all["items"].as_array().unwrap().iter();
        let made = made.filter(|key| key["key_prefix"] == minted["keyHashPrefix"]);
        let made: Vec<&Value> = made.collect();
        let stores = has.get("store_ids").cloned().unwrap_or(json!([]));
        assert_eq!(made[0]["store_ids"], stores, "{has} {wants}");
        let limit = has.get("rate_limit").cloned().unwrap_or_default();
        assert_eq!(made[0]["rate_limit"], limit, "{has} {wants}");
        assert_eq!(made[0]["agent_id"], json!(id), "{has} {wants}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_keys_of_an_agent_are_paged_and_bounded() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let keys = keys_path(agent.id);
    for _ in 0..5 {
        app.client.post(&keys, &json!({})).await.ok();
    }
    let (mut seen, mut after) = (Vec::new(), String::new());
    loop {
        let page = app.client.get(&format!("{keys}?limit=2&after={after}")).await.ok();
        let items = page["keys"].as_array().unwrap();
        assert!(items.len() <= 2 && page["count"] == items.len());
        seen.extend(items.iter().map(|key| key["keyHashPrefix"].as_str().unwrap().to_owned()));
        let Some(next) = page["next"].as_str() else { break };
        after = next.to_owned();
    }
    assert_eq!(seen, prefixes(&app.client, agent.id).await);
    assert_eq!(seen.len(), 5);
    for wrong in ["limit=0", "limit=1001", "after=%00", "after=x", "tenant_id=x"] {
        app.client.get(&format!("{keys}?{wrong}")).await.refused("INVALID_FIELD_VALUE");
    }
    app.client.get("/api/v1/agents/x").await.refused("INVALID_FIELD_VALUE");
    // As many as an agent is given, without 1000 requests.
    let columns = "key_hash, key_prefix, tenant_id, store_ids, can_read, can_write, can_admin,
        agent_id, origin, created_at";
    let (tenant, id) = (agent.stream.tenant_id.simple(), agent.id.simple());
    let sqlite = format!(
        "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 995)
         INSERT INTO api_keys ({columns}) SELECT unhex(printf('%064x', i)), printf('%016x', i),
            x'{tenant}', '[]', 1, 1, 0, x'{id}', 'created', 1 FROM n"
    );
    let postgres = format!(
        "INSERT INTO api_keys ({columns}) SELECT sha256(i::text::bytea), lpad(to_hex(i), 16, '0'),
            '{tenant}', '[]', true, true, false, '{id}', 'created', 1
            FROM generate_series(1, 995) i"
    );
    app.behind().await.execute_either(&sqlite, &postgres).await;
    let error = app.client.post(&keys, &json!({})).await.refused("ALREADY_EXISTS");
    assert!(error["message"].as_str().unwrap().contains("1000 active"), "{error}");
    app.client.delete(&format!("{keys}/{}", seen[0])).await.ok();
    app.client.post(&keys, &json!({})).await.ok();
    app.finish().await;
}
