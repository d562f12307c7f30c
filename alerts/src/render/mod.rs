//! The generated files.

mod alertmanager;
pub mod chart;
mod operator;
mod prometheus;
mod scrape;

use serde::Serialize;

use crate::overrides::RuleSet;
use crate::scale::Scale;

pub use prometheus::groups;

/// What every generated file begins with.
const HEADER: &str = "# Generated from the catalogue by `alerts generate`; do not edit.\n";

/// A generated file: its name below the output folder, and its text.
pub type File = (String, String);

/// All files of a rule set.
///
/// # Errors
/// When a value cannot be written as YAML, which would be a mistake of this program.
pub fn files(set: &RuleSet, scale: Scale) -> anyhow::Result<Vec<File>> {
    let groups = groups(set, scale);
    let mut files: Vec<File> = Vec::new();
    for group in &groups {
        let file = prometheus::RuleFile { groups: vec![group.clone()] };
        files.push((format!("{}.rules.yaml", group.name), yaml(&file)?));
    }
    files.push(("prometheusrule.yaml".to_owned(), yaml(&operator::resource(&groups))?));
    files.push(("prometheus.example.yaml".to_owned(), yaml(&scrape::example())?));
    files.push(("alertmanager.example.yaml".to_owned(), yaml(&alertmanager::example(set))?));
    Ok(files)
}

fn yaml(value: &impl Serialize) -> anyhow::Result<String> {
    Ok(format!("{HEADER}{}", serde_saphyr::to_string(value)?))
}
