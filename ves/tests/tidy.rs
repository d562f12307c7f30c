//! House rules that a compiler does not check: the size and the look of every source file, links
//! between pages, and a map that names every room.
//!
//! It is here because this crate is the first to compile. It reads the repository, never git.
#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::fs;
use std::path::{Path, PathBuf};

const LINES_PER_FILE: usize = 600;
const COLUMNS_PER_LINE: usize = 100;

/// Files above this many lines need a line in [`LONG_FILES`].
const LINES_PER_FILE_WITHOUT_A_REASON: usize = 400;

/// A ratchet: path, longest length it may have, and the reason. Entries leave, none comes.
const LONG_FILES: &[(&str, usize, &str)] = &[];

/// Written in two halves, so that this file does not name what it looks for.
const UNFINISHED: &[&str] = &[
    concat!("TO", "DO"),
    concat!("FIX", "ME"),
    concat!("place", "holder"),
    concat!("unimple", "mented!"),
];

#[test]
fn every_source_file_follows_the_house_rules() {
    let mut complaints = Vec::new();
    for file in files_ending_in("rs") {
        let text = fs::read_to_string(root().join(&file)).unwrap();
        complaints.extend(complaints_about_source(&file, &text));
    }
    for (path, _, _) in LONG_FILES {
        if !root().join(path).is_file() {
            complaints.push(format!("{path}: is gone: remove its line from LONG_FILES"));
        }
    }
    report(&complaints);
}

#[test]
fn every_relative_link_leads_somewhere() {
    // Bodies of runbooks link as their pages do, which are made from them and are read here.
    let pages = files_ending_in("md").into_iter();
    let pages = pages.filter(|page| !page.starts_with("runbooks/written/"));
    let pages: Vec<_> = pages.map(|page| (read(&page), page)).collect();
    let mut complaints = Vec::new();
    for (text, page) in &pages {
        for (line, target) in links(text) {
            let (path, anchor) = target.split_once('#').unwrap_or((target, ""));
            let linked = if path.is_empty() {
                root().join(page)
            } else {
                root().join(page).parent().unwrap().join(path)
            };
            if !linked.exists() {
                complaints.push(format!("{page}:{line}: the link `{target}` leads nowhere"));
            } else if !anchor.is_empty() && linked.extension().is_some_and(|e| e == "md") {
                let text = fs::read_to_string(&linked).unwrap();
                if !anchors(&text).iter().any(|a| a == anchor) {
                    complaints.push(format!("{page}:{line}: `{target}` has no such heading"));
                }
            }
        }
    }
    report(&complaints);
}

#[test]
fn the_map_names_every_workspace_member() {
    let map = root().join("ARCHITECTURE.md");
    assert!(map.is_file(), "ARCHITECTURE.md is missing: it is the map of the workspace");
    let map = fs::read_to_string(map).unwrap();
    let missing: Vec<_> = members(&read("Cargo.toml"))
        .into_iter()
        .filter(|member| {
            !map.lines().any(|line| line.contains(&format!("`{member}`")) || named(line, member))
        })
        .map(|member| format!("ARCHITECTURE.md: no line names `{member}`"))
        .collect();
    report(&missing);
}

#[test]
fn the_rules_see_what_they_should() {
    let unfinished = format!("//! Room.\n// {}: later\n", UNFINISHED[0]);
    let wide = format!("//! Room.\n// {}\n", "x".repeat(98));
    let long = format!("//! Room.\n{}", "\n".repeat(LINES_PER_FILE));
    let thoughtless = format!("//! Room.\n{}", "\n".repeat(LINES_PER_FILE_WITHOUT_A_REASON));
    for (text, expect) in [
        ("//! Room.\n\nfn a() {}\n", None),
        ("fn a() {}\n", Some("a.rs:1: the first line does not say what the file is for")),
        ("//! Room.\n\tfn a() {}\n", Some("a.rs:2: a tab")),
        (&unfinished, Some("a.rs:2: unfinished work")),
        (&wide, Some("a.rs:2: 101 columns")),
        (&long, Some("a.rs: 601 lines")),
        (&thoughtless, Some("a.rs: 401 lines")),
    ] {
        let found = complaints_about_source("a.rs", text);
        match expect {
            None => assert!(found.is_empty(), "{found:?}"),
            Some(expect) => {
                assert!(found.len() == 1 && found[0].starts_with(expect), "{expect}: {found:?}");
            }
        }
    }

    let page = "[a](b.md) ![c](d.png \"t\")\n```\n[no](x)\n```\n`[no](y)` [e](https://e) [f](#g)\n";
    assert_eq!(links(page), [(1, "b.md"), (1, "d.png"), (5, "#g")]);
    assert_eq!(
        anchors("# The `A` room, again\n## B-c\n# B-c\n"),
        ["the-a-room-again", "b-c", "b-c-1"]
    );
    assert_eq!(members("[workspace]\nmembers = [\n  \"a\", # why\n  \"b\",\n]\n"), ["a", "b"]);
    assert!(named("* ves/ the protocol", "ves") && !named("waves/", "ves"));
}

fn complaints_about_source(file: &str, text: &str) -> Vec<String> {
    let mut complaints = Vec::new();
    if !text.starts_with("//!") {
        complaints.push(format!("{file}:1: the first line does not say what the file is for"));
    }
    let lines = text.lines().count();
    let allowed = LONG_FILES.iter().find(|(path, _, _)| *path == file).map(|entry| entry.1);
    if lines > LINES_PER_FILE {
        complaints.push(format!("{file}: {lines} lines: {LINES_PER_FILE} is the limit: split it"));
    } else if lines > allowed.unwrap_or(LINES_PER_FILE_WITHOUT_A_REASON) {
        complaints.push(format!("{file}: {lines} lines: split it, or say why in LONG_FILES"));
    } else if allowed.is_some() && lines <= LINES_PER_FILE_WITHOUT_A_REASON {
        complaints.push(format!("{file}: {lines} lines: remove its line from LONG_FILES"));
    }
    for (line, number) in text.lines().zip(1..) {
        let columns = line.chars().count();
        if columns > COLUMNS_PER_LINE {
            complaints.push(format!("{file}:{number}: {columns} columns"));
        }
        if line.contains('\t') {
            complaints.push(format!("{file}:{number}: a tab"));
        }
        if let Some(word) = UNFINISHED.iter().find(|word| line.contains(**word)) {
            complaints.push(format!("{file}:{number}: unfinished work: `{word}`"));
        }
    }
    complaints
}

/// Relative targets of inline Markdown links, with their line; code is not read.
fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    let mut fenced = false;
    for (line, number) in text.lines().zip(1..) {
        if line.trim_start().starts_with("```") {
            fenced = !fenced;
        }
        if fenced {
            continue;
        }
        // Every second piece between backticks is code.
        for prose in line.split('`').step_by(2) {
            for after in prose.split("](").skip(1) {
                let target = after.split([')', ' ']).next().unwrap_or_default();
                if !target.contains(':') && !target.is_empty() {
                    found.push((number, target));
                }
            }
        }
    }
    found
}

/// The anchors a page offers, made from its headings as forges do.
fn anchors(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut fenced = false;
    for line in text.lines() {
        if line.starts_with("```") {
            fenced = !fenced;
        }
        let Some(heading) = line.strip_prefix('#').filter(|_| !fenced) else { continue };
        let anchor: String = heading
            .trim_start_matches('#')
            .trim()
            .to_lowercase()
            .chars()
            .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
            .map(|c| if c == ' ' { '-' } else { c })
            .collect();
        let again = (1..).map(|n| format!("{anchor}-{n}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|a| !found.contains(a));
        found.extend(free);
    }
    found
}

/// The quoted names between the brackets of `members = [...]`.
fn members(manifest: &str) -> Vec<String> {
    let (_, list) = manifest.split_once("members = [").expect("a workspace has members");
    let (list, _) = list.split_once(']').expect("the list ends");
    list.split('"').skip(1).step_by(2).map(str::to_owned).collect()
}

/// Whether the line has the room's folder, `member/`, as a word of its own.
fn named(line: &str, member: &str) -> bool {
    line.match_indices(&format!("{member}/"))
        .any(|(at, _)| !line[..at].ends_with(|c: char| c.is_alphanumeric() || c == '/' || c == '_'))
}

/// Paths from the root, sorted; hidden folders and what is built or downloaded are skipped.
fn files_ending_in(extension: &str) -> Vec<String> {
    const NOT_OURS: &[&str] = &["target", "data", "node_modules"];
    let mut found = Vec::new();
    let mut folders = vec![root()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().expect("our file names are UTF-8");
            let path = entry.path();
            if entry.file_type().unwrap().is_dir() {
                if !name.starts_with('.') && !NOT_OURS.contains(&name.as_str()) {
                    folders.push(path);
                }
            } else if path.extension().is_some_and(|e| e == extension) {
                let path = path.strip_prefix(root()).unwrap();
                found.push(path.to_str().expect("our file names are UTF-8").to_owned());
            }
        }
    }
    found.sort();
    found
}

fn read(path: &str) -> String {
    fs::read_to_string(root().join(path)).unwrap()
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder").to_owned()
}

fn report(complaints: &[String]) {
    assert!(complaints.is_empty(), "\n{}\n", complaints.join("\n"));
}
