//! Where load is sent: named targets from a TOML file, secrets only from the environment.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use reqwest::Url;
use serde::Deserialize;
use uuid::Uuid;

use crate::record;

/// File that is read when none is named and it is there.
pub const DEFAULT_FILE: &str = "loadgen.toml";
/// Variable that holds the key when the environment names no other.
pub const DEFAULT_KEY_VARIABLE: &str = "SEQUENCER_API_KEY";
/// Shortest key of the API.
const MIN_KEY_CHARACTERS: usize = 35;

/// A target.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Environment {
    /// Its name.
    #[serde(skip)]
    pub name: String,
    /// The API.
    pub url: String,
    /// The sidecar.
    #[serde(default)]
    pub sidecar_url: Option<String>,
    /// The operations port, for the target's own metrics.
    #[serde(default)]
    pub operations_url: Option<String>,
    /// Variable that holds the key.
    #[serde(default = "default_key_variable")]
    pub key_variable: String,
    /// Tenant to write to, where the key is not the platform's.
    #[serde(default)]
    pub tenant_id: Option<Uuid>,
    /// PEM file with further roots to trust.
    #[serde(default)]
    pub ca_file: Option<PathBuf>,
    /// Whether a mistake here hurts somebody.
    #[serde(default)]
    pub production: bool,
}

/// A secret, shown to nobody.
#[derive(Clone)]
pub struct Key(String);

impl Key {
    /// A secret that is no API key of ours.
    #[must_use]
    pub fn other(text: String) -> Self {
        Self(text)
    }

    /// The text, to put it into a header.
    #[must_use]
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[redacted]")
    }
}

impl Environment {
    /// The target that the command line names: by URL, by name, or the local one.
    ///
    /// # Errors
    /// When there is none of that name, or it is not a good one.
    pub fn find(
        name: Option<&str>,
        url: Option<&str>,
        file: Option<&Path>,
    ) -> anyhow::Result<Self> {
        let found = match (name, url) {
            (_, Some(url)) => Self::at("url", url),
            (name, None) => Self::named(name.unwrap_or("local"), file)?,
        };
        found.check().with_context(|| format!("the environment {}", found.name))?;
        Ok(found)
    }

    fn named(name: &str, file: Option<&Path>) -> anyhow::Result<Self> {
        let path = file.unwrap_or(Path::new(DEFAULT_FILE));
        let mut known: BTreeMap<String, Self> = if file.is_some() || path.is_file() {
            let text = std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the environments in {}", path.display()))?;
            let parsed = toml::from_str(&text);
            parsed.map_err(|error| anyhow::anyhow!("{}: {error}", path.display()))?
        } else {
            BTreeMap::new()
        };
        if let Some(mut found) = known.remove(name) {
            name.clone_into(&mut found.name);
            return Ok(found);
        }
        if name == "local" {
            return Ok(Self::local());
        }
        let mut names: Vec<_> = known.keys().map(String::as_str).chain(["local"]).collect();
        names.sort_unstable();
        bail!(
            "there is no environment `{name}` in {}; there are: {}",
            path.display(),
            names.join(", ")
        )
    }

    fn at(name: &str, url: &str) -> Self {
        Self {
            name: name.to_owned(),
            url: url.trim_end_matches('/').to_owned(),
            sidecar_url: None,
            operations_url: None,
            key_variable: default_key_variable(),
            tenant_id: None,
            ca_file: None,
            production: false,
        }
    }

    /// What `make dev` starts.
    fn local() -> Self {
        let mut local = Self::at("local", "http://127.0.0.1:8080");
        local.operations_url = Some("http://127.0.0.1:8081".to_owned());
        local.sidecar_url = Some("http://127.0.0.1:9091".to_owned());
        local
    }

    fn check(&self) -> anyhow::Result<()> {
        let urls = [Some(&self.url), self.sidecar_url.as_ref(), self.operations_url.as_ref()];
        for url in urls.into_iter().flatten() {
            let parsed = Url::parse(url).ok();
            let parsed = parsed.filter(|parsed| matches!(parsed.scheme(), "http" | "https"));
            let parsed =
                parsed.with_context(|| format!("{} is not an http or https URL", bare(url)))?;
            let secret = parsed.password().is_some() || !parsed.username().is_empty();
            ensure!(!secret, "a URL holds no credentials; the key comes from a variable");
        }
        ensure!(!self.key_variable.is_empty(), "key_variable must not be empty");
        Ok(())
    }

    /// The key, from the variable that this environment names.
    ///
    /// # Errors
    /// When it is not set, or cannot be one.
    pub fn key(&self) -> anyhow::Result<Key> {
        let variable = &self.key_variable;
        let key = std::env::var(variable).ok().filter(|key| !key.is_empty());
        let key = key.with_context(|| format!("set {variable} to an API key of the target"))?;
        let fits = key.starts_with("ss_")
            && key.len() >= MIN_KEY_CHARACTERS
            && key.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '_' | '-'));
        ensure!(
            fits,
            "{variable} holds no API key: those begin with ss_ and have at least \
             {MIN_KEY_CHARACTERS} characters"
        );
        Ok(Key(key))
    }

    /// Whether it looks like something that people depend on.
    #[must_use]
    pub fn looks_like_production(&self) -> bool {
        let host = Url::parse(&self.url).ok();
        let host = host.as_ref().and_then(Url::host_str).unwrap_or_default().to_lowercase();
        if self.production {
            return true;
        }
        let is_here = host == "localhost" || host == "[::1]" || host.starts_with("127.");
        let name = self.name.to_lowercase();
        let says = |text: &str| {
            text.split(|c: char| !c.is_ascii_alphanumeric())
                .any(|word| matches!(word, "prod" | "production" | "live" | "prd"))
        };
        !is_here && (says(&name) || says(&host))
    }

    /// For the record.
    #[must_use]
    pub fn to_record(&self) -> record::Environment {
        record::Environment {
            name: self.name.clone(),
            url: self.url.clone(),
            sidecar_url: self.sidecar_url.clone(),
            operations_url: self.operations_url.clone(),
            key_variable: self.key_variable.clone(),
        }
    }
}

/// A URL without what may be a secret in it.
fn bare(url: &str) -> &str {
    url.rsplit('@').next().unwrap_or_default()
}

fn default_key_variable() -> String {
    DEFAULT_KEY_VARIABLE.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn environments_are_found_by_name_and_refused_with_a_reason() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("e.toml");
        let text = "[staging]\nurl = \"https://staging.example\"\nkey_variable = \"STAGING_KEY\"\n\
                    [broken]\nurl = \"ftp://x\"\n[secret]\nurl = \"http://me:pw@host\"\n";
        std::fs::write(&file, text).unwrap();
        let find = |name| Environment::find(Some(name), None, Some(&file));
        assert_eq!(find("staging").unwrap().key_variable, "STAGING_KEY");
        assert_eq!(find("local").unwrap().url, "http://127.0.0.1:8080");
        for (name, expect) in [
            ("none", "there are: broken, local"),
            ("broken", "http or https"),
            ("secret", "no credentials"),
        ] {
            let error = format!("{:#}", find(name).unwrap_err());
            assert!(error.contains(expect) && !error.contains("pw"), "{error}");
        }
        let by_url = Environment::find(None, Some("http://127.0.0.1:1/"), None).unwrap();
        assert_eq!((by_url.name.as_str(), by_url.url.as_str()), ("url", "http://127.0.0.1:1"));
        std::fs::write(&file, "[x]\nurl = 1").unwrap();
        assert!(find("x").is_err());
    }

    #[test]
    fn production_is_recognised_by_its_name() {
        for (url, expect) in [
            ("http://127.0.0.1:8080", false),
            ("https://sequencer.prod.example", true),
            ("https://live-1.example", true),
            ("https://product.example", false),
        ] {
            assert_eq!(Environment::at("url", url).looks_like_production(), expect, "{url}");
        }
        assert!(Environment::at("production", "https://a.example").looks_like_production());
        assert_eq!(format!("{:?}", Key("ss_secret".to_owned())), "[redacted]");
    }
}
