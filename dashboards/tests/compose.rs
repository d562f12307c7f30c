//! The compose file says what compose understands, mounts what is there and pins what it runs.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

#[test]
fn compose_knows_every_word_of_it() {
    let installed = root().join(".tools/bin/check-jsonschema");
    let program = if installed.exists() { installed } else { PathBuf::from("check-jsonschema") };
    let output = Command::new(&program)
        .args(["--builtin-schema", "vendor.compose-spec"])
        .arg(root().join("compose.yaml"))
        .output()
        .unwrap_or_else(|error| {
            panic!("{} is missing ({error}): run `make tools`", program.display())
        });
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn what_it_mounts_is_there_and_what_it_runs_has_a_version() {
    let text = std::fs::read_to_string(root().join("compose.yaml")).unwrap();
    let file: Value = serde_saphyr::from_str(&text).unwrap();
    let services = file["services"].as_object().unwrap();
    assert_eq!(services.len(), 3);
    for (name, service) in services {
        let image = service["image"].as_str().unwrap();
        let version = image.rsplit_once(':').unwrap().1;
        assert!(version.chars().any(|c| c.is_ascii_digit()), "{name}: {image}");
        let mounts = service["volumes"].as_array().unwrap().iter().map(|one| one.as_str().unwrap());
        for mount in mounts.filter(|mount| mount.starts_with('.')) {
            let (from, read_only) = (mount.split(':').next().unwrap(), mount.ends_with(":ro"));
            assert!(root().join(from).is_dir() && read_only, "{name}: {mount}");
        }
    }
    assert!(text.contains("${GRAFANA_ADMIN_PASSWORD:?"), "no password that everybody knows");
    assert!(text.contains(dashboards::export::MOUNTED_AT), "the boards are where they are sought");
}
