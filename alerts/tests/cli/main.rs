//! The commands from outside, `check` against a real Prometheus.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use testbed::prometheus;

use prometheus::Prometheus;

fn alerts(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_alerts"));
    command.args(arguments).env_clear();
    command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn rules_are_generated_listed_and_explained_with_overrides() {
    let folder = tempfile::tempdir().unwrap();
    let overrides = folder.path().join("values.yaml");
    let values = "alerts: {SequencerHighLatency: {threshold: 2.5, for: 10m}}\n";
    std::fs::write(&overrides, values).unwrap();
    let (overrides, out) = (overrides.to_str().unwrap(), folder.path().join("out"));
    let out = out.to_str().unwrap();
    let done = alerts(&["generate", "--out", out, "--overrides", overrides]);
    assert!(done.status.success(), "{}", text(&done));
    let file = Path::new(out).join("stateset-sequencer-sequencer.rules.yaml");
    let rules = std::fs::read_to_string(file).unwrap();
    assert!(rules.contains("> 2.5)"), "{rules}");

    let listed = alerts(&["list", "--overrides", overrides]);
    let line = text(&listed);
    let line = line.lines().find(|line| line.starts_with("SequencerHighLatency ")).unwrap();
    assert!(line.contains("for 10m") && line.contains("> 2.5"), "{line}");

    let explained = text(&alerts(&["explain", "SequencerCircuitBreakerOpen"]));
    for part in ["critical", "consequences", "SequencerNotReady", "circuit_breaker_state"] {
        assert!(explained.contains(part), "{part}: {explained}");
    }
    for (arguments, expect) in [
        (&["explain", "HighLatency2"][..], "there is no alert HighLatency2"),
        (&["explain", "DiskAlmost"], "did you mean SequencerDiskAlmostFull?"),
        (&["generate", "--out", out, "--time-scale", "0"], "--time-scale must be 1 to 1000"),
        (&["list", "--overrides", "/nowhere.yaml"], "cannot read /nowhere.yaml"),
        (&["check", "--prometheus", "ftp://x"], "not an http or https URL"),
        (&["check", "--prometheus", "http://127.0.0.1:1"], "does not answer as Prometheus does"),
    ] {
        let refused = alerts(arguments);
        assert_eq!(refused.status.code(), Some(1), "{arguments:?}");
        assert!(text(&refused).contains(expect), "{arguments:?}: {}", text(&refused));
    }
}

/// Prometheus scrapes itself under the name of the sequencer's job: `up` is there, the rest not.
#[test]
fn check_says_what_a_prometheus_lacks_and_what_would_have_fired() {
    let prometheus = Prometheus::start(
        "scrape_configs:\n- job_name: stateset-sequencer\n  scrape_interval: 1s\n  \
         static_configs:\n  - targets: ['ADDRESS']\n",
    );
    prometheus.wait_for("count(up{job=\"stateset-sequencer\"})", Duration::from_secs(30));
    let checked = alerts(&["check", "--prometheus", &prometheus.url()]);
    let said = text(&checked);
    assert_eq!(checked.status.code(), Some(3), "{said}");
    assert!(!said.contains("\n  up: no such series"), "{said}");
    for missing in [
        "stateset_sequencer_ready: no such series",
        "stateset_sidecar_canary_success: no such series",
        "(needed by CanaryFailing)",
    ] {
        assert!(said.contains(missing), "{missing}: {said}");
    }
    let fired = |alert: &str| {
        let line = said.lines().find(|line| line.split(' ').next() == Some(alert));
        line.unwrap_or_else(|| panic!("{alert}: {said}")).to_owned()
    };
    assert!(fired("Watchdog").ends_with("once"), "{said}");
    assert!(fired("SequencerDown").ends_with("never"), "{said}");
    assert!(fired("SequencerInstanceDown").ends_with("never"), "{said}");
}
