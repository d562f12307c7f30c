//! What the guides of deployment name is there: targets of make, files, values of the chart, flags
//! of the programs. Links are the business of the house rules.

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use regex::Regex;
use serde_json::Value;
use testbed::chart::folder;
use testbed::program::{bare, program};

/// Ours, with flags of their own.
const PROGRAMS: [&str; 6] = ["sequencer", "sidecar", "loadgen", "alerts", "dashboards", "runbooks"];
/// The pages that are read.
const PAGES: [&str; 6] = [
    "README.md",
    "docs/deployment.md",
    "docs/helm.md",
    "docs/testing.md",
    "helm/README.md",
    "helm/prod-values.yaml",
];
/// What calls make, too.
const WORKFLOWS: [&str; 2] = [".github/workflows/ci.yml", ".github/workflows/release.yml"];

fn root() -> PathBuf {
    folder().join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// What stands in backticks, and the lines of blocks for a shell.
fn code(page: &str) -> Vec<String> {
    let (mut found, mut is_block) = (Vec::new(), false);
    for line in page.lines() {
        if line.trim_start().starts_with("```") {
            is_block = !is_block;
        } else if is_block || line.starts_with('#') {
            found.push(line.trim_start_matches(['#', ' ']).to_owned());
        } else {
            found.extend(line.split('`').skip(1).step_by(2).map(str::to_owned));
        }
    }
    found
}

/// For each of these files: its name and its code.
fn pages() -> impl Iterator<Item = (&'static str, Vec<String>)> {
    PAGES.into_iter().map(|name| (name, code(&read(name))))
}

fn found<'a>(pattern: &Regex, texts: &'a [String]) -> BTreeSet<&'a str> {
    let all = texts.iter().flat_map(|text| pattern.captures_iter(text));
    all.map(|found| found.get(1).unwrap().as_str()).collect()
}

#[test]
fn targets_of_make_are_there() {
    let makefile = read("Makefile");
    let line = Regex::new(r"(?m)^([a-z][a-z -]*):").unwrap();
    let targets: BTreeSet<&str> =
        line.captures_iter(&makefile).flat_map(|all| all.extract::<1>().1[0].split(' ')).collect();
    let call = Regex::new(r"\bmake((?: +[a-z][a-z-]*)+)").unwrap();
    let mut seen = 0;
    let called = WORKFLOWS.into_iter().map(|name| (name, vec![read(name)]));
    for (name, texts) in pages().chain(called) {
        for target in found(&call, &texts).into_iter().flat_map(str::split_whitespace) {
            assert!(targets.contains(target), "{name}: there is no `make {target}`");
            seen += 1;
        }
    }
    assert!(seen > 40, "{seen} targets");
}

#[test]
fn files_are_there() {
    let file = Regex::new(r"(?:^|[\s=(])(?:\./)?([A-Za-z.][\w.-]*(?:/[\w.-]+)+)").unwrap();
    let mut seen = 0;
    for (name, texts) in pages() {
        for path in found(&file, &texts) {
            let first = path.split('/').next().unwrap();
            // What is made by running is not there before, and a host name is no folder.
            if ["data", "target", ".tools"].contains(&first) || !root().join(first).is_dir() {
                continue;
            }
            assert!(root().join(path).exists(), "{name}: there is no {path}");
            seen += 1;
        }
    }
    assert!(seen > 25, "{seen} files");
}

#[test]
fn values_are_there() {
    let values: Value = serde_saphyr::from_str(&read("helm/values.yaml")).unwrap();
    let path = Regex::new(r"(?:^|[\s,(])([A-Za-z]+(?:\.[A-Za-z]+)+)\b").unwrap();
    let mut seen = 0;
    for (name, texts) in pages() {
        for path in found(&path, &texts) {
            let mut keys = path.split('.');
            let mut value = &values[keys.next().unwrap()];
            // Another thing with a dot in it.
            if !value.is_object() {
                continue;
            }
            for key in keys {
                // What the user names is not there before: `alerts.NAME`, `dashboards.labels.team`.
                let is_open = value.as_object().is_some_and(serde_json::Map::is_empty);
                let next = value.get(key);
                assert!(is_open || next.is_some(), "{name}: {path} is no value of the chart");
                value = next.unwrap_or(&Value::Null);
            }
            seen += 1;
        }
    }
    assert!(seen > 60, "{seen} values");
}

/// The flags of a program's subcommand, from its help.
fn flags(words: &[&str]) -> String {
    let mut help = bare(&program(words[0]));
    let output = help.args(&words[1..]).arg("--help").stdout(Stdio::piped()).output().unwrap();
    assert!(output.status.success(), "{words:?} --help: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn flags_of_the_programs_are_there() {
    let names = PROGRAMS.join("|");
    let call = Regex::new(&format!(r"^(?:[^ ]*/)?((?:{names})(?: [a-z-]+)? .*)$")).unwrap();
    let mut seen = 0;
    for (name, texts) in pages() {
        for line in found(&call, &texts) {
            let words: Vec<&str> = line.split_whitespace().collect();
            let bare = words.iter().take_while(|word| !word.starts_with('-'));
            let help = flags(&bare.copied().collect::<Vec<_>>());
            for flag in words.iter().filter_map(|word| word.strip_prefix("--")) {
                let flag = flag.split('=').next().unwrap().trim_end_matches(['.', ',']);
                assert!(help.contains(&format!("--{flag}")), "{name}: `{line}`: no --{flag}");
                seen += 1;
            }
        }
    }
    assert!(seen >= 4, "{seen} flags");
}

/// What a page shows to be pasted is what a shell can read.
#[test]
fn blocks_are_of_a_shell() {
    let mut seen = 0;
    for name in PAGES.into_iter().filter(|name| name.ends_with(".md")) {
        let page = read(name);
        for block in page.split("```sh").skip(1) {
            let block = block.split_once('\n').unwrap().1.split("```").next().unwrap();
            let output = Command::new("bash").args(["-n", "-c", block]).output().unwrap();
            let said = String::from_utf8_lossy(&output.stderr);
            assert!(output.status.success(), "{name}: {said} in\n{block}");
            seen += 1;
        }
    }
    assert!(seen >= 8, "{seen} blocks");
}
