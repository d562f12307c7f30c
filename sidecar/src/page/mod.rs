//! Pages for people: the status page and the runbooks. Each is one document that loads nothing.

mod markdown;
pub mod runbooks;

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use sha2::{Digest as _, Sha256};
use warp::http::HeaderValue;

/// Every script of the status page, in the order in which they need each other.
const SCRIPTS: [&str; 7] = [
    include_str!("../../../assets/uplot/uPlot.iife.min.js"),
    include_str!("../../../assets/dom.js"),
    include_str!("status/dom.js"),
    include_str!("status/format.js"),
    include_str!("status/charts.js"),
    include_str!("status/sections.js"),
    include_str!("status/main.js"),
];
const CHART_STYLE: &str = include_str!("../../../assets/uplot/uPlot.min.css");
const STYLE: &str = include_str!("style.css");
const STATUS: &str = include_str!("status/page.html");
const RUNBOOK: &str = include_str!("runbook.html");

/// A page and the policy under which a browser shows it.
#[derive(Clone)]
pub struct Document {
    /// The whole page.
    pub html: Bytes,
    /// Its `content-security-policy`: only what is in the page itself, by hash.
    pub policy: HeaderValue,
}

/// The pages, put together once.
pub struct Page {
    status: Document,
    runbook_policy: HeaderValue,
}

impl Page {
    /// Puts the pages together.
    #[must_use]
    pub fn new() -> Self {
        let style = format!("{CHART_STYLE}\n{STYLE}");
        let script = format!("\"use strict\";\n{}", SCRIPTS.join("\n"));
        let html = STATUS.replace("/*style*/", &style).replace("/*script*/", &script);
        let policy = format!(
            "{}; script-src '{}'; connect-src 'self'; img-src data:",
            common_policy(&style),
            source(&script)
        );
        Self {
            status: Document { html: html.into(), policy: header(&policy) },
            runbook_policy: header(&common_policy(STYLE)),
        }
    }

    /// The status page.
    #[must_use]
    pub fn status(&self) -> Document {
        self.status.clone()
    }

    /// A runbook as a page; `alert` is a checked name.
    #[must_use]
    pub fn runbook(&self, alert: &str, text: &str) -> Document {
        // The text goes last: nothing in it is looked at for marks.
        let mut html = RUNBOOK.replace("/*style*/", STYLE).replace("{alert}", alert);
        if let Some(at) = html.find("{text}") {
            html.replace_range(at..at + "{text}".len(), &markdown::to_html(text));
        }
        Document { html: html.into(), policy: self.runbook_policy.clone() }
    }
}

impl Default for Page {
    fn default() -> Self {
        Self::new()
    }
}

fn common_policy(style: &str) -> String {
    let mut policy = String::from("default-src 'none'; base-uri 'none'; form-action 'none'");
    // Writing to a String cannot fail.
    let _ = write!(policy, "; frame-ancestors 'none'; style-src '{}'", source(style));
    policy
}

/// What a policy calls an inline script or style.
fn source(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

fn header(policy: &str) -> HeaderValue {
    // Made of the constants above and base64.
    HeaderValue::from_str(policy).expect("a policy is plain ASCII")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What stands between two marks, once.
    fn between<'a>(html: &'a str, from: &str, to: &str) -> &'a str {
        assert_eq!(html.matches(from).count(), 1, "{from}");
        html.split_once(from).and_then(|(_, rest)| rest.split_once(to)).expect("both").0
    }

    #[test]
    fn the_policy_names_exactly_what_is_in_the_page() {
        let page = Page::new();
        let status = page.status();
        let html = std::str::from_utf8(&status.html).expect("text");
        let policy = status.policy.to_str().expect("text");
        for (from, to) in [("<style>", "</style>"), ("<script>", "</script>")] {
            assert!(policy.contains(&source(between(html, from, to))), "{from}");
        }
        let runbook = page.runbook("SequencerDown", "# SequencerDown");
        let html = std::str::from_utf8(&runbook.html).expect("text");
        let policy = runbook.policy.to_str().expect("text");
        assert!(policy.contains(&source(between(html, "<style>", "</style>"))));
        assert!(!policy.contains("script-src"), "default-src 'none' forbids every script");
        assert!(html.contains("<h1>SequencerDown</h1>"), "{html}");
    }

    #[test]
    fn the_vendored_files_are_those_of_the_table() {
        let table = include_str!("../../../assets/README.md");
        for (name, bytes) in [
            ("uPlot.iife.min.js", SCRIPTS[0]),
            ("uPlot.min.css", CHART_STYLE),
            ("LICENSE", include_str!("../../../assets/uplot/LICENSE")),
        ] {
            let digest = Sha256::digest(bytes)
                .iter()
                .fold(String::new(), |text, byte| text + &format!("{byte:02x}"));
            let row = table.lines().find(|line| line.contains(&format!("uplot/{name}`")));
            assert!(row.is_some_and(|row| row.contains(&digest)), "{name} is not {digest}");
        }
    }

    #[test]
    fn nothing_in_the_page_points_elsewhere() {
        let own = [STATUS, STYLE, RUNBOOK].into_iter().chain(SCRIPTS.into_iter().skip(1));
        for text in own.chain([CHART_STYLE]) {
            for mark in ["http:", "https:", "//cdn", "@import", "url(", "innerHTML", "eval("] {
                // The name space of SVG is a name, not an address.
                let text = text.replace("http://www.w3.org/2000/svg", "");
                assert!(!text.contains(mark), "{mark}");
            }
        }
    }
}
