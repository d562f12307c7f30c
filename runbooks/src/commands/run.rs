//! `runbooks run`: the diagnosis of a page against an environment, and what it showed as a file.

use std::fmt::Write as _;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Args;
use regex::Regex;
use time::OffsetDateTime;
use time::macros::format_description;

use super::say;
use crate::block::Kind;
use crate::book;
use crate::environment::EnvironmentArgs;
use crate::render::{CONFIRMED, confirmation};
use crate::shell::{self, Variables};

/// Arguments of `runbooks run`.
#[derive(Args, Debug)]
pub struct RunArgs {
    /// Name of the alert
    alert: String,
    #[command(flatten)]
    environment: EnvironmentArgs,
    /// File for what was seen; a name with alert and time when none is given
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What stands in the place of a secret.
const REDACTED: &str = "[redacted]";

/// Runs the diagnosis of a page, which only looks, and writes the evidence.
///
/// # Errors
/// When there is no such alert or environment, or the file cannot be written.
pub async fn run(arguments: &RunArgs) -> anyhow::Result<ExitCode> {
    let page = book::page(&arguments.alert)?;
    let variables = arguments.environment.variables()?;
    let now = OffsetDateTime::now_utc();
    let stamp = now.format(format_description!("[year][month][day]T[hour][minute][second]Z"))?;
    let mut evidence = format!(
        "# {} in {}, {stamp}\n\nDiagnosis of the runbook, run by `runbooks run` {}; it only \
         looks.\n",
        arguments.alert,
        arguments.environment.name(),
        env!("CARGO_PKG_VERSION"),
    );
    for (name, value) in &variables {
        let _ = writeln!(evidence, "* `{name}`: {}", redacted(value, &variables));
    }
    let mut looks =
        vec![("Confirm".to_owned(), confirmation(&page.rule), Regex::new(CONFIRMED).ok())];
    let blocks = page.blocks()?.into_iter().filter(|block| block.kind == Kind::Diagnosis);
    looks.extend(blocks.map(|block| (block.section, block.script, block.expect)));
    let count = looks.len();
    for (place, (section, script, expect)) in looks.into_iter().enumerate() {
        let output = shell::run(&script, &variables, true).await?;
        let text = redacted(&output.text, &variables);
        let shows = match expect.map(|expect| expect.is_match(&output.text)) {
            Some(true) => "shows the fault of this page",
            Some(false) => "does not show the fault of this page",
            None => "to be read",
        };
        say(&format!("{} of {count}  {section}: {shows}", place + 1));
        let code = output.code.map_or("given up".to_owned(), |code| format!("exit {code}"));
        let _ = write!(
            evidence,
            "\n## {} of {count}, {section}: {shows}\n\n```sh\n{script}\n```\n\n{code}\n\n\
             ```text\n{}\n```\n",
            place + 1,
            text.trim_end().replace("```", "'''"),
        );
    }
    let default = || PathBuf::from(format!("evidence-{}-{stamp}.md", arguments.alert));
    let file = arguments.out.clone().unwrap_or_else(default);
    std::fs::write(&file, evidence).with_context(|| format!("cannot write {}", file.display()))?;
    say(&format!("evidence: {}", file.display()));
    Ok(ExitCode::SUCCESS)
}

/// A text without keys of ours, passwords in URLs, and values that variables hold as secrets.
fn redacted(text: &str, variables: &Variables) -> String {
    let mut text = text.to_owned();
    for (_, value) in variables {
        if let Some(password) = password(value) {
            text = text.replace(&password, REDACTED);
        }
    }
    for pattern in [r"ss_[A-Za-z0-9_-]{8,}", r"(?i)(bearer|apikey) +[^\s]+"] {
        if let Ok(pattern) = Regex::new(pattern) {
            text = pattern.replace_all(&text, REDACTED).into_owned();
        }
    }
    text
}

/// The password of a URL.
fn password(url: &str) -> Option<String> {
    let url: reqwest::Url = url.parse().ok()?;
    url.password().filter(|password| !password.is_empty()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let url = "postgres://log:hunter2secret@db/log".to_owned();
        let variables = vec![("DATABASE_URL".to_owned(), url.clone())];
        for text in [url.as_str(), "ss_0123456789abcdefABCDEF0123456789abcdef", "Bearer abc.def"] {
            let shown = redacted(text, &variables);
            assert!(shown.contains(REDACTED) && !shown.contains("hunter2"), "{shown}");
            assert!(!shown.contains("0123456789") && !shown.contains("abc.def"), "{shown}");
        }
    }
}
