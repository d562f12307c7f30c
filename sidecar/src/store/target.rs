//! Which store `DATABASE_URL` names, and how it may be reached.

use std::net::IpAddr;
use std::path::PathBuf;
use std::str::FromStr as _;

use sqlx::ConnectOptions as _;
use sqlx::postgres::{PgConnectOptions, PgSslMode};

use super::view::Driver;
use crate::config::Config;

/// A store that can be looked at.
pub(super) enum Target {
    /// The embedded store in this file.
    Sqlite(PathBuf),
    /// A server that speaks PostgreSQL's protocol.
    Postgres(Box<PgConnectOptions>),
}

impl Target {
    /// The configured one, if any.
    ///
    /// # Errors
    /// What is wrong with the URL, in words that do not repeat it: it may hold a password.
    pub(super) fn of(config: &Config) -> Result<Option<Self>, String> {
        let Some(url) = &config.database_url else { return Ok(None) };
        let Some(file) = url.strip_prefix("sqlite:") else {
            let options = connect_options(url, config.db_allow_plaintext)?;
            return Ok(Some(Self::Postgres(Box::new(options))));
        };
        let file = file.strip_prefix("//").unwrap_or(file);
        if file.is_empty() || file.contains(['?', ':']) {
            return Err("DATABASE_URL must name a file, as in sqlite://data/sequencer.db".into());
        }
        Ok(Some(Self::Sqlite(PathBuf::from(file))))
    }

    pub(super) fn driver(&self) -> Driver {
        match self {
            Self::Sqlite(_) => Driver::Sqlite,
            Self::Postgres(_) => Driver::Postgres,
        }
    }

    /// Where it is, without a credential.
    pub(super) fn place(&self) -> String {
        match self {
            Self::Sqlite(file) => file.display().to_string(),
            Self::Postgres(options) => {
                let (host, port) = (options.get_host(), options.get_port());
                format!("{host}:{port}/{}", options.get_database().unwrap_or_default())
            }
        }
    }
}

/// The URL, and TLS by the sequencer's rule: required for other hosts, and there the server's
/// certificate is checked unless the URL says how much is to be checked.
fn connect_options(url: &str, plaintext_allowed: bool) -> Result<PgConnectOptions, String> {
    let mut connect = PgConnectOptions::from_str(url)
        .map_err(|_| "DATABASE_URL is not a PostgreSQL URL".to_owned())?;
    if connect.get_application_name().is_none() {
        connect = connect.application_name("stateset-sidecar");
    }
    let local = connect.get_socket().is_some() || is_this_machine(connect.get_host());
    if !local && !plaintext_allowed {
        let stated = url.contains("sslmode=") || url.contains("ssl-mode=");
        match connect.get_ssl_mode() {
            _ if !stated => connect = connect.ssl_mode(PgSslMode::VerifyFull),
            PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {}
            PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => {
                return Err(format!(
                    "the connection to {} must be encrypted: use sslmode=verify-full in \
                     DATABASE_URL, or set DB_ALLOW_PLAINTEXT=true in a network that you trust",
                    connect.get_host()
                ));
            }
        }
    }
    Ok(connect.disable_statement_logging())
}

fn is_this_machine(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<IpAddr>();
    host == "localhost" || host.starts_with('/') || address.is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn other_hosts_need_tls() {
        for (url, plaintext_allowed, expect) in [
            ("postgres://u@127.0.0.1/d", false, Some("Prefer")),
            ("postgres://u@[::1]/d?sslmode=disable", false, Some("Disable")),
            ("postgres://u@localhost/d", false, Some("Prefer")),
            ("postgres://u@db.example.com/d", false, Some("VerifyFull")),
            ("postgres://u@db.example.com/d?sslmode=require", false, Some("Require")),
            ("postgres://u@db.example.com/d?sslmode=prefer", false, None),
            ("postgres://u@10.0.0.7/d?sslmode=disable", false, None),
            ("postgres://u@10.0.0.7/d?sslmode=disable", true, Some("Disable")),
        ] {
            let options = connect_options(url, plaintext_allowed);
            let mode = options.as_ref().ok().map(|options| format!("{:?}", options.get_ssl_mode()));
            assert_eq!(mode.as_deref(), expect, "{url}: {options:?}");
        }
        let text = connect_options("postgres://u:s3cret@h:x/d", false).unwrap_err();
        assert!(!text.contains("s3cret"), "{text}");
    }
}
