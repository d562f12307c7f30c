//! What holds for every answer: headers, error shape, unknown paths and methods.

use serde_json::json;
use uuid::Uuid;

use crate::answer::Answer;
use crate::app::TestApp;
use crate::ingest::{is_hex, is_time};

#[tokio::test(flavor = "multi_thread")]
async fn a_short_printable_request_id_is_taken_over_and_any_other_replaced() {
    let app = TestApp::start().await;
    let longest = "r".repeat(64);
    let too_long = "r".repeat(65);
    let cases = [
        ("order-4711", true),
        ("a b~!{}", true),
        (longest.as_str(), true),
        (too_long.as_str(), false),
        ("", false),
        ("a\tb", false),
    ];
    for (given, kept) in cases {
        for path in ["/health", "/nowhere", "/api/v1/ves/head"] {
            let request = app.client.request("GET", path).header("x-request-id", given);
            let answer = Answer::of(request.send().await.unwrap()).await;
            answer.check_conventions();
            let id = answer.header("x-request-id").unwrap();
            assert_eq!(id == given, kept, "{given} became {id}");
            assert!(kept || id.parse::<Uuid>().is_ok(), "{id}");
        }
    }
    let bytes = reqwest::header::HeaderValue::from_bytes(b"caf\xe9").unwrap();
    let request = app.client.request("GET", "/health").header("x-request-id", bytes);
    let answer = Answer::of(request.send().await.unwrap()).await;
    assert!(answer.header("x-request-id").unwrap().parse::<Uuid>().is_ok());
    let ids = [app.client.get("/health").await, app.client.get("/health").await];
    assert_ne!(ids[0].header("x-request-id"), ids[1].header("x-request-id"));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_path_is_404_whoever_asks() {
    let app = TestApp::start().await;
    let paths = [
        "/",
        "/api",
        "/api/v1/ves/event",
        "/api/v1/ves/events/",
        "/api/v1/ves/events/a/b",
        "/health/",
        "//health",
        "/HEALTH",
        "/metrics",
        "/health/detailed",
        "/api/v1/ves/entities/a/b/c",
    ];
    for path in paths {
        for client in [app.client.clone(), app.client.with_key("")] {
            for method in ["GET", "POST", "PUT"] {
                let request = client.request(method, path).send().await.unwrap();
                let error = Answer::of(request).await.refused("RESOURCE_NOT_FOUND");
                assert_eq!(error["numeric_code"], 4001, "{method} {path}");
            }
        }
    }
    app.client.get("/api/v1/ves/entities/x/%ff").await.refused("RESOURCE_NOT_FOUND");
    app.operations.get("/health").await.refused("RESOURCE_NOT_FOUND");
    app.operations.get("/api/v1/ves/head").await.refused("RESOURCE_NOT_FOUND");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_method_is_405_and_says_which_are_right() {
    let app = TestApp::start().await;
    let cases = [
        ("PUT", "/health", "GET"),
        ("DELETE", "/api/v1/ves/events/ingest", "POST"),
        ("GET", "/api/v1/ves/events/ingest", "POST"),
        ("POST", "/api/v1/ves/events", "GET"),
        ("PATCH", "/api/v1/ves/commitments", "GET, POST"),
        ("POST", "/api/v1/ves/proofs/1", "GET"),
        ("GET", "/api/v1/ves/proofs/verify", "POST"),
        ("GET", "/api/v1/agents/keys/revoke", "POST"),
        ("DELETE", "/api/v1/admin/api-keys", "GET, POST"),
        ("GET", "/api/v1/admin/api-keys/abcd", "DELETE"),
        ("OPTIONS", "/api/v1/ves/head", "GET"),
        ("BREW", "/api/v1/ves/head", "GET"),
    ];
    for (method, path, allow) in cases {
        let answer = Answer::of(app.client.request(method, path).send().await.unwrap()).await;
        answer.refused("METHOD_NOT_ALLOWED");
        let mut allowed: Vec<&str> = answer.header("allow").unwrap().split(", ").collect();
        allowed.sort_unstable();
        assert_eq!(allowed.join(", "), allow, "{method} {path}");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sequencer_says_who_it_is_to_everybody() {
    let app = TestApp::start().await;
    let info = app.client.with_key("").get("/api/v1/ves/sequencer").await.ok();
    let key = &info["keys"][0];
    assert_eq!(
        info,
        json!({
            "sequencer_id": info["sequencer_id"],
            "keys": [{
                "key_version": 1,
                "algorithm": "ed25519",
                "public_key": key["public_key"],
                "valid_from": key["valid_from"],
                "valid_to": null,
            }],
            "ves_version": 1,
            "limits": {
                "max_body_bytes": 10_485_760,
                "max_events_per_request": 1000,
                "max_payload_bytes": 1_048_576,
                "max_payload_depth": 124,
                "max_entity_type_bytes": 128,
                "max_entity_id_bytes": 512,
                "max_event_type_bytes": 256,
                "max_page_events": 1000,
                "max_commitment_events": 65_536,
            },
        })
    );
    is_hex(&key["public_key"], 64);
    is_time(&key["valid_from"]);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn administrative_requests_refuse_unknown_members() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let tenant = agent.stream.tenant_id;
    let mut key = agent.with_key(2).key_body();
    key["colour"] = json!("red");
    let mut name = agent.key_name();
    name["colour"] = json!("red");
    let api_key = json!({
        "tenant_id": tenant, "read": true, "write": false, "admin": false, "colour": 1
    });
    let cases = [
        ("/api/v1/agents/keys", &key),
        ("/api/v1/agents/keys/rotate", &key),
        ("/api/v1/agents/keys/revoke", &name),
        ("/api/v1/admin/api-keys", &api_key),
    ];
    for (path, body) in cases {
        let error = app.client.post(path, body).await.refused("INVALID_FIELD_VALUE");
        assert!(error["message"].as_str().unwrap().contains("colour"), "{path}: {error}");
        app.client.post_text(path, "{").await.refused("INVALID_REQUEST_BODY");
        app.client.post_text(path, "[]").await.refused("INVALID_REQUEST_BODY");
        app.client.post_text(path, "{}").await.refused("MISSING_REQUIRED_FIELD");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_query_parameters_are_named() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let (tenant, store) = (agent.stream.tenant_id, agent.stream.store_id);
    let upper = tenant.to_string().to_uppercase();
    let good = format!("tenant_id={tenant}&store_id={store}");
    let queries = [
        (String::new(), "MISSING_REQUIRED_FIELD", "tenant_id"),
        (format!("tenant_id={tenant}"), "MISSING_REQUIRED_FIELD", "store_id"),
        (format!("tenant_id=&store_id={store}"), "INVALID_FIELD_VALUE", "tenant_id"),
        (format!("tenant_id={upper}&store_id={store}"), "INVALID_FIELD_VALUE", "tenant_id"),
        (format!("tenant_id={{{tenant}}}&store_id={store}"), "INVALID_FIELD_VALUE", "tenant_id"),
        (format!("{good}&tenant_id={tenant}"), "INVALID_FIELD_VALUE", "tenant_id"),
    ];
    let paged = [
        ("from=-1", "from"),
        ("from=x", "from"),
        ("from=1.5", "from"),
        ("from=+1", "from"),
        ("from=", "from"),
        ("from=9223372036854775808", "from"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("limit=-5", "limit"),
        ("limit=ten", "limit"),
        ("limit=99999999999999999999", "limit"),
    ];
    let id = Uuid::new_v4();
    let routes = [
        ("/api/v1/ves/events".to_owned(), true),
        ("/api/v1/ves/commitments".to_owned(), true),
        ("/api/v1/ves/entities/shelf/SH-1".to_owned(), true),
        ("/api/v1/ves/head".to_owned(), false),
        (format!("/api/v1/ves/events/{id}"), false),
        ("/api/v1/ves/proofs/1".to_owned(), false),
    ];
    for (route, is_paged) in routes {
        let mut cases: Vec<(String, &str, &str)> = queries.to_vec();
        if is_paged {
            let wrong = |(query, name): &(&str, &'static str)| {
                (format!("{good}&{query}"), "INVALID_FIELD_VALUE", *name)
            };
            cases.extend(paged.iter().map(wrong));
        }
        for (query, code, name) in cases {
            let error = app.client.get(&format!("{route}?{query}")).await.refused(code);
            let message = error["message"].as_str().unwrap();
            assert!(message.contains(name), "{route}?{query}: {message}");
        }
    }
    app.finish().await;
}
