//! The examples are read by the programs they are for.

use std::path::{Path, PathBuf};
use std::process::Command;

/// A program that `make tools` installs, or the one on PATH.
fn tool(name: &str) -> PathBuf {
    let installed = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/bin").join(name);
    if installed.exists() { installed } else { PathBuf::from(name) }
}

fn accepts(name: &str, arguments: &[&str], file: &str) {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated").join(file);
    let program = tool(name);
    let output = Command::new(&program).args(arguments).arg(&file).output();
    let output = output.unwrap_or_else(|error| {
        panic!("{} does not start ({error}); install it with `make tools`", program.display())
    });
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success() && said.contains("SUCCESS"), "{name}: {said}");
}

#[test]
fn alertmanager_reads_its_example() {
    accepts("amtool", &["check-config"], "alertmanager.example.yaml");
}

#[test]
fn prometheus_reads_its_example_with_all_rules() {
    accepts("promtool", &["check", "config"], "prometheus.example.yaml");
}
