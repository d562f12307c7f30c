//! Secrets: given, of their own, not to be guessed, and seen by nobody else.

use std::collections::HashSet;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use ves::{Hash32, SigningKey};

use super::Facts;
use super::ask::Server;
use super::check::{Check, Finding};
use crate::config::{Config, Database, Secret, password, url_option};
use crate::secrets::{BOOTSTRAP_FILE, SIGNING_FILE, decode_seed};

/// Fewer different characters than this in a text of 32 were not drawn by chance.
const MIN_DIFFERENT: usize = 10;
/// Texts of people in the place of a secret.
const WORDS: [&str; 6] = ["changeme", "change_me", "change-me", "example", "password", "secret"];
/// A shorter password is in other processes' arguments by chance.
const MIN_SEARCHED: usize = 6;
/// Most processes and files that are looked at.
const MAX_LOOKED_AT: usize = 10_000;

/// Every configured secret by the setting that holds it.
pub(super) fn values(config: &Config) -> Vec<(&'static str, &str)> {
    let given = [
        ("BOOTSTRAP_ADMIN_API_KEY", &config.bootstrap_admin_api_key),
        ("BOOTSTRAP_SIDECAR_API_KEY", &config.bootstrap_sidecar_api_key),
        ("VES_SEQUENCER_SIGNING_KEY", &config.ves_sequencer_signing_key),
        ("OTEL_EXPORTER_OTLP_HEADERS", &config.otel_exporter_otlp_headers),
    ];
    let given =
        given.into_iter().filter_map(|(name, value)| Some((name, value.as_ref()?.expose())));
    let password = password(&config.database_url).map(|password| ("DATABASE_URL", password));
    given.chain(password).filter(|(_, value)| value.len() >= MIN_SEARCHED).collect()
}

pub(super) fn look(facts: &Facts<'_>) -> Vec<Finding> {
    let config = facts.config;
    vec![
        given(
            Check::PlatformKey,
            ("BOOTSTRAP_ADMIN_API_KEY", "ss_$(openssl rand -hex 32)"),
            config.bootstrap_admin_api_key.as_ref(),
            &config.data_dir.join(BOOTSTRAP_FILE),
        ),
        given(
            Check::ReceiptKey,
            ("VES_SEQUENCER_SIGNING_KEY", "openssl rand -hex 32"),
            config.ves_sequencer_signing_key.as_ref(),
            &config.data_dir.join(SIGNING_FILE),
        ),
        receipt_key_published(facts),
        sidecar_key(config),
        in_arguments(config),
        files(config),
    ]
}

/// A secret that production gives, and development creates in a file.
fn given(
    check: Check,
    (name, recipe): (&str, &str),
    secret: Option<&Secret>,
    created: &Path,
) -> Finding {
    let fix = format!("set {name} from a secret store, to a new one: {recipe}");
    let Some(secret) = secret else {
        let file = created.display();
        return check
            .fail(format!("{name} is not set; a start creates {file}, or is refused"), fix);
    };
    let text = secret.expose();
    if std::fs::read_to_string(created).is_ok_and(|file| file.trim() == text) {
        let file = created.display();
        return check.fail(format!("{name} is what a development server created in {file}"), fix);
    }
    if check == Check::ReceiptKey && decode_seed(text).is_none() {
        return check.fail(format!("{name} is no seed of 32 bytes; a start is refused"), fix);
    }
    if is_guessable(text) {
        return check.fail(format!("{name} was not drawn by chance and can be guessed"), fix);
    }
    check.pass(format!("{name} is given"))
}

fn is_guessable(text: &str) -> bool {
    let few = |different: usize| different < MIN_DIFFERENT;
    let lower = text.to_ascii_lowercase();
    few(text.trim_start_matches("ss_").chars().collect::<HashSet<_>>().len())
        || decode_seed(text).is_some_and(|seed| few(seed.iter().collect::<HashSet<_>>().len()))
        || WORDS.iter().any(|word| lower.contains(word))
}

/// A server that signs with another key runs with another configuration than this one.
fn receipt_key_published(facts: &Facts<'_>) -> Finding {
    let check = Check::ReceiptKeyPublished;
    let Server { signs_with, .. } = match &facts.server {
        Ok(server) => server,
        Err(why) => return check.skipped(why),
    };
    let seed = facts.config.ves_sequencer_signing_key.as_ref();
    let Some(seed) = seed.and_then(|seed| decode_seed(seed.expose())) else {
        return check.skipped("VES_SEQUENCER_SIGNING_KEY is no usable seed here");
    };
    let ours = Hash32(*SigningKey::from_seed(&seed).public_key().as_bytes());
    match signs_with {
        Some(theirs) if *theirs == ours => check.pass("the server signs with the configured key"),
        Some(theirs) => check.fail(
            format!("the server publishes {theirs}, VES_SEQUENCER_SIGNING_KEY here is {ours}"),
            "run this with the server's environment, or restart the server with this \
             VES_SEQUENCER_SIGNING_KEY",
        ),
        None => check.skipped("the server does not say which key it signs with"),
    }
}

fn sidecar_key(config: &Config) -> Finding {
    let (check, name) = (Check::SidecarKey, "BOOTSTRAP_SIDECAR_API_KEY");
    let fix = format!("set {name} to a key of its own, and the sidecar's SEQUENCER_API_KEY to it");
    match &config.bootstrap_sidecar_api_key {
        None => check.warn(format!("{name} is not set: no sidecar can watch the log"), fix),
        key if *key == config.bootstrap_admin_api_key => check.fail(
            format!(
                "{name} is the platform key, so the sidecar can administer; a start refuses it"
            ),
            fix,
        ),
        Some(key) if is_guessable(key.expose()) => {
            check.fail(format!("{name} was not drawn by chance and can be guessed"), fix)
        }
        Some(_) => check.pass(format!("{name} is given and is not the platform key")),
    }
}

/// Arguments of a process are shown to every user of the machine.
fn in_arguments(config: &Config) -> Finding {
    let check = Check::SecretsInArguments;
    let secrets = values(config);
    let mut seen = 0;
    for process in std::fs::read_dir("/proc").into_iter().flatten().flatten().take(MAX_LOOKED_AT) {
        let Ok(arguments) = std::fs::read(process.path().join("cmdline")) else { continue };
        let arguments = String::from_utf8_lossy(&arguments);
        seen += 1;
        if let Some((name, _)) = secrets.iter().find(|(_, secret)| arguments.contains(secret)) {
            let id = process.file_name();
            return check.fail(
                format!("the arguments of process {} show {name} to everybody", id.display()),
                format!("give {name} in the environment, never as a flag, and choose a new one"),
            );
        }
    }
    if seen == 0 {
        return check.skipped("the processes of this machine cannot be seen (/proc)");
    }
    check.pass(format!("no secret is in the arguments of the {seen} processes seen"))
}

/// Files with secrets, and the store's: who else may read or write them.
fn files(config: &Config) -> Finding {
    let check = Check::SecretFiles;
    let mut secret = vec![PathBuf::from(".env")];
    let folder = std::fs::read_dir(&config.data_dir).into_iter().flatten().flatten();
    secret.extend(
        folder.take(MAX_LOOKED_AT).map(|entry| entry.path()).filter(|path| {
            path.extension().is_some_and(|ending| ending == "key" || ending == "env")
        }),
    );
    secret.extend(url_option(&config.database_url, "sslkey").map(PathBuf::from));
    let store = match config.database() {
        Ok(Database::Sqlite(path)) => vec![path],
        _ => Vec::new(),
    };
    let folder = config.data_dir.display();
    if mode(&config.data_dir).is_some_and(|mode| mode & 0o002 != 0) {
        let found = format!("everybody can write in {folder} (DATA_DIR)");
        return check.fail(found, format!("chmod 750 {folder}"));
    }
    let open = |files: &[PathBuf]| {
        let open = files.iter().filter(|path| is_open(path)).map(|path| path.display().to_string());
        Some(open.collect::<Vec<_>>().join(", ")).filter(|names| !names.is_empty())
    };
    let everybody = "every user of this machine can read or write";
    if let Some(names) = open(&secret) {
        let found = format!("{everybody} {names}");
        return check.fail(found, "chmod 600 these files, and choose new secrets");
    }
    if let Some(names) = open(&store) {
        let fix = format!("chmod 750 the folder of the store, as {folder} (DATA_DIR) should be");
        return check.warn(format!("{everybody} {names}, which holds all payloads"), fix);
    }
    check.pass("nobody else can read keys, environment files or a store's file here")
}

fn mode(path: &Path) -> Option<u32> {
    Some(std::fs::metadata(path).ok()?.permissions().mode())
}

/// True when everybody gets at a file; who cannot enter a folder above it does not.
fn is_open(path: &Path) -> bool {
    let Ok(path) = std::path::absolute(path) else { return false };
    let closed = |folder: &Path| mode(folder).is_some_and(|mode| mode & 0o001 == 0);
    mode(&path).is_some_and(|mode| mode & 0o006 != 0) && !path.ancestors().skip(1).any(closed)
}
