//! The schema of the values knows exactly the values there are, and the links are the programs'.

use std::collections::BTreeSet;

use serde_json::Value;
use testbed::chart::folder;

use crate::cases::members;

fn read(name: &str) -> Value {
    let text = std::fs::read_to_string(folder().join(name)).unwrap();
    serde_saphyr::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// Paths of a tree of values, as deep as the schema names members.
fn paths(value: &Value, schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (key, value) in members(value) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        let inner = &schema["properties"][key];
        if inner["properties"].is_object() && value.is_object() {
            paths(value, inner, &path, found);
        }
        found.insert(path);
    }
}

fn declared(schema: &Value, path: &str, found: &mut BTreeSet<String>) {
    for (key, inner) in members(&schema["properties"]) {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        declared(inner, &path, found);
        found.insert(path);
    }
}

#[test]
fn the_schema_knows_every_value_and_no_other() {
    let (values, schema) = (read("values.yaml"), read("values.schema.json"));
    let (mut there, mut known) = (BTreeSet::new(), BTreeSet::new());
    paths(&values, &schema, "", &mut there);
    declared(&schema, "", &mut known);
    let unknown: Vec<_> = there.difference(&known).collect();
    assert!(unknown.is_empty(), "not in values.schema.json: {unknown:?}");
    // `global` is Helm's own, and claims are for devices.
    let foreign = |path: &str| path == "global" || path.ends_with("resources.claims");
    let idle: Vec<_> = known.difference(&there).filter(|path| !foreign(path)).collect();
    assert!(idle.is_empty(), "not in values.yaml: {idle:?}");
    assert!(there.len() > 100, "{} values", there.len());
}

#[test]
fn what_the_schema_refuses_it_explains() {
    let schema = read("values.schema.json");
    let mut pending = vec![("values".to_owned(), &schema)];
    while let Some((path, part)) = pending.pop() {
        let narrows = part["pattern"].is_string() || part["enum"].is_array();
        assert!(!narrows || part["description"].is_string(), "{path} has no description");
        pending.extend(members(&part["properties"]).map(|(key, of)| (format!("{path}.{key}"), of)));
    }
}

#[test]
fn the_links_are_those_of_the_alerts() {
    let (values, alerts) = (read("values.yaml"), read("files/alerts.json"));
    for name in ["runbooksUrl", "dashboardsUrl"] {
        assert_eq!(values["links"][name], alerts[name], "{name}");
    }
}
