//! Reading a scrape, and comparing it with the catalogue.
#![allow(dead_code, reason = "not every test binary uses all of it")]

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use catalog::{LabelValues, Metric};

/// One family of a scrape.
#[derive(Debug, Default)]
pub(crate) struct Family {
    pub(crate) kind: String,
    pub(crate) help: String,
    /// Label sets without `le`, and the value of each sample by its full name and labels.
    pub(crate) labels: Vec<BTreeMap<String, String>>,
}

/// Families by name, and samples by their text before the value.
pub(crate) fn parse(scrape: &str) -> (BTreeMap<String, Family>, BTreeMap<String, f64>) {
    let mut families: BTreeMap<String, Family> = BTreeMap::new();
    let mut samples = BTreeMap::new();
    for line in scrape.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap();
            let before = families.insert(name.to_owned(), Family::default());
            assert!(before.is_none(), "HELP twice: {name}");
            families.get_mut(name).unwrap().help = help.to_owned();
        } else if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap();
            let family = families.get_mut(name).unwrap();
            assert!(family.kind.is_empty(), "TYPE twice: {name}");
            family.kind = kind.to_owned();
        } else {
            let (series, value) = line.rsplit_once(' ').unwrap();
            assert!(samples.insert(series.to_owned(), value.parse().unwrap()).is_none());
            let (name, labels) = series.split_once('{').unwrap_or((series, "}"));
            let stem = ["_bucket", "_sum", "_count"].iter().find_map(|end| name.strip_suffix(end));
            let stem = stem.filter(|stem| families.contains_key(*stem)).unwrap_or(name);
            let family = families.get_mut(stem).unwrap_or_else(|| panic!("no family: {line}"));
            let mut labels = parse_labels(labels.strip_suffix('}').unwrap());
            labels.remove("le");
            family.labels.push(labels);
        }
    }
    (families, samples)
}

/// `a="x",b="y"`; no value here holds a quote.
fn parse_labels(text: &str) -> BTreeMap<String, String> {
    let pairs = text.split("\",").filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| {
            let (name, value) = pair.split_once("=\"").unwrap();
            (name.to_owned(), value.trim_end_matches('"').to_owned())
        })
        .collect()
}

/// Fails where a family is not as declared.
pub(crate) fn check_family(metric: &Metric, family: &Family) {
    assert_eq!(family.kind, metric.kind.as_str(), "{}", metric.name);
    assert_eq!(family.help, metric.help, "{}", metric.name);
    let names: BTreeSet<&str> = metric.labels.iter().map(|label| label.name).collect();
    assert!(!family.labels.is_empty(), "{} has no series", metric.name);
    for labels in &family.labels {
        let found: BTreeSet<&str> = labels.keys().map(String::as_str).collect();
        assert_eq!(found, names, "{}", metric.name);
    }
    for label in metric.labels {
        let values: BTreeSet<&str> =
            family.labels.iter().map(|labels| labels[label.name].as_str()).collect();
        match label.values {
            LabelValues::Closed(closed) => {
                let closed: BTreeSet<&str> = closed.iter().copied().collect();
                assert_eq!(values, closed, "{} {}", metric.name, label.name);
            }
            LabelValues::Capped(cap) => {
                assert!(values.len() <= cap + 1, "{}: {} values", metric.name, values.len());
            }
            LabelValues::Program => assert!(values.iter().all(|value| !value.is_empty())),
        }
    }
}

/// The rules of Prometheus itself.
pub(crate) fn promtool_has_no_complaint(scrape: &str) {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    let installed = workspace.join(".tools/bin/promtool");
    let program = match std::env::var_os("PROMTOOL") {
        Some(program) => PathBuf::from(program),
        None if installed.exists() => installed,
        None => PathBuf::from("promtool"),
    };
    let child = Command::new(&program)
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.unwrap_or_else(|error| {
        panic!("{} does not start ({error}); install it with `make tools`", program.display())
    });
    child.stdin.take().unwrap().write_all(scrape.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    assert!(output.status.success() && said.trim().is_empty(), "promtool: {said}");
}
