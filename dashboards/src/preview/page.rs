//! One page: a document that holds its style, its data and the scripts that draw them.

use anyhow::Context as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use sha2::{Digest as _, Sha256};

const TEMPLATE: &str = include_str!("page/page.html");
const STYLES: [&str; 2] =
    [include_str!("../../../assets/uplot/uPlot.min.css"), include_str!("page/style.css")];
/// In the order in which they need each other; the first is not ours.
const SCRIPTS: [&str; 14] = [
    include_str!("../../../assets/uplot/uPlot.iife.min.js"),
    include_str!("../../../assets/dom.js"),
    include_str!("page/dom.js"),
    include_str!("page/format.js"),
    include_str!("page/chart.js"),
    include_str!("page/lines.js"),
    include_str!("page/heatmap.js"),
    include_str!("page/stat.js"),
    include_str!("page/gauge.js"),
    include_str!("page/bars.js"),
    include_str!("page/table.js"),
    include_str!("page/timeline.js"),
    include_str!("page/text.js"),
    include_str!("page/main.js"),
];

/// The whole page. Its policy allows its own style and script by their hash and asks nobody.
///
/// # Errors
/// When the data are not JSON or the template lacks a mark: mistakes of this program.
pub(super) fn document(title: &str, data: &Value) -> anyhow::Result<String> {
    let style = STYLES.join("\n");
    let script = format!("\"use strict\";\n{}", SCRIPTS.join("\n"));
    let policy = format!(
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; \
         style-src '{}'; script-src '{}'",
        hash(&style),
        hash(&script)
    );
    // No `<` can end the element or begin a comment in it.
    let data = serde_json::to_string(data)?.replace('<', "\\u003c");
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
    use serde_json::json;

    fn between<'a>(html: &'a str, from: &str, to: &str) -> Option<&'a str> {
        assert_eq!(html.matches(from).count(), 1, "{from}");
        Some(html.split_once(from)?.1.split_once(to)?.0)
    }

    #[test]
    fn the_policy_names_exactly_what_is_in_the_page() -> anyhow::Result<()> {
        let html = document("a & <b>", &json!({ "text": "/*script*/</script><!--" }))?;
        assert!(html.contains("<title>a &amp; &lt;b></title>"));
        for (from, to) in [("<style>", "</style>"), ("<script>", "</script>")] {
            let text = between(&html, from, to).context("it is there")?;
            assert!(html.contains(&hash(text)), "{from}");
        }
        let data = between(&html, "<script id=\"data\" type=\"application/json\">", "</script>");
        let data: Value = serde_json::from_str(data.context("data")?)?;
        assert_eq!(data["text"], "/*script*/</script><!--");
        Ok(())
    }

    #[test]
    fn nothing_in_the_page_points_elsewhere() {
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
