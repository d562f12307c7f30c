//! All pages: which alert has which written body.

use alerts::rule::Rule;
use alerts::rules;
use anyhow::Context as _;
use include_dir::{Dir, include_dir};

use crate::block::{Block, blocks};

/// What people have written, compiled in: `runbooks run` needs no repository.
static WRITTEN: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/written");

/// Page that says how to set the variables of all commands.
pub const VARIABLES: &str = "variables";

/// An alert and its body.
#[derive(Clone, Debug)]
pub struct Page {
    /// The alert.
    pub rule: Rule,
    /// What a person has written.
    pub body: &'static str,
}

impl Page {
    /// The commands of the body.
    ///
    /// # Errors
    /// When a block is marked wrongly.
    pub fn blocks(&self) -> anyhow::Result<Vec<Block>> {
        blocks(self.body).with_context(|| self.rule.name.clone())
    }
}

/// Name of the file with the body of an alert, without its end. The burn rates of one objective
/// share theirs: what is wrong is the same, only how fast differs.
#[must_use]
pub fn body_name(rule: &Rule) -> String {
    match rule.objective {
        Some(objective) => format!("objective-{objective}"),
        None => rule.name.clone(),
    }
}

/// A written file by its name without `.md`.
#[must_use]
pub fn written(name: &str) -> Option<&'static str> {
    WRITTEN.get_file(format!("{name}.md"))?.contents_utf8()
}

/// Names of all written files, without `.md`.
#[must_use]
pub fn written_names() -> Vec<String> {
    let files = WRITTEN.files().filter_map(|file| file.path().file_stem()?.to_str());
    files.map(str::to_owned).collect()
}

/// The pages of all alerts, in the order of the rules.
///
/// # Errors
/// When an alert has no body.
pub fn pages() -> anyhow::Result<Vec<Page>> {
    let page = |rule: Rule| {
        let name = body_name(&rule);
        let body =
            written(&name).with_context(|| format!("runbooks/written/{name}.md is missing"))?;
        Ok(Page { rule, body })
    };
    rules::all().into_iter().map(page).collect()
}

/// The page of one alert.
///
/// # Errors
/// When there is no such alert.
pub fn page(alert: &str) -> anyhow::Result<Page> {
    let found = pages()?.into_iter().find(|page| page.rule.name == alert);
    found.with_context(|| format!("there is no alert `{alert}`; `runbooks list` shows all"))
}
