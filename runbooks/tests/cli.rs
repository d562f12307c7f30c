//! The program as people run it, without a drill.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use testbed::stack::Stack;

fn runbooks(arguments: &[&str], folder: &Path, variables: &[(&str, &str)]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_runbooks"));
    command.args(arguments).current_dir(folder).env_clear();
    command.envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)));
    command.env("PATH", std::env::var_os("PATH").unwrap()).envs(variables.iter().copied());
    command.output().unwrap()
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

#[test]
fn pages_are_listed_and_shown() {
    let folder = tempfile::tempdir().unwrap();
    let listed = text(&runbooks(&["list"], folder.path(), &[]));
    assert!(listed.lines().count() > 60 && listed.contains("Watchdog"), "{listed}");
    let shown = text(&runbooks(&["show", "SequencerDown"], folder.path(), &[]));
    assert!(shown.starts_with("# SequencerDown\n") && shown.contains("## Drill"), "{shown}");
    let refused = runbooks(&["show", "NoSuchAlert"], folder.path(), &[]);
    assert!(!refused.status.success() && text(&refused).contains("runbooks list"));
    let wrote = runbooks(&["generate", "--out", "pages"], folder.path(), &[]);
    assert!(wrote.status.success(), "{}", text(&wrote));
    assert!(folder.path().join("pages/SequencerDown.md").is_file());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_diagnosis_runs_against_an_environment_and_leaves_evidence_without_secrets() {
    let stack = Stack::start(&[]);
    let folder = tempfile::tempdir().unwrap();
    let environments = format!(
        "[trial]\nsequencer_url = \"{}\"\nops_url = \"{}\"\nsidecar_url = \"{}\"\n\
         prometheus_url = \"http://127.0.0.1:9\"\ndatabase_url_variable = \"TRIAL_DATABASE\"\n",
        stack.sequencer.url, stack.sequencer.operations_url, stack.sidecar.url
    );
    std::fs::write(folder.path().join("runbooks.toml"), environments).unwrap();
    let secret = [("TRIAL_DATABASE", "postgres://log:hunter2secret@127.0.0.1:9/log")];
    let arguments = ["run", "SequencerNotReady", "--env", "trial", "--out", "seen.md"];
    let ran = runbooks(&arguments, folder.path(), &secret);
    let said = text(&ran);
    assert!(ran.status.success(), "{said}");
    assert!(said.contains("does not show the fault of this page"), "{said}");
    let evidence = std::fs::read_to_string(folder.path().join("seen.md")).unwrap();
    for expect in ["# SequencerNotReady in trial", "curl", "[redacted]", "Confirm"] {
        assert!(evidence.contains(expect), "{expect}: {evidence}");
    }
    assert!(!evidence.contains("hunter2"), "{evidence}");
    let refused = runbooks(&["run", "SequencerNotReady", "--env", "moon"], folder.path(), &[]);
    assert!(text(&refused).contains("has no environment `moon`"), "{}", text(&refused));
}
