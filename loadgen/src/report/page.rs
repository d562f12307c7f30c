//! The page: a document that holds its style, the record, and the scripts that draw it.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest as _, Sha256};

use crate::record::Record;

const TEMPLATE: &str = include_str!("page/page.html");
const STYLES: [&str; 2] =
    [include_str!("../../../assets/uplot/uPlot.min.css"), include_str!("page/style.css")];
/// In the order in which they need each other; the first is not ours.
const SCRIPTS: [&str; 9] = [
    include_str!("../../../assets/uplot/uPlot.iife.min.js"),
    include_str!("../../../assets/dom.js"),
    include_str!("page/dom.js"),
    include_str!("page/format.js"),
    include_str!("page/chart.js"),
    include_str!("page/timeline.js"),
    include_str!("page/percentiles.js"),
    include_str!("page/tables.js"),
    include_str!("page/main.js"),
];

/// The whole page. Its policy allows its own style and script by their hash and asks nobody.
///
/// # Errors
/// When the record is not JSON or the template lacks a mark: mistakes of this program.
pub(super) fn document(title: &str, record: &Record) -> anyhow::Result<String> {
    let style = STYLES.join("\n");
    let script = format!("\"use strict\";\n{}", SCRIPTS.join("\n"));
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; \
         style-src '{}'; script-src '{}'",
        hash(&style),
        hash(&script)
    );
    // No `<` can end the element or begin a comment in it.
    let data = serde_json::to_string(record).context("a record is JSON")?;
    let data = data.replace('<', "\\u003c");
    let title = title.replace('&', "&amp;").replace('<', "&lt;");
    let parts = [
        ("/*policy*/", &policy),
        ("/*title*/", &title),
        ("/*style*/", &style),
        ("/*data*/", &data),
        ("/*script*/", &script),
    ];
    let mut html = String::with_capacity(data.len() + script.len() + style.len() + TEMPLATE.len());
    let mut rest = TEMPLATE;
    for (mark, text) in parts {
        // What has been put in is not looked at for marks.
        let (before, after) = rest.split_once(mark).with_context(|| format!("no {mark}"))?;
        html.push_str(before);
        html.push_str(text);
        rest = after;
    }
    html.push_str(rest);
    Ok(html)
}

/// What a policy calls an inline script or style.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    fn between<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
        assert_eq!(html.matches(from).count(), 1, "{from}");
        html.split_once(from).unwrap().1.split_once(to).unwrap().0
    }

    #[test]
    fn the_policy_names_exactly_what_is_in_the_page() {
        let html = document("a & <b>", &samples::sample()).unwrap();
        assert!(html.contains("<title>a &amp; &lt;b></title>"));
        for (from, to) in [("<style>", "</style>"), ("<script>", "</script>")] {
            assert!(html.contains(&hash(between(&html, from, to))), "{from}");
        }
    }

    #[test]
    fn what_a_target_says_never_ends_the_data() {
        for record in samples::every() {
            let html = document(&record.environment.name, &record).unwrap();
            let mark = "<script id=\"data\" type=\"application/json\">";
            let data: Record = serde_json::from_str(between(&html, mark, "</script>")).unwrap();
            assert_eq!(data, record);
            assert_eq!(html.matches("</script>").count(), 2, "the data and the script");
            assert!(!html.contains("<img"));
        }
    }

    #[test]
    fn nothing_in_the_page_points_elsewhere_or_reads_text_as_markup() {
        for text in SCRIPTS.into_iter().skip(1).chain(STYLES).chain([TEMPLATE]) {
            // The name space of SVG is a name, not an address.
            let text = text.replace("http://www.w3.org/2000/svg", "");
            for mark in ["http:", "https:", "@import", "url(", "innerHTML", "eval(", "fetch("] {
                assert!(!text.contains(mark), "{mark}");
            }
        }
    }

    #[test]
    fn every_script_begins_with_what_it_is_for() {
        for script in SCRIPTS.into_iter().skip(1) {
            assert!(script.starts_with("// ") && script.lines().count() <= 400);
            assert!(script.lines().all(|line| line.chars().count() <= 100));
        }
    }
}
