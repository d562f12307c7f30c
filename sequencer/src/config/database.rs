//! Which store a `DATABASE_URL` names.

use std::path::PathBuf;

use anyhow::{bail, ensure};
use serde::Serializer;

/// A store that this program has a driver for.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Database {
    /// The embedded store in this file.
    Sqlite(PathBuf),
    /// A server that speaks PostgreSQL's protocol, by its URL.
    Postgres(String),
}

impl Database {
    /// Reads a URL.
    ///
    /// # Errors
    /// When it is neither `sqlite://` with a file nor `postgres://`.
    pub fn parse(url: &str) -> anyhow::Result<Self> {
        if url.starts_with("postgres://") || url.starts_with("postgresql://") {
            return Ok(Self::Postgres(url.to_owned()));
        }
        let Some(rest) = url.strip_prefix("sqlite:") else {
            bail!("DATABASE_URL must begin with `sqlite://` or `postgres://`");
        };
        let path = rest.strip_prefix("//").unwrap_or(rest);
        ensure!(
            !path.is_empty() && !path.contains(['?', ':']),
            "DATABASE_URL must name a file, as in sqlite://data/sequencer.db"
        );
        Ok(Self::Sqlite(PathBuf::from(path)))
    }

    /// Name of the driver, as the metrics show it.
    #[must_use]
    pub fn driver(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "sqlite",
            Self::Postgres(_) => "postgres",
        }
    }
}

/// The password in a database URL, as it stands there.
pub(crate) fn password(url: &str) -> Option<&str> {
    let rest = url.split_once("://")?.1;
    let (rest, options) = rest.split_once('?').unwrap_or((rest, ""));
    let user = rest.rsplit_once('@').and_then(|(user, _)| user.split_once(':'));
    user.map(|(_, password)| password).or_else(|| option(options, "password"))
}

/// An option of a database URL, as it stands there.
pub(crate) fn url_option<'a>(url: &'a str, name: &str) -> Option<&'a str> {
    option(url.split_once('?')?.1, name)
}

fn option<'a>(options: &'a str, name: &str) -> Option<&'a str> {
    options.split('&').find_map(|option| option.strip_prefix(name)?.strip_prefix('='))
}

/// A database URL without its password, for people and logs.
#[must_use]
pub fn redacted(url: &str) -> String {
    // What follows the last `@` before the path is the host; a password may hold any character.
    let Some((scheme, rest)) = url.split_once("://") else { return url.to_owned() };
    let (rest, options) = rest.split_once('?').map_or((rest, None), |(a, b)| (a, Some(b)));
    let shown = match rest.rsplit_once('@') {
        Some((user, host)) => {
            let user = user
                .split_once(':')
                .map_or(user.to_owned(), |(name, _)| format!("{name}:(redacted)"));
            format!("{user}@{host}")
        }
        None => rest.to_owned(),
    };
    // A password may be among the options as well.
    let options = options.map_or(String::new(), |options| {
        let shown = options.split('&').filter(|option| !option.starts_with("password="));
        format!("?{}", shown.collect::<Vec<_>>().join("&"))
    });
    format!("{scheme}://{shown}{options}")
}

pub(super) fn serialize_redacted<S: Serializer>(url: &str, to: S) -> Result<S::Ok, S::Error> {
    to.serialize_str(&redacted(url))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_not_shown() {
        for (url, expect) in [
            ("sqlite://data/a.db", "sqlite://data/a.db"),
            ("postgres://host/db", "postgres://host/db"),
            ("postgres://me@host/db?sslmode=require", "postgres://me@host/db?sslmode=require"),
            ("postgres://me:p@ss:w@host:5/db", "postgres://me:(redacted)@host:5/db"),
            ("postgres://h/db?password=x&user=me", "postgres://h/db?user=me"),
        ] {
            assert_eq!(redacted(url), expect);
        }
    }

    #[test]
    fn other_urls_are_refused() {
        for url in ["mysql://host/db", "sqlite:", "sqlite://a.db?mode=ro", "data.db", ""] {
            assert!(Database::parse(url).is_err(), "{url}");
        }
    }
}
