//! The bootstrap keys and the receipt key: given, or in development created once.

use std::fs::{File, OpenOptions};
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail, ensure};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use uuid::Uuid;
use ves::{SigningKey, canary};

use crate::auth::api_key;
use crate::config::{Config, Secret};

/// File of a created bootstrap key.
pub const BOOTSTRAP_FILE: &str = "bootstrap.key";
/// File of a created key of the sidecar, where a sidecar beside the sequencer finds it.
pub const SIDECAR_FILE: &str = "sidecar.key";
/// File of a created receipt key.
pub const SIGNING_FILE: &str = "signing.key";

/// The secrets that a sequencer cannot run without.
pub struct Secrets {
    /// The platform's credential.
    pub bootstrap_key: Secret,
    /// The sidecar's credential; without one, no such credential is live.
    pub sidecar_key: Option<Secret>,
    /// Signs receipts.
    pub signing_key: SigningKey,
    /// What was created just now, to be shown once.
    pub created: Vec<String>,
}

impl Secrets {
    /// Takes the configured secrets; in development, reads or creates what is missing.
    ///
    /// # Errors
    /// A malformed value, or a missing one where others could reach the API.
    pub fn load(config: &Config) -> anyhow::Result<Self> {
        let mut created = Vec::new();
        let bootstrap_key = match &config.bootstrap_admin_api_key {
            Some(key) => key.clone(),
            None => {
                let file = file_for(config, BOOTSTRAP_FILE, "BOOTSTRAP_ADMIN_API_KEY")?;
                read_or_create(&file, &mut created, || api_key::generate(Uuid::nil()))?
            }
        };
        let sidecar_key = match &config.bootstrap_sidecar_api_key {
            Some(key) => Some(key.clone()),
            None if config.is_development() => {
                let file = config.data_dir.join(SIDECAR_FILE);
                let make = || api_key::generate(canary::TENANT_ID);
                Some(read_or_create(&file, &mut created, make)?)
            }
            None => None,
        };
        check_keys(&bootstrap_key, sidecar_key.as_ref())?;
        let (name, seed) = match &config.ves_sequencer_signing_key {
            Some(seed) => ("VES_SEQUENCER_SIGNING_KEY", seed.clone()),
            None => {
                let file = file_for(config, SIGNING_FILE, "VES_SEQUENCER_SIGNING_KEY")?;
                (SIGNING_FILE, read_or_create(&file, &mut created, new_seed)?)
            }
        };
        let seed = decode_seed(seed.expose()).with_context(|| {
            format!("{name} must be a seed of 32 bytes, as 64 hex digits or base64")
        })?;
        let signing_key = SigningKey::from_seed(&seed);
        Ok(Self { bootstrap_key, sidecar_key, signing_key, created })
    }
}

fn check_keys(bootstrap: &Secret, sidecar: Option<&Secret>) -> anyhow::Result<()> {
    for (file, key) in [(BOOTSTRAP_FILE, Some(bootstrap)), (SIDECAR_FILE, sidecar)] {
        ensure!(
            key.is_none_or(|key| api_key::is_well_formed(key.expose())),
            "{file} does not hold a key: `ss_` and at least 32 of A-Z a-z 0-9 _ -"
        );
    }
    ensure!(
        sidecar != Some(bootstrap),
        "BOOTSTRAP_SIDECAR_API_KEY is the key of BOOTSTRAP_ADMIN_API_KEY; the sidecar needs one of \
         its own, which cannot administer"
    );
    Ok(())
}

fn file_for(config: &Config, file: &str, variable: &str) -> anyhow::Result<PathBuf> {
    if !config.is_development() {
        bail!(
            "{variable} is not set; it is created by itself only when HOST is loopback and the \
             store is SQLite"
        );
    }
    Ok(config.data_dir.join(file))
}

fn read_or_create(
    file: &Path,
    created: &mut Vec<String>,
    make: impl Fn() -> anyhow::Result<String>,
) -> anyhow::Result<Secret> {
    match std::fs::read_to_string(file) {
        Ok(text) => return Ok(Secret::from(text.trim().to_owned())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
        Err(error) => {
            return Err(error).with_context(|| format!("cannot read {}", file.display()));
        }
    }
    let secret = make()?;
    write_private(file, &secret)?;
    created.push(format!("created {} (mode 0600)", file.display()));
    Ok(Secret::from(secret))
}

/// Writes a file that only this user can read, and refuses to replace one. It is there whole or
/// not at all, also when the power is lost meanwhile.
///
/// # Errors
/// When it exists or cannot be written.
pub fn write_private(file: &Path, text: &str) -> anyhow::Result<()> {
    let context = || format!("cannot create {}", file.display());
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty());
    let folder = folder.unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).with_context(context)?;
    let unfinished = folder.join(format!(".{}.new", Uuid::new_v4()));
    let written = write_synced(&unfinished, text).and_then(|()| {
        // Unlike a rename, a link never replaces what another process created meanwhile.
        std::fs::hard_link(&unfinished, file)
    });
    let removed = std::fs::remove_file(&unfinished);
    let synced = || File::open(folder)?.sync_all();
    written.and(removed).and_then(|()| synced()).with_context(context)
}

fn write_synced(file: &Path, text: &str) -> std::io::Result<()> {
    let mut handle = OpenOptions::new().create_new(true).write(true).mode(0o600).open(file)?;
    handle.write_all(text.as_bytes())?;
    handle.sync_all()
}

/// A random seed of 32 bytes as hex.
///
/// # Errors
/// When the system has no randomness.
pub fn new_seed() -> anyhow::Result<String> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(ves::Hash32(seed).to_string())
}

/// A seed from 64 hex digits or base64.
#[must_use]
pub fn decode_seed(text: &str) -> Option<[u8; 32]> {
    if let Some(seed) = ves::Hash32::parse_either(text) {
        return Some(seed.0);
    }
    [STANDARD, STANDARD_NO_PAD, URL_SAFE_NO_PAD]
        .iter()
        .find_map(|alphabet| alphabet.decode(text).ok()?.try_into().ok())
}
