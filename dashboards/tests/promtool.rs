//! Prometheus itself reads every expression of every board: its parser knows what ours may not.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::{Path, PathBuf};
use std::process::Command;

use alerts::overrides::{Overrides, RuleSet};
use serde_json::{Value, json};

/// What the Makefile puts into `.tools`, or what is on the path.
fn promtool() -> PathBuf {
    let ours = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin/promtool");
    std::env::var_os("PROMTOOL")
        .map_or_else(|| if ours.exists() { ours } else { PathBuf::from("promtool") }, PathBuf::from)
}

/// Every text that Grafana would send, with its variables filled in as "All" does.
fn expressions(boards: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for board in boards {
        let texts = |path: &str, field: &str| -> Vec<String> {
            let all = board.pointer(path).and_then(Value::as_array).into_iter().flatten();
            all.filter_map(|one| one[field].as_str()).map(str::to_owned).collect()
        };
        found.extend(texts("/annotations/list", "expr"));
        let label_values = texts("/templating/list", "query").into_iter();
        let inside = label_values.filter_map(|query| {
            Some(query.strip_prefix("label_values(")?.rsplit_once(", ")?.0.to_owned())
        });
        found.extend(inside);
        for panel in board["panels"].as_array().unwrap() {
            let targets = panel["targets"].as_array().into_iter().flatten();
            found.extend(targets.map(|target| target["expr"].as_str().unwrap().to_owned()));
        }
    }
    let fill = |expr: String| {
        expr.replace("$__rate_interval", "1m").replace("$job", ".+").replace("$instance", ".+")
    };
    found.into_iter().map(fill).collect()
}

#[test]
fn prometheus_reads_every_expression() {
    let set = RuleSet::new(&Overrides::default()).unwrap();
    let boards: Vec<Value> = dashboards::export::boards(&set)
        .unwrap()
        .iter()
        .map(|(_, text)| serde_json::from_str(text).unwrap())
        .collect();
    let expressions = expressions(&boards);
    assert!(expressions.len() > 300, "{}", expressions.len());
    assert!(expressions.iter().all(|expr| !expr.contains('$')), "a variable that nobody fills in");
    let rule = |(number, expr): (usize, &String)| {
        let record = format!("expression:{number}");
        json!({ "record": record, "expr": expr })
    };
    let rules: Vec<Value> = expressions.iter().enumerate().map(rule).collect();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("rules.yaml");
    // JSON is YAML.
    let text = json!({ "groups": [{ "name": "boards", "rules": rules }] }).to_string();
    std::fs::write(&file, text).unwrap();
    let checked = Command::new(promtool())
        .args(["check", "rules"])
        .arg(&file)
        .output()
        .unwrap_or_else(|error| panic!("promtool is missing ({error}): run `make tools`"));
    let said = String::from_utf8_lossy(&checked.stdout).into_owned();
    let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(checked.status.success(), "{said}{errors}");
    assert!(said.contains(&format!("{} rules found", rules.len())), "{said}");
}
