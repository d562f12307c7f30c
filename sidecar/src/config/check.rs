//! What is refused at start, and what follows from several values.

use anyhow::{Context as _, ensure};
use reqwest::Url;
use serde::Serializer;
use serde_json::Value;

use super::{Config, Secret};

/// File in the sequencer's data folder with the key that it made for a sidecar in development.
const DEVELOPMENT_KEY_FILE: &str = "sidecar.key";
/// Shortest token that is not guessed.
const MIN_TOKEN_CHARACTERS: usize = 16;

impl Config {
    /// Refuses values that cannot work together, with a sentence that names them.
    ///
    /// # Errors
    /// The first mistake found.
    pub fn validate(&self) -> anyhow::Result<()> {
        for (name, url) in
            [("SEQUENCER_URL", &self.sequencer_url), ("SEQUENCER_OPS_URL", &self.sequencer_ops_url)]
        {
            parse_url(url).with_context(|| format!("{name} cannot be used"))?;
        }
        match &self.sidecar_token {
            Some(token) => ensure!(
                token.expose().len() >= MIN_TOKEN_CHARACTERS,
                "SIDECAR_TOKEN must have at least {MIN_TOKEN_CHARACTERS} characters"
            ),
            None => ensure!(
                self.sidecar_host.is_loopback(),
                "SIDECAR_TOKEN must be set, because others can reach SIDECAR_HOST {}",
                self.sidecar_host
            ),
        }
        if let Some(url) = &self.database_url {
            let known = ["sqlite:", "postgres://", "postgresql://"];
            ensure!(
                known.iter().any(|scheme| url.starts_with(scheme)),
                "DATABASE_URL must begin with `sqlite://` or `postgres://`"
            );
        }
        let ratios = [self.disk_warn_ratio, self.disk_high_ratio, self.disk_full_ratio];
        ensure!(
            ratios.is_sorted(),
            "DISK_WARN_RATIO, DISK_HIGH_RATIO and DISK_FULL_RATIO must ascend, but are {ratios:?}"
        );
        Ok(())
    }

    /// The key for the sequencer's API: the given one, else that of a development sequencer.
    ///
    /// # Errors
    /// When the file is there and cannot be read.
    pub fn api_key(&self) -> anyhow::Result<Option<Secret>> {
        if self.sequencer_api_key.is_some() {
            return Ok(self.sequencer_api_key.clone());
        }
        let Some(folder) = &self.data_dir else { return Ok(None) };
        let file = folder.join(DEVELOPMENT_KEY_FILE);
        match std::fs::read_to_string(&file) {
            Ok(text) => Ok(Some(Secret::from(text.trim().to_owned()))),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error).with_context(|| format!("cannot read {}", file.display())),
        }
    }

    /// The effective values, one `NAME=value` a line as in an environment file, secrets redacted.
    #[must_use]
    pub fn render(&self) -> String {
        // The fields are named as their variables, so one list serves both.
        let values = serde_json::to_value(self).unwrap_or_default();
        let lines = values.as_object().into_iter().flatten().map(|(name, value)| {
            let name = name.to_uppercase();
            match value {
                Value::Null => format!("# {name} is not set\n"),
                Value::String(text) => format!("{name}={text}\n"),
                Value::Array(list) => {
                    let list: Vec<_> = list.iter().filter_map(Value::as_str).collect();
                    format!("{name}={}\n", list.join(","))
                }
                other => format!("{name}={other}\n"),
            }
        });
        lines.collect()
    }
}

/// Reads the address of a server.
///
/// # Errors
/// When it is not an http or https URL.
pub(crate) fn parse_url(url: &str) -> anyhow::Result<Url> {
    let parsed = url.parse().ok();
    let parsed = parsed.filter(|url: &Url| matches!(url.scheme(), "http" | "https"));
    parsed.with_context(|| format!("{url} is not a URL that begins with http:// or https://"))
}

/// Reads a share: 0 to 1.
pub(super) fn ratio(text: &str) -> Result<f64, String> {
    let ratio = text.parse().ok().filter(|ratio| (0.0..=1.0).contains(ratio));
    ratio.ok_or_else(|| "a share from 0 to 1".to_owned())
}

/// A URL without the user name and password that it may hold.
pub(crate) fn public_url(url: &str) -> String {
    let Ok(mut url) = parse_url(url) else { return String::new() };
    // Fails for URLs that cannot hold either.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

/// Only the public part of a URL; one that cannot be read is refused at start, and not shown.
pub(super) fn serialize_public<S: Serializer>(url: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&public_url(url))
}

/// Only the part of a database URL that holds no secret.
pub(super) fn serialize_redacted<S: Serializer>(
    url: &Option<String>,
    to: S,
) -> Result<S::Ok, S::Error> {
    let shown = url.as_deref().map(|url| {
        let (scheme, rest) = url.split_once("://").unwrap_or((url, ""));
        // A password may hold any character; what follows the last `@` is no part of it.
        let place = rest.rsplit_once('@').map_or(rest, |(_, place)| place);
        let place = place.split('?').next().unwrap_or_default();
        format!("{scheme}://{place}")
    });
    match shown {
        Some(shown) => to.serialize_str(&shown),
        None => to.serialize_none(),
    }
}
