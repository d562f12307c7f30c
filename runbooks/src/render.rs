//! A page as it is published: what the alert says itself, around what a person has written.

use std::fmt::Write as _;

use alerts::rule::{Rule, Severity, duration};
use alerts::{DASHBOARDS_URL, slo};
use anyhow::Context as _;

use crate::book::{Page, VARIABLES};
use crate::results::{Row, real_time};

/// Sections that a person writes, in their order.
pub const WRITTEN: [&str; 6] =
    ["Meaning", "Impact", "Diagnosis", "Mitigation", "Rollback", "When this page is wrong"];

/// The page of an alert, with the last measured drills of it.
///
/// # Errors
/// When the body lacks one of its sections, has another, or has them in another order.
pub fn page(page: &Page, rows: &[Row]) -> anyhow::Result<String> {
    let rule = &page.rule;
    let mut written = sections(page.body).with_context(|| rule.name.clone())?;
    let last = written.pop().unwrap_or_default();
    let mut text = header(rule);
    for (place, section) in written.iter().enumerate() {
        text += section;
        // Between what it is about and what to do: is it so now?
        if place == 1 {
            text += &confirm(rule);
        }
    }
    text += &drill(rule, rows);
    text += last;
    Ok(text)
}

/// The body cut before each section.
fn sections(body: &str) -> anyhow::Result<Vec<&str>> {
    let mut begins: Vec<usize> = body.match_indices("\n## ").map(|(place, _)| place + 1).collect();
    begins.insert(0, 0);
    begins.push(body.len());
    let cut: Vec<&str> = begins.windows(2).map(|pair| &body[pair[0]..pair[1]]).collect();
    let titles = cut.iter().map(|section| section.lines().next().unwrap_or_default());
    let expect = WRITTEN.map(|title| format!("## {title}"));
    anyhow::ensure!(titles.eq(expect.iter()), "its sections must be {}", WRITTEN.join(", "));
    Ok(cut)
}

fn header(rule: &Rule) -> String {
    let mut text = format!("# {}\n\n**{}**\n\n", rule.name, rule.summary);
    let what = match rule.severity {
        Severity::Critical => "pages somebody",
        Severity::Warning => "opens a ticket",
        Severity::Info => "is a note",
    };
    let wait = match rule.for_seconds {
        0 => "at once".to_owned(),
        seconds => format!("after {}", duration(seconds)),
    };
    let off = if rule.enabled { "" } else { " Off until a threshold is set." };
    let _ = writeln!(
        text,
        "* `{}`: {what}. Fires {wait} when the value is {}.{off} Board: \
         [{board}]({DASHBOARDS_URL}/{board}).",
        rule.severity.as_str(),
        rule.fires(),
        board = rule.board,
    );
    if let Some(name) = rule.objective {
        let indicators = slo::indicators();
        let promise = indicators.iter().map(|i| &i.objective).find(|o| o.name == name);
        if let Some(objective) = promise {
            let _ = writeln!(text, "* Objective `{name}`: {}.", objective.promise);
        }
    }
    if !rule.consequences.is_empty() {
        let link = |name: &String| format!("[{name}]({name}.md)");
        let links: Vec<String> = rule.consequences.iter().map(link).collect();
        let _ = writeln!(text, "* Fires with it, and waits for it: {}.", links.join(", "));
    }
    let _ =
        writeln!(text, "* How to set the variables of the commands: [variables]({VARIABLES}.md).");
    let _ = writeln!(text, "\n```promql\n{}\n```\n", rule.expression());
    text
}

/// What the alert's own state shows while it is not inactive.
pub const CONFIRMED: &str = r#""alertstate":"(pending|firing)""#;

/// Asks Prometheus for the alert.
#[must_use]
pub fn confirmation(rule: &Rule) -> String {
    format!(
        "curl -sSG -m 5 \"$PROMETHEUS_URL/api/v1/query\" \\\n  --data-urlencode \
         'query=ALERTS{{alertname=\"{}\"}}'",
        rule.name
    )
}

fn confirm(rule: &Rule) -> String {
    format!(
        "## Confirm\nWhat Prometheus says now; `\"result\":[]` means that it is over.\n\n```sh \
         diagnosis\n# expect: {CONFIRMED}\n{}\n```\n\n",
        confirmation(rule)
    )
}

fn drill(rule: &Rule, rows: &[Row]) -> String {
    let mut text = format!("## Drill\n`make drill ALERT={}`", rule.name);
    let mut own = rows.iter().filter(|row| row.alert == rule.name).peekable();
    if own.peek().is_none() {
        text += ": what it took is in `docs/drills.md`.\n";
    }
    for row in own {
        let _ = write!(
            text,
            "\n* {}, at scale {}: fired after {:.1} s (at real speed {}), over {:.1} s after \
             it was ended: {}.",
            row.fault,
            row.scale,
            row.seconds_to_firing,
            real_time(row),
            row.seconds_to_resolved,
            row.ended_by,
        );
    }
    text.truncate(text.trim_end().len());
    text + "\n\n"
}

/// The list of all pages.
#[must_use]
pub fn index(pages: &[Page]) -> String {
    let mut text = format!(
        "# Runbooks\n\nOne page per alert, by `make generate`; what people write is in \
         [`written`](../written). Begin with [how to set the variables]({VARIABLES}.md).\n\n\
         | alert | severity | what |\n|---|---|---|\n"
    );
    for Page { rule, .. } in pages {
        let (name, severity) = (&rule.name, rule.severity.as_str());
        let _ = writeln!(text, "| [{name}]({name}.md) | {severity} | {} |", rule.summary);
    }
    text
}

/// Every file of the folder of pages, by name: the sidecar shows it as it is.
///
/// # Errors
/// When a page has no body or a wrong one.
pub fn files(rows: &[Row]) -> anyhow::Result<Vec<(String, String)>> {
    let pages = crate::book::pages()?;
    let mut files = vec![("README.md".to_owned(), index(&pages))];
    let variables = crate::book::written(VARIABLES).context("variables.md is missing")?;
    files.push((format!("{VARIABLES}.md"), variables.to_owned()));
    for one in &pages {
        files.push((format!("{}.md", one.rule.name), page(one, rows)?));
    }
    Ok(files)
}
