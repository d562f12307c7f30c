//! The summary for pull requests: short, and safe where the target wrote the text.

use std::fmt::Write as _;

use super::figures;
use crate::record::{Record, ThresholdVerdict, Verdict};

/// Reasons, notes and error classes that a summary shows; the page has all of them.
const MOST_LINES: usize = 10;
/// Longest text of others in one cell.
const LONGEST_TEXT: usize = 160;

/// The run in a page of Markdown.
#[must_use]
pub fn markdown(record: &Record) -> String {
    let mut text = String::new();
    head(&mut text, record);
    thresholds(&mut text, record);
    if record.timeline.is_empty() {
        text.push_str("\nThe run ended before any load was sent, so there are no figures.\n");
    } else {
        key_figures(&mut text, record);
        errors(&mut text, record);
    }
    // Writing to a String cannot fail.
    let _ = writeln!(text, "\n**Ledger:** {}.", figures::ledger(record));
    let problems = record.ledger.iter().flat_map(|ledger| &ledger.problems);
    list(&mut text, problems.map(String::as_str));
    let _ = writeln!(
        text,
        "\nThe full report is `{}` beside this file, all figures are in `run.json`.",
        super::HTML_FILE
    );
    text
}

fn head(text: &mut String, record: &Record) {
    let (profile, environment) = (&record.profile, &record.environment);
    let _ = writeln!(
        text,
        "## {} Load test {}: {}\n",
        mark(record.verdict),
        plain(&profile.name),
        record.verdict.words()
    );
    list(text, record.reasons.iter().map(String::as_str));
    let _ = writeln!(
        text,
        "\n{} against {} ({}), target version {}, {:.0} s from {}, seed {}. {}",
        plain(&profile.name),
        plain(&environment.name),
        code(&environment.url),
        if record.versions.target.is_empty() { "unknown" } else { &record.versions.target }
            .split_whitespace()
            .map(plain)
            .collect::<String>(),
        record.duration_seconds,
        plain(&record.started_at),
        record.seed,
        plain(&record.signing.note)
    );
}

fn thresholds(text: &mut String, record: &Record) {
    if record.thresholds.is_empty() {
        text.push_str("\nNo threshold was judged.\n");
        return;
    }
    text.push_str("\n| | threshold | measured | verdict |\n|---|---|---|---|\n");
    for threshold in &record.thresholds {
        let is_good = threshold.verdict == ThresholdVerdict::Pass;
        let _ = writeln!(
            text,
            "| {} | {} | {} | {} |",
            if is_good { "✅" } else { "❌" },
            code(&threshold.expression),
            plain(&threshold.measured_text),
            figures::threshold_word(threshold.verdict)
        );
    }
}

fn key_figures(text: &mut String, record: &Record) {
    let totals = &record.totals;
    let _ = writeln!(
        text,
        "\n| events | requests | attempts that failed |\n|---:|---:|---:|\n| {} | {} | {} |",
        figures::rate(totals.events_per_second),
        figures::rate(totals.requests_per_second),
        figures::share(totals.error_ratio)
    );
    text.push_str(
        "\n| latency | p50 | p95 | p99 | p99.9 | max |\n|---|---:|---:|---:|---:|---:|\n",
    );
    for (name, of) in [("response", &record.latency.response), ("service", &record.latency.service)]
    {
        let _ = write!(text, "| {name} |");
        for micros in [of.p50_us, of.p95_us, of.p99_us, of.p999_us, of.max_us] {
            let _ = write!(text, " {} |", figures::quantile(of.count, micros));
        }
        text.push('\n');
    }
}

fn errors(text: &mut String, record: &Record) {
    if record.errors.is_empty() {
        text.push_str("\nNo attempt failed and no event was refused.\n");
        return;
    }
    text.push_str("\n| error | times | one of them |\n|---|---:|---|\n");
    for error in record.errors.iter().take(MOST_LINES) {
        let (class, example) = (plain(&error.class), plain(&error.example));
        let _ = writeln!(text, "| {class} | {} | {example} |", error.count);
    }
    if let Some(more) = record.errors.len().checked_sub(MOST_LINES).filter(|more| *more > 0) {
        let _ = writeln!(text, "\n{more} more classes are in the full report.");
    }
}

fn list<'a>(text: &mut String, lines: impl Iterator<Item = &'a str>) {
    for line in lines.take(MOST_LINES) {
        let _ = writeln!(text, "* {}", plain(line));
    }
}

fn mark(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Pass => "✅",
        Verdict::ThresholdsFailed => "❌",
        Verdict::Invalid | Verdict::BadConfiguration | Verdict::Interrupted => "⚠️",
    }
}

/// Text of others as text: no markup, no new line, no end of a cell.
pub(super) fn plain(text: &str) -> String {
    let mut safe = String::new();
    for character in one_line(text).chars() {
        if "\\`*_{}[]<>#|~!&".contains(character) {
            safe.push('\\');
        }
        safe.push(character);
    }
    safe
}

/// The same as code.
fn code(text: &str) -> String {
    format!("`{}`", one_line(text).replace('`', "'").replace('|', "\\|"))
}

fn one_line(text: &str) -> String {
    let short: String = text.chars().take(LONGEST_TEXT).collect();
    let rest = if short.len() < text.len() { "…" } else { "" };
    let clean = short.chars().map(|c| if c.is_control() { ' ' } else { c });
    clean.chain(rest.chars()).collect::<String>().trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::samples;

    #[test]
    fn the_summary_says_what_decides() {
        let text = markdown(&samples::sample());
        for expect in [
            "## ❌ Load test smoke: thresholds failed",
            "* errors.ratio \\< 0.1% did not hold: 0.354%",
            "| ✅ | `latency.p95 < 500ms` | 7.8 ms | held |",
            "| ❌ | `errors.ratio < 0.1%` | 0.354% | did not hold |",
            "| 44.8/s | 45.0/s | 0.354 % |",
            "| response | 3.3 ms | 7.8 ms | 21.4 ms | 40.2 ms | 57.4 ms |",
            "| overloaded | 3 |",
            "**Ledger:** all 1121 acknowledged events were read back and verify.",
            "`report.html`",
        ] {
            assert!(text.contains(expect), "{expect}\n{text}");
        }
    }

    #[test]
    fn each_verdict_has_its_words_and_empty_parts_say_so() {
        for record in samples::every() {
            let text = markdown(&record);
            assert!(text.contains(record.verdict.words()), "{text}");
        }
        let text = markdown(&samples::empty());
        for expect in ["No threshold was judged", "before any load", "no event was acknowledged"] {
            assert!(text.contains(expect), "{text}");
        }
    }

    #[test]
    fn text_of_others_is_neither_markup_nor_a_cell() {
        let text = markdown(&samples::hostile());
        for line in text.lines().filter(|line| !line.contains('`')) {
            assert!(!line.contains("<img") || line.contains("\\<img"), "{line}");
        }
        let cells = |line: &str| line.replace("\\|", "").matches('|').count();
        let row = text.lines().find(|line| line.starts_with("| ✅")).unwrap();
        assert_eq!(cells(row), 5, "{row}");
        assert!(!text.contains("\n# a"));
    }
}
