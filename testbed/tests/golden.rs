//! What the chart renders for development and production, and its table of values, equal the files
//! in the repository.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;

use serde_json::Value;
use testbed::chart::{Render, folder};

/// Compares a file with what it is to be, or writes it.
fn is(file: &Path, expect: &str) {
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::create_dir_all(file.parent().unwrap()).unwrap();
        std::fs::write(file, expect).unwrap();
    }
    let found = std::fs::read_to_string(file).unwrap_or_default();
    assert!(found == expect, "{} is out of date: run `make generate`", file.display());
}

/// Without boards and rules, which are generated files of their own.
#[test]
fn the_renders_are_as_they_were() {
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/renders");
    for name in ["dev", "prod"] {
        let render = Render::of(&[&format!("{name}-values.yaml")]).operator();
        let render = render.set("dashboards.enabled=false");
        let render = render.set("metrics.prometheusRule.enabled=false");
        is(&kept.join(format!("{name}.yaml")), &render.text().unwrap());
    }
}

const BEGIN: &str = "<!-- Table of values, from the comments of values.yaml; do not edit. -->\n";
const END: &str = "<!-- End of the table. -->\n";

#[test]
fn the_table_of_values_is_up_to_date() {
    let source = std::fs::read_to_string(folder().join("values.yaml")).unwrap();
    let values: Value = serde_saphyr::from_str(&source).unwrap();
    let rows = rows(&source);
    every_leaf_has_a_row(&values, "", &rows);
    let mut table = "| value | default | what it does |\n|---|---|---|\n".to_owned();
    for (path, text) in &rows {
        let value = path.split('.').fold(&values, |value, key| &value[key]);
        let text = text.replace('|', "\\|");
        table += &format!("| `{path}` | `{}` | {text} |\n", shown(value));
    }
    let page = folder().join("README.md");
    let written = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = written.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    is(&page, &format!("{before}{BEGIN}{table}{END}{after}"));
}

/// Path and text of each value that a comment beginning with `-- ` stands before.
fn rows(source: &str) -> Vec<(String, String)> {
    let (mut rows, mut path) = (Vec::new(), Vec::new());
    let mut text: Option<String> = None;
    for line in source.lines() {
        let trimmed = line.trim_start();
        if let Some(begun) = trimmed.strip_prefix("# -- ") {
            text = Some(begun.to_owned());
        } else if let Some(more) = trimmed.strip_prefix("# ") {
            if let Some(text) = &mut text {
                *text += &format!(" {more}");
            }
        } else if let Some((key, _)) = trimmed.split_once(':') {
            path.truncate((line.len() - trimmed.len()) / 2);
            path.push(key);
            rows.extend(text.take().map(|text| (path.join("."), text)));
        } else {
            text = None;
        }
    }
    rows
}

/// A text for itself, or for something above it.
fn every_leaf_has_a_row(value: &Value, path: &str, rows: &[(String, String)]) {
    if rows.iter().any(|(row, _)| row == path) {
        return;
    }
    let members = value.as_object().filter(|members| !members.is_empty());
    let members = members.unwrap_or_else(|| panic!("{path} in values.yaml has no text"));
    for (key, value) in members {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        every_leaf_has_a_row(value, &path, rows);
    }
}

/// A default as it is written in YAML: texts bare where they stay texts.
fn shown(value: &Value) -> String {
    match value {
        Value::String(text) => {
            let is_number = !text.is_empty() && text.parse::<f64>().is_ok();
            if text.is_empty() || is_number { format!("\"{text}\"") } else { text.clone() }
        }
        other => other.to_string(),
    }
}
