//! `loadgen report` and `loadgen compare` over the command line.

use std::path::{Path, PathBuf};
use std::process::Output;

use serde_json::{Value, json};

pub(crate) fn sample() -> Value {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sample/run.json");
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// Writes a record and says where.
pub(crate) fn put(folder: &Path, name: &str, record: &Value) -> PathBuf {
    let path = folder.join(name);
    std::fs::write(&path, record.to_string()).unwrap();
    path
}

pub(crate) fn loadgen(arguments: &[&str]) -> Output {
    std::process::Command::new(env!("CARGO_BIN_EXE_loadgen")).args(arguments).output().unwrap()
}

fn said(output: &Output) -> String {
    let out = String::from_utf8_lossy(&output.stdout);
    format!("{out}{}", String::from_utf8_lossy(&output.stderr))
}

#[test]
fn a_record_becomes_three_files() {
    let folder = tempfile::tempdir().unwrap();
    let run = put(folder.path(), "run.json", &sample());
    let run = run.to_str().unwrap();
    let out = folder.path().join("deep/out");
    for arguments in [vec!["report", run, "--out", out.to_str().unwrap()], vec!["report", run]] {
        let output = loadgen(&arguments);
        assert_eq!(output.status.code(), Some(0), "{}", said(&output));
        assert!(said(&output).contains("thresholds failed"), "{}", said(&output));
    }
    for place in [out.as_path(), folder.path()] {
        for (file, expect) in [
            ("report.html", "<!doctype html>"),
            ("summary.md", "thresholds failed"),
            ("junit.xml", "<testsuites"),
        ] {
            let text = std::fs::read_to_string(place.join(file)).unwrap();
            assert!(text.contains(expect), "{file}");
        }
    }
    let output = loadgen(&["report", "/nowhere/run.json"]);
    assert_eq!(output.status.code(), Some(104), "{}", said(&output));
    assert!(said(&output).contains("cannot read /nowhere/run.json"));
}

#[test]
fn a_comparison_decides_by_its_exit_code() {
    let folder = tempfile::tempdir().unwrap();
    let base = sample();
    let mut slower = base.clone();
    slower["latency"]["response"]["p99_us"] = json!(24_000);
    let mut other = base.clone();
    other["profile"]["users"] = json!(50);
    let mut invalid = base.clone();
    invalid["verdict"] = json!("invalid");
    let files = [
        ("base.json", &base),
        ("slower.json", &slower),
        ("other.json", &other),
        ("invalid.json", &invalid),
    ]
    .map(|(name, record)| put(folder.path(), name, record).display().to_string());
    let [base, slower, other, invalid] = files.each_ref().map(String::as_str);
    for (arguments, code, expect) in [
        (vec![base, base], 0, "no regression: nothing is worse by more than 10 %"),
        (vec![base, slower], 99, "REGRESSION: 1 figure"),
        (vec![base, slower, "--tolerance", "20%"], 0, "no regression"),
        (vec![slower, base], 0, "better"),
        (vec![base, slower, "--markdown"], 99, "| response p99 | 21.4 ms | 24.0 ms | 1.122 |"),
        (vec![base, other], 104, "the profiles differ: users was 5, is 50"),
        (vec![base, invalid], 104, "the new run says nothing, it was invalid"),
        (vec![invalid, base], 104, "the base run says nothing"),
        (vec![base, slower, "--tolerance", "much"], 104, "no tolerance such as 10%"),
    ] {
        let output = loadgen(&[vec!["compare"], arguments.clone()].concat());
        let text = said(&output);
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {text}");
        assert!(text.contains(expect), "{arguments:?}: {text}");
    }
}
