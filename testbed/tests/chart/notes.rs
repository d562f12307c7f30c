//! What `helm install` says at its end. `helm template` does not print it, so a copy of the chart
//! renders it into a ConfigMap.

use std::path::Path;

use tempfile::TempDir;
use testbed::chart::{Render, folder};

/// Copies a folder with all that is in it.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let place = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &place);
        } else {
            std::fs::copy(entry.path(), place).unwrap();
        }
    }
}

#[test]
fn the_notes_say_what_to_do_next() {
    let chart = TempDir::new().unwrap();
    copy(&folder(), chart.path());
    let notes = folder().join("templates/NOTES.txt");
    std::fs::copy(notes, chart.path().join("NOTES.source")).unwrap();
    std::fs::write(
        chart.path().join("templates/notes.yaml"),
        "kind: Notes\nmetadata: {name: notes}\n\
         text: {{ tpl (.Files.Get \"NOTES.source\") . | quote }}\n",
    )
    .unwrap();
    let said = |file: &str| {
        let render = Render::of(&[file]).chart(chart.path());
        let documents = render.documents();
        let notes = documents.into_iter().find(|document| document["kind"] == "Notes");
        notes.unwrap()["text"].as_str().unwrap().to_owned()
    };
    let dev = said("dev-values.yaml");
    for part in [
        "statefulset/sequencer on SQLite",
        "helm --namespace events test sequencer --logs",
        "port-forward service/sequencer 8080:8080",
        "Nothing scrapes it",
        "keep them in a\nSecret of yours",
    ] {
        assert!(dev.contains(part), "no `{part}` in:\n{dev}");
    }
    let production = said("prod-values.yaml");
    assert!(production.contains("deployment/sequencer on PostgreSQL"), "{production}");
    assert!(production.contains("statefulset/sequencer-witness"), "{production}");
    assert!(!production.contains("release's record"), "{production}");
    let trial = said("ci/postgres-trial.yaml");
    assert!(trial.contains("The bundled PostgreSQL is for trials"), "{trial}");
}
