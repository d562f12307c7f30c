//! Figures for administrators: true, complete, paged, and of one's own tenant only.

use serde_json::{Value, json};
use uuid::Uuid;

use crate::agent::Agent;
use crate::app::{Client, TestApp};
use crate::ingest::is_time;

/// All items of a list, read in pages of two.
async fn all(client: &Client, list: &str, filter: &str) -> Vec<Value> {
    let (mut items, mut after) = (Vec::new(), String::new());
    loop {
        let path = format!("/api/v1/admin/{list}?limit=2{filter}{after}");
        let page = client.get(&path).await.ok();
        assert_eq!(page.as_object().unwrap().len(), 2, "{page}");
        let found = page["items"].as_array().unwrap();
        assert!((1..=2).contains(&found.len()), "{page}");
        items.extend(found.clone());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return items,
        }
    }
}

/// The item with this value in a member.
fn with<'a>(items: &'a [Value], member: &str, value: Uuid) -> &'a Value {
    let found: Vec<&Value> = items.iter().filter(|item| item[member] == json!(value)).collect();
    assert_eq!(found.len(), 1, "{member} {value} in {items:?}");
    found[0]
}

/// A tenant with two stores, an agent that signs, an agent whose only API key is revoked, and an
/// administrator.
struct Tenant {
    agent: Agent,
    second: Agent,
    /// The revoked key, as it was listed before.
    revoked: Value,
    admin: Client,
}

async fn tenant(app: &TestApp) -> Tenant {
    let agent = app.agent().await;
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    app.fill(&agent, 30).await;
    app.client.seal(agent.stream, 1, 20).await.ok();
    let second = agent.in_store(Uuid::new_v4());
    app.fill(&second, 4).await;
    let keyed = Uuid::new_v4();
    let scoped = json!({ "tenant_id": tenant, "agent_id": keyed, "store_ids": [store] });
    app.credential(scoped).await;
    let admin = app.credential(json!({ "tenant_id": tenant, "admin": true })).await;
    let keys = format!("/api/v1/admin/api-keys?tenant_id={tenant}");
    let listed = app.client.get(&keys).await.ok();
    let revoked = with(listed["items"].as_array().unwrap(), "agent_id", keyed).clone();
    let prefix = revoked["key_prefix"].as_str().unwrap();
    app.client.delete(&format!("/api/v1/admin/api-keys/{prefix}")).await.ok();
    Tenant { agent, second, revoked, admin }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_figures_are_those_of_the_log_and_the_keys() {
    let app = TestApp::start().await;
    let Tenant { agent, second, admin, .. } = tenant(&app).await;
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    let other = app.agent().await;
    app.fill(&other, 2).await;

    let overview = app.client.get("/api/v1/admin/overview").await.ok();
    is_time(&overview["lastActivityAt"]);
    let expect = json!({
        "tenants": 2, "stores": 3, "agents": 3, "apiKeys": 4, "activeApiKeys": 3,
        "totalHeadSequence": 36, "activeStores24h": 3,
        "lastActivityAt": overview["lastActivityAt"],
    });
    assert_eq!(overview, expect);
    let own = json!({
        "tenants": 1, "stores": 2, "agents": 2, "apiKeys": 2, "activeApiKeys": 1,
        "totalHeadSequence": 34, "activeStores24h": 2,
    });
    for found in [
        admin.get("/api/v1/admin/overview").await.ok(),
        app.client.get(&format!("/api/v1/admin/overview?tenant_id={tenant}")).await.ok(),
    ] {
        for (name, value) in own.as_object().unwrap() {
            assert_eq!(found[name], *value, "{name}");
        }
    }

    let tenants = all(&app.client, "tenants", "").await;
    assert_eq!(tenants.len(), 2);
    let found = with(&tenants, "tenantId", tenant);
    is_time(&found["lastKeyAt"]);
    is_time(&found["lastActivityAt"]);
    let expect = json!({
        "tenantId": tenant, "agentCount": 2, "apiKeyCount": 2, "activeApiKeys": 1,
        "storeCount": 2, "totalHeadSequence": 34, "activeStores24h": 2,
        "lastKeyAt": found["lastKeyAt"], "lastActivityAt": found["lastActivityAt"],
    });
    assert_eq!(*found, expect);

    let stores = all(&app.client, "stores", "").await;
    assert_eq!(stores.len(), 3);
    let found = with(&stores, "storeId", store);
    let expect = json!({
        "tenantId": tenant, "storeId": store, "headSequence": 30, "committedSequence": 20,
        "agentCount": 2, "updatedAt": found["updatedAt"],
    });
    assert_eq!(*found, expect);
    let path = format!("/api/v1/ves/events?tenant_id={tenant}&store_id={store}&from=30");
    let last = app.client.get(&path).await.ok();
    assert_eq!(found["updatedAt"], last["events"][0]["sequenced_at"]);
    let found = with(&stores, "storeId", second.stream.store_id);
    assert_eq!((&found["headSequence"], &found["agentCount"]), (&json!(4), &json!(1)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_agents_are_listed_with_what_their_keys_allow() {
    let app = TestApp::start().await;
    let Tenant { agent, revoked, admin, .. } = tenant(&app).await;
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    let keyed: Uuid = revoked["agent_id"].as_str().unwrap().parse().unwrap();
    app.agent().await;
    let agents = all(&app.client, "agents", "").await;
    assert_eq!(agents.len(), 3);
    let found = with(&agents, "agentId", keyed);
    let expect = json!({
        "tenantId": tenant, "agentId": keyed, "permissions": "read", "storeScope": "all",
        "apiKeyCount": 1, "activeApiKeys": 0,
        "firstKeyAt": revoked["created_at"], "lastKeyAt": revoked["created_at"],
    });
    assert_eq!(*found, expect);
    let path = format!("/api/v1/agents/{}/api-keys", agent.id);
    app.client.post(&path, &json!({ "storeIds": [store] })).await.ok();
    let agents = all(&admin, "agents", "").await;
    let found = with(&agents, "agentId", agent.id);
    assert_eq!(found["storeScope"], "scoped");
    assert_eq!((&found["permissions"], &found["apiKeyCount"]), (&json!("read_write"), &json!(1)));
    is_time(&found["firstKeyAt"]);
    assert!(found["firstKeyAt"].as_str() < found["lastKeyAt"].as_str());
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenants_administrator_sees_its_tenant_and_the_platform_sees_all() {
    let app = TestApp::start().await;
    let mut agents = Vec::new();
    for _ in 0..3 {
        let agent = app.agent().await;
        for store in [agent.stream.store_id, Uuid::new_v4(), Uuid::new_v4()] {
            app.ingest(&[agent.in_store(store).event()]).await;
        }
        agents.push(agent);
    }
    let own = agents[0].stream.tenant_id;
    let admin = app.credential(json!({ "tenant_id": own, "admin": true })).await;
    for (list, each) in [("tenants", 1), ("stores", 3), ("agents", 1)] {
        let everything = all(&app.client, list, "").await;
        assert_eq!(everything.len(), 3 * each, "{list}");
        let named = all(&app.client, list, &format!("&tenant_id={own}")).await;
        assert_eq!(all(&admin, list, "").await, named, "{list}");
        assert_eq!(named.len(), each);
        let mine = everything.iter().filter(|item| item["tenantId"] == json!(own));
        assert!(mine.eq(&named), "{list}: in the same order");
    }
    let elsewhere = agents[1].stream.tenant_id;
    let narrowed = json!({ "tenant_id": own, "admin": true, "store_ids": [Uuid::new_v4()] });
    let narrowed = app.credential(narrowed).await;
    let bound = json!({ "tenant_id": own, "admin": true, "agent_id": agents[0].id });
    let bound = app.credential(bound).await;
    let plain = app.credential(json!({ "tenant_id": own })).await;
    for list in ["overview", "tenants", "stores", "agents"] {
        let path = format!("/api/v1/admin/{list}");
        let others = format!("{path}?tenant_id={elsewhere}");
        admin.get(&others).await.refused("INSUFFICIENT_PERMISSIONS");
        for client in [&narrowed, &bound, &plain] {
            client.get(&path).await.refused("INSUFFICIENT_PERMISSIONS");
        }
        app.client.with_key("").get(&path).await.refused("AUTH_REQUIRED");
        app.client.get(&format!("{path}?tenant_id=x")).await.refused("INVALID_FIELD_VALUE");
        if list != "overview" {
            for wrong in ["limit=0", "limit=1001", "after=x", "after=:", "after=%00"] {
                let answer = app.client.get(&format!("{path}?{wrong}")).await;
                answer.refused("INVALID_FIELD_VALUE");
            }
        }
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_log_has_figures_too() {
    let app = TestApp::start().await;
    let overview = app.client.get("/api/v1/admin/overview").await.ok();
    let expect = json!({
        "tenants": 0, "stores": 0, "agents": 0, "apiKeys": 2, "activeApiKeys": 2,
        "totalHeadSequence": 0, "activeStores24h": 0, "lastActivityAt": null,
    });
    assert_eq!(overview, expect, "the platform's own key is no tenant");
    for list in ["tenants", "stores", "agents"] {
        let page = app.client.get(&format!("/api/v1/admin/{list}")).await.ok();
        assert_eq!(page, json!({ "items": [], "next": null }), "{list}");
    }
    let agent = Agent::new();
    let admin = json!({ "tenant_id": agent.stream.tenant_id, "admin": true });
    let admin = app.credential(admin).await;
    let overview = admin.get("/api/v1/admin/overview").await.ok();
    assert_eq!((&overview["tenants"], &overview["stores"]), (&json!(1), &json!(0)));
    app.finish().await;
}
