//! All findings, for a person or a program.

use serde::Serialize;

use super::super::say;
use super::check::{Area, Finding, Outcome};

/// What a secret is replaced by.
const REDACTED: &str = "(redacted)";

/// What a run found.
#[derive(Serialize)]
pub(super) struct Report {
    /// Of this program.
    version: &'static str,
    passed: usize,
    warned: usize,
    failed: usize,
    skipped: usize,
    findings: Vec<Finding>,
}

impl Report {
    /// Sorts the findings. Whatever a driver or a server put into a sentence, no secret leaves.
    pub(super) fn new(mut findings: Vec<Finding>, secrets: &[(&str, &str)]) -> Self {
        findings.sort_by_key(|finding| finding.check);
        for finding in &mut findings {
            for (_, secret) in secrets {
                finding.found = finding.found.replace(secret, REDACTED);
                finding.fix = finding.fix.take().map(|fix| fix.replace(secret, REDACTED));
            }
        }
        let count = |outcome| findings.iter().filter(|one| one.outcome == outcome).count();
        Self {
            version: crate::VERSION,
            passed: count(Outcome::Pass),
            warned: count(Outcome::Warn),
            failed: count(Outcome::Fail),
            skipped: count(Outcome::Skipped),
            findings,
        }
    }

    pub(super) fn is_good(&self, strict: bool) -> bool {
        self.failed == 0 && !(strict && self.warned > 0)
    }

    pub(super) fn print(&self, as_json: bool) {
        if as_json {
            // The members are texts and numbers: that is always JSON.
            say(&serde_json::to_string_pretty(self).unwrap_or_default());
            return;
        }
        let mut area = None;
        for finding in &self.findings {
            if area.replace(finding.area) != Some(finding.area) {
                say(title(finding.area));
            }
            let (outcome, id) = (word(finding.outcome), finding.check.id());
            say(&format!("  {outcome:<4}  {id:<24}  {}", finding.found));
            if let Some(fix) = &finding.fix {
                say(&format!("{:34}fix: {fix}", ""));
            }
        }
        let Self { passed, warned, failed, skipped, .. } = self;
        say("");
        say(&format!("{passed} passed, {warned} warned, {failed} failed, {skipped} skipped"));
    }
}

fn title(area: Area) -> &'static str {
    match area {
        Area::Secrets => "Secrets",
        Area::Tls => "TLS",
        Area::Network => "Network",
        Area::Access => "Access",
        Area::Store => "Store",
        Area::Limits => "Limits",
        Area::Logging => "Logging",
        Area::Observability => "Observability",
        Area::Dependencies => "Dependencies",
    }
}

/// What is bad is loud.
fn word(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Pass => "pass",
        Outcome::Warn => "WARN",
        Outcome::Fail => "FAIL",
        Outcome::Skipped => "skip",
    }
}
