//! The program as people call it.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

fn dashboards(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_dashboards")).args(arguments).output().unwrap()
}

fn files(folder: &Path) -> Vec<String> {
    let mut names: Vec<String> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

fn yaml(path: &Path) -> Value {
    let text = std::fs::read_to_string(path).unwrap();
    let options = serde_saphyr::options! { strict_booleans: true };
    serde_saphyr::from_str_with_options(&text, options).unwrap()
}

fn generated(name: &str) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    std::fs::read_to_string(folder.join(name)).unwrap()
}

#[test]
fn generate_writes_the_boards_and_names_them() {
    let folder = tempfile::tempdir().unwrap();
    let done = dashboards(&["generate", "--out", folder.path().to_str().unwrap()]);
    assert!(done.status.success(), "{done:?}");
    let names = files(folder.path());
    assert_eq!(names.len(), 9);
    for name in &names {
        let text = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert_eq!(text, generated(name));
        assert!(String::from_utf8_lossy(&done.stdout).contains(name));
    }
}

#[test]
fn overrides_change_the_boards_and_wrong_ones_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let values = folder.path().join("values.yaml");
    let run = |text: &str| {
        std::fs::write(&values, text).unwrap();
        let out = folder.path().join("out");
        let values = values.to_str().unwrap();
        dashboards(&["generate", "--overrides", values, "--out", out.to_str().unwrap()])
    };
    let done = run("alerts: {SequencerHighLatency: {threshold: 2.5}}");
    assert!(done.status.success(), "{done:?}");
    let name = "stateset-requests.json";
    let text = std::fs::read_to_string(folder.path().join("out").join(name)).unwrap();
    assert!(text.contains("SequencerHighLatency (warning): > 2.5 s"), "the description is new");
    assert!(text.contains("\"value\": 2.5") && !generated(name).contains("\"value\": 2.5"));

    let refused = run("alerts: {SequencerSlow: {threshold: 2.5}}");
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("there is no alert SequencerSlow"), "{said}");
}

#[test]
fn list_has_a_line_a_board() {
    let done = dashboards(&["list"]);
    let said = String::from_utf8_lossy(&done.stdout).into_owned();
    assert!(done.status.success() && said.lines().count() == 9, "{said}");
    assert!(said.lines().all(|line| line.starts_with("stateset-") && line.contains(" panels ")));
}

#[test]
fn config_maps_hold_each_board_unchanged_and_are_small_enough() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let done = dashboards(&["export", "--format", "configmaps", "--out", out]);
    assert!(done.status.success(), "{done:?}");
    let names = files(folder.path());
    assert_eq!(names.len(), 9);
    for name in names {
        let path = folder.path().join(&name);
        assert!(path.metadata().unwrap().len() < 250 * 1024, "{name}");
        let map = yaml(&path);
        assert_eq!((&map["apiVersion"], &map["kind"]), (&"v1".into(), &"ConfigMap".into()));
        assert_eq!(map["metadata"]["labels"]["grafana_dashboard"], "1");
        let uid = name.strip_suffix(".configmap.yaml").unwrap();
        assert_eq!(map["metadata"]["name"], format!("{uid}-dashboard"));
        let data = map["data"].as_object().unwrap();
        assert_eq!(data.len(), 1);
        let file = format!("{uid}.json");
        assert_eq!(data[&file], generated(&file), "{name}");
    }
}

#[test]
fn the_provisioning_folder_points_at_its_boards() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().to_str().unwrap();
    let done = dashboards(&[
        "export",
        "--format",
        "provisioning",
        "--out",
        out,
        "--mounted-at",
        "/boards",
        "--folder",
        "Events",
    ]);
    assert!(done.status.success(), "{done:?}");
    let provider = yaml(&folder.path().join("provisioning/dashboards/stateset-sequencer.yaml"));
    assert_eq!(provider["apiVersion"], 1);
    let provider = &provider["providers"][0];
    assert_eq!((&provider["type"], &provider["folder"]), (&"file".into(), &"Events".into()));
    assert_eq!(provider["options"]["path"], "/boards");
    let names = files(&folder.path().join("dashboards"));
    assert_eq!(names.len(), 9);
    for name in names {
        let text = std::fs::read_to_string(folder.path().join("dashboards").join(&name)).unwrap();
        assert_eq!(text, generated(&name));
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_said_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("file");
    std::fs::write(&file, "").unwrap();
    let out = file.join("below");
    let refused = dashboards(&["generate", "--out", out.to_str().unwrap()]);
    assert_eq!(refused.status.code(), Some(1));
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(said.contains("cannot create") && said.contains("below"), "{said}");
    assert_eq!(dashboards(&["export"]).status.code(), Some(2), "wrong usage");
}
