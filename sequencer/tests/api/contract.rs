//! The served contract is the route table, in both directions, and its examples are real.

use std::collections::{BTreeMap, BTreeSet};

use reqwest::Method;
use sequencer::http::routes::{Access, ROUTES, Surface};
use serde_json::Value;

use crate::answer::{Answer, CODES};
use crate::app::TestApp;

/// The contract as anybody gets it.
async fn contract(app: &TestApp) -> Value {
    app.client.with_key("").get("/openapi.json").await.ok()
}

/// A value with its references to components replaced by what they name.
fn resolve<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    let Some(reference) = value["$ref"].as_str() else { return value };
    let pointer = reference.strip_prefix('#').unwrap();
    let found = document.pointer(pointer).unwrap_or_else(|| panic!("{reference} is not there"));
    resolve(document, found)
}

/// Every operation with its path and method.
fn operations(document: &Value) -> BTreeMap<(String, String), &Value> {
    let mut found = BTreeMap::new();
    for (path, item) in document["paths"].as_object().unwrap() {
        for (name, operation) in item.as_object().unwrap() {
            if name.parse::<Method>().is_ok() && operation.get("operationId").is_some() {
                found.insert((path.clone(), name.to_uppercase()), operation);
            }
        }
    }
    found
}

/// Every `$ref` below a value.
fn references<'a>(value: &'a Value, found: &mut BTreeSet<&'a str>) {
    match value {
        Value::Object(members) => {
            found.extend(members.get("$ref").and_then(Value::as_str));
            members.values().for_each(|member| references(member, found));
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn it_has_every_route_with_every_status_and_no_other() {
    let app = TestApp::start().await;
    let document = contract(&app).await;
    assert_eq!(document["info"]["version"], sequencer::VERSION);
    let operations = operations(&document);
    let declared: BTreeSet<(String, String)> = ROUTES
        .iter()
        .map(|route| (route.spec.template.to_owned(), route.spec.method.as_str().to_owned()))
        .collect();
    assert_eq!(operations.keys().cloned().collect::<BTreeSet<_>>(), declared);
    let mut ids = BTreeSet::new();
    for route in ROUTES {
        let (template, method) = (route.spec.template, route.spec.method.as_str());
        let name = format!("{method} {template}");
        let operation = operations[&(template.to_owned(), method.to_owned())];
        let statuses: BTreeSet<u16> = operation["responses"]
            .as_object()
            .unwrap()
            .keys()
            .map(|status| status.parse().unwrap())
            .collect();
        assert_eq!(statuses, route.spec.statuses.iter().copied().collect(), "{name}");
        let is_open = operation["security"] == serde_json::json!([]);
        assert_eq!(is_open, route.access == Access::Open, "{name}: security");
        let elsewhere = document["paths"][template].get("servers").is_some();
        assert_eq!(elsewhere, route.surface == Surface::Operations, "{name}: servers");
        let is_operations = operation["tags"] == serde_json::json!(["operations"]);
        assert_eq!(is_operations, elsewhere, "{name}: tags");
        assert!(ids.insert(operation["operationId"].as_str().unwrap()), "{name}: operationId");
        let none = Vec::new();
        let parameters = operation["parameters"].as_array().unwrap_or(&none).iter();
        let parameters = parameters.map(|parameter| resolve(&document, parameter));
        let in_path: BTreeSet<&str> = parameters
            .filter(|parameter| parameter["in"] == "path")
            .map(|parameter| parameter["name"].as_str().unwrap())
            .collect();
        let expect: BTreeSet<&str> = template.split(['{', '}']).skip(1).step_by(2).collect();
        assert_eq!(in_path, expect, "{name}: parameters of the path");
    }
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn its_parts_are_all_used_and_its_errors_are_those_of_the_server() {
    let app = TestApp::start().await;
    let document = contract(&app).await;
    let mut used = BTreeSet::new();
    references(&document, &mut used);
    let mut there = BTreeSet::new();
    for (kind, parts) in document["components"].as_object().unwrap() {
        if kind != "securitySchemes" {
            there.extend(
                parts.as_object().unwrap().keys().map(|n| format!("#/components/{kind}/{n}")),
            );
        }
    }
    let used: BTreeSet<String> = used.into_iter().map(str::to_owned).collect();
    assert_eq!(used, there, "what is named is there, and the other way round");
    let codes = document["components"]["schemas"]["ErrorCode"]["enum"].as_array().unwrap();
    let codes: BTreeSet<&str> = codes.iter().map(|code| code.as_str().unwrap()).collect();
    assert_eq!(codes, CODES.iter().map(|(code, ..)| *code).collect());
    // An example of an error has the status, the code and the number that belong together.
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        let example = &response["content"]["application/json"]["example"]["error"];
        let Some(code) = example["code"].as_str() else {
            assert_eq!(name, "NotReady");
            continue;
        };
        let known = CODES.iter().find(|(known, ..)| *known == code).unwrap();
        assert_eq!(example["numeric_code"], known.1, "{name}");
    }
    app.finish().await;
}

/// A whole message has an example, and the example has the members that the schema asks for and
/// no others that it knows.
#[tokio::test(flavor = "multi_thread")]
async fn every_message_has_an_example_of_its_shape() {
    let app = TestApp::start().await;
    let document = contract(&app).await;
    for ((path, method), operation) in operations(&document) {
        let answer = &operation["responses"]["200"]["content"]["application/json"];
        let question = &operation["requestBody"]["content"]["application/json"];
        for message in [answer, question] {
            if message.is_null() || path == "/openapi.json" {
                continue;
            }
            let schema = resolve(&document, &message["schema"]);
            let name = format!("{method} {path}");
            let example = schema["example"].as_object().unwrap_or_else(|| panic!("{name}: none"));
            let none = Vec::new();
            for required in schema["required"].as_array().unwrap_or(&none) {
                assert!(example.contains_key(required.as_str().unwrap()), "{name}: {required}");
            }
            for member in example.keys() {
                assert!(schema["properties"].get(member).is_some(), "{name}: {member}");
            }
        }
    }
    app.finish().await;
}

/// Requests with bodies in an order in which each can succeed, then reads.
const STORY: [(&str, &str); 18] = [
    ("POST", "/api/v1/agents/keys"),
    ("POST", "/api/v1/ves/events/ingest"),
    ("POST", "/api/v1/ves/commitments"),
    ("POST", "/api/v1/ves/proofs/verify"),
    ("POST", "/api/v1/agents/keys/rotate"),
    ("POST", "/api/v1/agents/keys/revoke"),
    ("POST", "/api/v1/agents/{agent_id}/api-keys"),
    ("POST", "/api/v1/admin/api-keys"),
    ("GET", "/api/v1/ves/events"),
    ("GET", "/api/v1/ves/events/{event_id}"),
    ("GET", "/api/v1/ves/head"),
    ("GET", "/api/v1/ves/entities/{entity_type}/{entity_id}"),
    ("GET", "/api/v1/ves/commitments"),
    ("GET", "/api/v1/ves/proofs/{sequence_number}"),
    ("GET", "/api/v1/agents/keys"),
    ("GET", "/api/v1/agents/{agent_id}"),
    ("GET", "/api/v1/agents/{agent_id}/api-keys"),
    ("GET", "/api/v1/admin/stores"),
];

/// The path of an operation with the examples of its parameters.
fn example_path(document: &Value, template: &str, operation: &Value) -> String {
    let (mut path, mut query) = (template.to_owned(), Vec::new());
    let none = Vec::new();
    for parameter in operation["parameters"].as_array().unwrap_or(&none) {
        let parameter = resolve(document, parameter);
        let name = parameter["name"].as_str().unwrap();
        let example = match &parameter["example"] {
            Value::Null => continue,
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        if parameter["in"] == "path" {
            path = path.replace(&format!("{{{name}}}"), &example);
        } else {
            query.push(format!("{name}={example}"));
        }
    }
    format!("{path}?{}", query.join("&"))
}

#[tokio::test(flavor = "multi_thread")]
async fn its_examples_work() {
    let app = TestApp::start().await;
    let document = contract(&app).await;
    let operations = operations(&document);
    for (method, template) in STORY {
        let operation = operations[&(template.to_owned(), method.to_owned())];
        let path = example_path(&document, template, operation);
        let mut request = app.client.request(method, &path);
        let body = &operation["requestBody"]["content"]["application/json"]["schema"];
        if !body.is_null() {
            let example = resolve(&document, body)["example"].to_string();
            request = request.header("content-type", "application/json").body(example);
        }
        let answer = Answer::of(request.send().await.unwrap()).await;
        assert_eq!(answer.status, 200, "{method} {path}: {}", answer.text);
        let found = answer.json();
        // An example and a real answer have the same members, but for what may be left out.
        let schema = &operation["responses"]["200"]["content"]["application/json"]["schema"];
        let schema = resolve(&document, schema);
        for member in found.as_object().unwrap().keys() {
            assert!(schema["properties"].get(member).is_some(), "{method} {path}: {member}");
        }
        if template.ends_with("ingest") {
            assert_eq!(found["eventsAccepted"], 1, "{found}");
        }
        if template.ends_with("verify") {
            assert_eq!(found["valid"], true, "{found}");
        }
        if template == "/api/v1/ves/events" {
            assert_eq!(found["events"].as_array().unwrap().len(), 1, "{found}");
        }
    }
    app.finish().await;
}
