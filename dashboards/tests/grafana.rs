//! Every board type-checks against Grafana's own types of four majors: a field that Grafana does
//! not know, or a value that it does not take, fails here and not in front of a user.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fmt::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

/// Panel types that we draw, with the name of their types in `@grafana/schema`.
const PANELS: &[(&str, &str)] = &[
    ("stat", "Stat"),
    ("timeseries", "TimeSeries"),
    ("gauge", "Gauge"),
    ("bargauge", "BarGauge"),
    ("heatmap", "Heatmap"),
    ("table", "Table"),
    ("state-timeline", "StateTimeline"),
    ("text", "Text"),
];
/// Those whose lines or cells have fields of their own.
const WITH_CUSTOM_FIELDS: &[&str] = &["timeseries", "heatmap", "table", "state-timeline"];

/// `Plain` turns string enums into the strings that a file holds. Options may be left out (Grafana
/// fills in its defaults), so `Some` makes them optional; unknown ones are still refused. The
/// fields of an annotation's query and of a variable's are its plugin's, so they are named here.
const TYPES: &str = "
type Plain<T> = T extends string ? `${T}`
    : T extends number | boolean | null | undefined ? T
    : T extends (infer U)[] ? Plain<U>[]
    : T extends object ? { [K in keyof T]: Plain<T[K]> }
    : T;
type Some<T> = T extends (infer U)[] ? Some<U>[]
    : T extends object ? { [K in keyof T]?: Some<T[K]> }
    : T;
type Options<T> = Some<Plain<T>>;
type Annotation = Plain<AnnotationQuery> & {
    expr: string; titleFormat: string; textFormat: string; tagKeys: string; step: string;
    useValueForTime: boolean;
};
type Board = Omit<Plain<Dashboard>, 'annotations'> & { annotations: { list: Annotation[] } };
type Target = {
    refId: string; datasource: { type: 'prometheus'; uid: string }; expr: string;
    legendFormat: string; format: 'time_series' | 'table' | 'heatmap'; instant: boolean;
    range: boolean; editorMode: 'code';
};
";

fn schema(version: &str) -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../.tools/grafana-schema");
    let folder = root.join(version).join("node_modules");
    let found = folder.join("@grafana/schema/package.json");
    assert!(found.exists(), "{} is missing: run `make tools`", found.display());
    folder
}

fn boards() -> Vec<Value> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("generated");
    let mut files: Vec<PathBuf> =
        std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    let read = |file: &PathBuf| serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
    files.iter().map(read).collect()
}

/// Boards and their panels as constants of Grafana's types.
fn program(boards: &[Value]) -> String {
    let mut program = String::from(
        "import type { AnnotationQuery, Dashboard, Panel, RowPanel } from '@grafana/schema';\n",
    );
    for (_, name) in PANELS {
        let room = name.to_lowercase();
        let path = format!("dist/esm/raw/composable/{room}/panelcfg/x/{name}PanelCfg_types.gen");
        writeln!(program, "import type * as {name} from '@grafana/schema/{path}';").unwrap();
    }
    program.push_str(TYPES);
    let mut number = 0;
    let mut constant = |kind: &str, value: &Value| {
        number += 1;
        writeln!(program, "export const c{number}: {kind} = {value};").unwrap();
    };
    for board in boards {
        constant("Board", board);
        for panel in board["panels"].as_array().unwrap() {
            let plugin = panel["type"].as_str().unwrap();
            if plugin == "row" {
                constant("Plain<RowPanel>", panel);
                continue;
            }
            let found = PANELS.iter().find(|(name, _)| *name == plugin);
            let name = found.unwrap_or_else(|| panic!("{plugin} has no types")).1;
            constant("Plain<Panel>", panel);
            constant(&format!("Options<{name}.Options>"), &panel["options"]);
            for target in panel["targets"].as_array().into_iter().flatten() {
                constant("Target", target);
            }
            let custom = &panel["fieldConfig"]["defaults"]["custom"];
            if WITH_CUSTOM_FIELDS.contains(&plugin) {
                constant(&format!("Options<{name}.FieldConfig>"), custom);
            } else {
                let none = custom.as_object().is_none_or(serde_json::Map::is_empty);
                assert!(none, "{plugin}: nobody checks {custom}");
            }
        }
    }
    program
}

/// What the compiler says about the boards; nothing when they fit.
fn complaints(version: &str, boards: &[Value]) -> String {
    let folder = tempfile::tempdir().unwrap();
    std::os::unix::fs::symlink(schema(version), folder.path().join("node_modules")).unwrap();
    std::fs::write(folder.path().join("boards.ts"), program(boards)).unwrap();
    let compiled = Command::new("node")
        .current_dir(folder.path())
        .args(["node_modules/typescript/bin/tsc", "--noEmit", "--strict", "--skipLibCheck"])
        .args(["--target", "es2022", "--module", "esnext", "--moduleResolution", "node10"])
        .arg("boards.ts")
        .output()
        .unwrap_or_else(|error| panic!("node is missing ({error}): install Node.js 18 or newer"));
    let said = String::from_utf8_lossy(&compiled.stdout).into_owned();
    assert_eq!(said.is_empty(), compiled.status.success(), "{compiled:?}");
    said
}

fn check(version: &str) {
    let said = complaints(version, &boards());
    assert!(said.is_empty(), "Grafana {version}:\n{said}");
}

#[test]
fn grafana_10_takes_every_board() {
    check("10.4.0");
}

#[test]
fn grafana_11_takes_every_board() {
    check("11.6.0");
}

#[test]
fn grafana_12_takes_every_board() {
    check("12.4.0");
}

#[test]
fn grafana_13_takes_every_board() {
    check("13.2.3");
}

/// The check sees what it should: each of these mistakes is one that a hand-written board has.
#[test]
fn mistakes_do_not_pass() {
    let mut boards = boards();
    boards.truncate(1);
    let panel = |board: &Value, plugin: &str| {
        let panels = board["panels"].as_array().unwrap();
        panels.iter().position(|panel| panel["type"] == plugin).unwrap()
    };
    let (stat, lines) = (panel(&boards[0], "stat"), panel(&boards[0], "timeseries"));
    // The compiler names an unknown field only where every value fits.
    let mut unknown = boards.clone();
    unknown[0]["colour"] = "blue".into();
    let said = complaints("10.4.0", &unknown);
    assert!(said.contains("'\"colour\"' does not exist"), "a field got through:\n{said}");

    let board = &mut boards[0];
    board["panels"][stat]["options"]["colorMode"] = "backgruond".into();
    board["panels"][lines]["fieldConfig"]["defaults"]["custom"]["lineWitdh"] = 1.into();
    board["panels"][lines]["gridPos"]["w"] = "12".into();
    board["panels"][lines]["targets"][0]["format"] = "timeseries".into();
    let said = complaints("13.2.3", &boards);
    for mistake in ["backgruond", "lineWitdh", "'string' is not", "\"timeseries\""] {
        assert!(said.contains(mistake), "{mistake} got through:\n{said}");
    }
}
