//! The compose files say what compose understands, mount what is there and pin what they run.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// What watches a `make dev`, and what is added to it for a whole stack.
const FILES: [&str; 2] = ["compose.yaml", "compose.stack.yaml"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

#[test]
fn compose_knows_every_word_of_them() {
    let installed = root().join(".tools/bin/check-jsonschema");
    let program = if installed.exists() { installed } else { PathBuf::from("check-jsonschema") };
    let output = Command::new(&program)
        .args(["--builtin-schema", "vendor.compose-spec"])
        .args(FILES.map(|name| root().join(name)))
        .output()
        .unwrap_or_else(|error| {
            panic!("{} is missing ({error}): run `make tools`", program.display())
        });
    let said = [output.stdout, output.stderr].concat();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&said));
}

#[test]
fn what_they_mount_is_there_and_what_they_run_has_a_version() {
    for file in FILES {
        let services: Value = serde_saphyr::from_str(&read(file)).unwrap();
        let services = services["services"].as_object().unwrap();
        assert!(services.len() >= 3, "{file}");
        for (name, service) in services {
            // The stack changes a service of the first file: its image is there.
            if let Some(image) = service["image"].as_str() {
                let version = image.rsplit_once(':').unwrap().1;
                assert!(version.chars().any(|c| c.is_ascii_digit()), "{name}: {image}");
            } else {
                assert!(file != FILES[0] && read(FILES[0]).contains(name), "{name}: no image");
            }
            let mounts = service["volumes"].as_array().into_iter().flatten();
            for mount in mounts.map(|one| one.as_str().unwrap()).filter(|one| one.starts_with('.'))
            {
                let (from, read_only) = (mount.split(':').next().unwrap(), mount.ends_with(":ro"));
                assert!(root().join(from).is_dir() && read_only, "{name}: {mount}");
            }
        }
    }
    let text = read("compose.yaml");
    assert!(text.contains("${GRAFANA_ADMIN_PASSWORD:?"), "no password that everybody knows");
    assert!(text.contains(dashboards::export::MOUNTED_AT), "the boards are where they are sought");
}

/// Of our images: each is a target of the Dockerfile, and what it is told is what its port says.
#[test]
fn the_stack_runs_what_the_dockerfile_builds() {
    let stack: Value = serde_saphyr::from_str(&read("compose.stack.yaml")).unwrap();
    let dockerfile = read("Dockerfile");
    let mut built = BTreeSet::new();
    for (name, service) in stack["services"].as_object().unwrap() {
        let Some(target) = service["build"]["target"].as_str() else { continue };
        assert!(dockerfile.contains(&format!("FROM base AS {target}\n")), "{name}: {target}");
        let version = env!("CARGO_PKG_VERSION");
        assert_eq!(service["image"], format!("stateset-{target}:{version}"), "{name}");
        built.insert(target);
    }
    assert_eq!(built, BTreeSet::from(["loadgen", "sequencer", "sidecar"]));
}

/// The script makes every file of variables that the stack reads, each secret a new one, and leaves
/// what is there.
#[test]
fn the_script_makes_the_secrets_of_the_stack() {
    let copy = tempfile::tempdir().unwrap();
    std::fs::create_dir(copy.path().join("scripts")).unwrap();
    let script = copy.path().join("scripts/compose-secrets.sh");
    std::fs::copy(root().join("scripts/compose-secrets.sh"), &script).unwrap();
    let run = || assert!(Command::new("bash").arg(&script).status().unwrap().success());
    run();
    let stack: Value = serde_saphyr::from_str(&read("compose.stack.yaml")).unwrap();
    let mut files = BTreeSet::from(["data/compose/grafana.env"]);
    for service in stack["services"].as_object().unwrap().values() {
        files
            .extend(service["env_file"].as_array().into_iter().flatten().filter_map(Value::as_str));
    }
    let written = |file: &str| std::fs::read_to_string(copy.path().join(file)).unwrap();
    let first: Vec<String> = files.iter().map(|file| written(file)).collect();
    assert!(files.len() >= 5 && first.iter().all(|text| text.contains('=')), "{files:?}");
    run();
    assert_eq!(first, files.iter().map(|file| written(file)).collect::<Vec<_>>());
    std::fs::remove_dir_all(copy.path().join("data")).unwrap();
    run();
    let second: Vec<String> = files.iter().map(|file| written(file)).collect();
    assert!(first.iter().zip(&second).all(|(one, other)| one != other), "secrets that repeat");
}
