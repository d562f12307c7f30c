//! Where a page's commands look: the five variables.

use std::path::PathBuf;

use anyhow::Context as _;
use clap::Args;
use serde::Deserialize;

use crate::shell::Variables;

/// Variables that a page's commands may use.
pub const NAMES: [&str; 5] =
    ["SEQUENCER_URL", "OPS_URL", "SIDECAR_URL", "PROMETHEUS_URL", "DATABASE_URL"];

/// A target of the environments file.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Environment {
    sequencer_url: Option<String>,
    ops_url: Option<String>,
    sidecar_url: Option<String>,
    prometheus_url: Option<String>,
    /// Variable that holds the URL of the database: it has a password in it.
    database_url_variable: Option<String>,
}

/// Which target.
#[derive(Args, Clone, Debug)]
pub struct EnvironmentArgs {
    /// A target of the environments file; `local` needs no file.
    #[arg(long = "env", value_name = "NAME", default_value = "local")]
    name: String,
    /// TOML file with a table per environment: sequencer_url, ops_url, sidecar_url,
    /// prometheus_url, database_url_variable
    #[arg(
        long,
        value_name = "FILE",
        env = "RUNBOOKS_ENVIRONMENTS",
        default_value = "runbooks.toml"
    )]
    environments: PathBuf,
}

impl EnvironmentArgs {
    /// The name of the target.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The variables: of this process's environment where they are set there, else of the file,
    /// else (`local`) the ports of one machine.
    ///
    /// # Errors
    /// When the file is needed and cannot be read, or has no such target.
    pub fn variables(&self) -> anyhow::Result<Variables> {
        let of_file = self.of_file()?;
        let local = self.name == "local";
        let default = |url: &str| local.then(|| url.to_owned());
        let database = of_file.database_url_variable.as_deref().and_then(|v| std::env::var(v).ok());
        let values = [
            of_file.sequencer_url.or_else(|| default("http://127.0.0.1:8080")),
            of_file.ops_url.or_else(|| default("http://127.0.0.1:8081")),
            of_file.sidecar_url.or_else(|| default("http://127.0.0.1:9091")),
            of_file.prometheus_url.or_else(|| default("http://127.0.0.1:9090")),
            database,
        ];
        let given = |(name, value): (&str, Option<String>)| {
            let value = std::env::var(name).ok().or(value)?;
            Some((name.to_owned(), value))
        };
        Ok(NAMES.into_iter().zip(values).filter_map(given).collect())
    }

    fn of_file(&self) -> anyhow::Result<Environment> {
        let file = self.environments.display();
        if self.name == "local" && !self.environments.exists() {
            return Ok(Environment::default());
        }
        let text = std::fs::read_to_string(&self.environments)
            .with_context(|| format!("cannot read {file}, where `{}` is looked for", self.name))?;
        let mut all: std::collections::BTreeMap<String, Environment> =
            toml::from_str(&text).with_context(|| format!("{file} is no file of environments"))?;
        let found = all.remove(&self.name);
        if self.name == "local" {
            return Ok(found.unwrap_or_default());
        }
        found.with_context(|| format!("{file} has no environment `{}`", self.name))
    }
}
