//! Which credential a command shows to a server, and where it was found.

use std::net::IpAddr;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use clap::Args;

use crate::client::{Client, parse_url};
use crate::config::Secret;
use crate::secrets::BOOTSTRAP_FILE;

/// The credential of a command that calls a server.
#[derive(Args, Clone, Debug)]
pub struct Credential {
    /// File that holds the API key. Without it and SEQUENCER_API_KEY, a server on this machine is
    /// shown the key in DATA_DIR/bootstrap.key.
    #[arg(long, value_name = "FILE")]
    api_key_file: Option<PathBuf>,
    /// The API key itself; as a variable or a file, other users of this machine do not see it.
    #[arg(long, env = "SEQUENCER_API_KEY", hide_env_values = true, value_name = "KEY")]
    api_key: Option<Secret>,
    /// Folder of a server's created keys.
    #[arg(long, env = "DATA_DIR", default_value = "data", value_name = "FOLDER")]
    data_dir: PathBuf,
}

/// A credential and how a shell gets at it, so that it can be used in advice without being shown.
#[derive(Clone, Debug)]
pub(super) struct FoundKey {
    pub(super) key: Secret,
    pub(super) origin: KeyOrigin,
}

#[derive(Clone, Debug)]
pub(super) enum KeyOrigin {
    File(PathBuf),
    Variable(&'static str),
}

impl Credential {
    /// A client of the server at this address.
    pub(super) fn client(&self, url: &str) -> anyhow::Result<(Client, FoundKey)> {
        let found = self.find(url)?;
        Ok((Client::new(url, Some(&found.key))?, found))
    }

    fn find(&self, url: &str) -> anyhow::Result<FoundKey> {
        if let Some(file) = &self.api_key_file {
            return read(file);
        }
        if let Some(key) = self.api_key.clone() {
            return Ok(FoundKey { key, origin: KeyOrigin::Variable("SEQUENCER_API_KEY") });
        }
        let file = self.data_dir.join(BOOTSTRAP_FILE);
        // Never sent elsewhere by itself: it is the key to everything.
        if is_loopback(url)? && file.is_file() {
            return read(&file);
        }
        bail!(
            "no API key: set SEQUENCER_API_KEY or name a file with --api-key-file (a development \
             server keeps its own in {})",
            file.display()
        );
    }
}

impl KeyOrigin {
    /// What a shell replaces by the key.
    pub(super) fn in_shell(&self) -> String {
        match self {
            Self::File(file) => format!("$(cat {})", quoted(file)),
            Self::Variable(name) => format!("${name}"),
        }
    }

    /// What goes before a command of this program and what after it.
    pub(super) fn for_command(&self) -> (String, String) {
        match self {
            Self::File(file) => (String::new(), format!(" --api-key-file {}", quoted(file))),
            Self::Variable("SEQUENCER_API_KEY") => (String::new(), String::new()),
            Self::Variable(name) => (format!("SEQUENCER_API_KEY=\"${name}\" "), String::new()),
        }
    }
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    let text = path.display().to_string();
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/._-+".contains(c);
    if text.chars().all(is_plain) { text } else { format!("'{}'", text.replace('\'', r"'\''")) }
}

fn read(file: &Path) -> anyhow::Result<FoundKey> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the API key in {}", file.display()))?;
    let text = text.trim();
    ensure!(!text.is_empty(), "{} is empty, it must hold an API key", file.display());
    Ok(FoundKey { key: Secret::from(text.to_owned()), origin: KeyOrigin::File(file.into()) })
}

fn is_loopback(url: &str) -> anyhow::Result<bool> {
    let url = parse_url(url)?;
    let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']);
    Ok(host == "localhost" || host.parse().is_ok_and(|ip: IpAddr| ip.is_loopback()))
}
