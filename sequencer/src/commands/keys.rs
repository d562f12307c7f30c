//! Agent keys on the command line: make a pair, sign an event file, register.

use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde::Deserialize;
use serde_json::value::RawValue;
use uuid::Uuid;
use ves::{
    CanonicalLimits, EnvelopeLimits, Event, EventDraft, Hash32, Refusal, SigningKey, Stream,
    canonicalize, parse_submission, proof_of_possession_challenge,
};

use super::{Credential, say};
use crate::client::ingest_request;
use crate::clock;
use crate::secrets::{decode_seed, new_seed, write_private};

/// What to do with agent keys.
#[derive(Subcommand)]
pub enum KeysCommand {
    /// Make a new agent key pair
    Generate(Generate),
    /// Sign an event file; prints the body that the ingest route takes
    #[command(after_help = SIGN_HELP)]
    Sign(Sign),
    /// Register a key's public half with a server, with proof of possession
    Register(Register),
}

const SIGN_HELP: &str = "\
An event file is an envelope without hashes and signature:

  {
    \"tenant_id\": \"f9f0efa3-f9da-4262-89aa-f021ee41af38\",
    \"store_id\": \"589f7a52-1c71-4a7b-a6e9-f78a4e8b03f5\",
    \"source_agent_id\": \"9a06c992-a269-4ef7-b984-974c185aa4ec\",
    \"entity_type\": \"order\", \"entity_id\": \"ORD-1001\",
    \"event_type\": \"order.created\",
    \"payload\": { \"total_cents\": 4995, \"currency\": \"EUR\" }
  }

May be added: event_id (else new), created_at (else now), agent_key_id (else 1), command_id,
base_version. Post the result as it is:

  sequencer keys sign --key agent.key event.json |
    curl -H \"Authorization: ApiKey $(cat data/bootstrap.key)\" \\
      -H 'content-type: application/json' --data-binary @- \\
      http://127.0.0.1:8080/api/v1/ves/events/ingest";

/// `keys generate`.
#[derive(Args)]
pub struct Generate {
    /// File for the private key, created with mode 0600; without it the key is printed.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// `keys sign`.
#[derive(Args)]
pub struct Sign {
    /// File of the private key, as `keys generate` wrote it.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// The event file; - reads standard input.
    #[arg(value_name = "EVENT.json")]
    event: PathBuf,
}

/// `keys register`.
#[derive(Args)]
pub struct Register {
    /// Address of the server.
    #[arg(long, default_value = "http://127.0.0.1:8080")]
    url: String,
    /// File of the private key, as `keys generate` wrote it; it is not sent.
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Tenant of the agent.
    #[arg(long, value_name = "UUID")]
    tenant_id: Uuid,
    /// The agent.
    #[arg(long, value_name = "UUID")]
    agent_id: Uuid,
    /// Number of the key among the agent's keys.
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    key_id: u32,
    #[command(flatten)]
    credential: Credential,
}

/// Runs a `keys` command.
///
/// # Errors
/// One sentence about the file, the event or the server's refusal.
pub async fn keys(command: KeysCommand) -> anyhow::Result<ExitCode> {
    match command {
        KeysCommand::Generate(arguments) => generate(&arguments)?,
        KeysCommand::Sign(arguments) => sign(&arguments)?,
        KeysCommand::Register(arguments) => register(&arguments).await?,
    }
    Ok(ExitCode::SUCCESS)
}

fn generate(arguments: &Generate) -> anyhow::Result<()> {
    let seed = new_seed()?;
    let key = signing_key(&seed).context("the new key cannot be read back")?;
    match &arguments.out {
        Some(file) => {
            write_private(file, &seed)?;
            let file = file.display();
            say(&format!("private key          written to {file} (mode 0600)"));
        }
        None => {
            say(&format!("private key          {seed}"));
            say("                     (keep it secret; --out FILE writes it to a file instead)");
        }
    }
    let public_key = key.public_key();
    let proof = key.sign(&proof_of_possession_challenge(public_key.as_bytes()));
    say(&format!("public key           {}", Hash32(*public_key.as_bytes())));
    say(&format!("proof of possession  {proof}"));
    Ok(())
}

fn sign(arguments: &Sign) -> anyhow::Result<()> {
    let key = read_key(&arguments.key)?;
    let name = arguments.event.display();
    let text = if arguments.event == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().read_to_string(&mut text).map(|_| text)
    } else {
        std::fs::read_to_string(&arguments.event)
    };
    let text = text.with_context(|| format!("cannot read {name}"))?;
    let event = signed(&text, &key).with_context(|| format!("{name} cannot be signed"))?;
    let body = ingest_request(event.source_agent_id, &[event])?;
    say(&serde_json::to_string(&body)?);
    Ok(())
}

async fn register(arguments: &Register) -> anyhow::Result<()> {
    let Register { tenant_id, agent_id, key_id, .. } = *arguments;
    let key = read_key(&arguments.key)?;
    let (client, _) = arguments.credential.client(&arguments.url)?;
    client.register_key((tenant_id, agent_id, key_id), &key).await?;
    say(&format!("registered key {key_id} of agent {agent_id} in tenant {tenant_id}"));
    say(&format!("public key {}", Hash32(*key.public_key().as_bytes())));
    Ok(())
}

fn read_key(file: &Path) -> anyhow::Result<SigningKey> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the private key in {}", file.display()))?;
    signing_key(text.trim()).with_context(|| {
        format!("{} must hold a seed of 32 bytes, as 64 hex digits or base64", file.display())
    })
}

fn signing_key(seed: &str) -> Option<SigningKey> {
    decode_seed(seed).map(|seed| SigningKey::from_seed(&seed))
}

/// An event as a person writes it. A misspelt or signed member is refused, not ignored.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Unsigned {
    ves_version: Option<u32>,
    payload_kind: Option<u32>,
    event_id: Option<Uuid>,
    tenant_id: Uuid,
    store_id: Uuid,
    source_agent_id: Uuid,
    agent_key_id: Option<u32>,
    entity_type: String,
    entity_id: String,
    event_type: String,
    created_at: Option<String>,
    payload: Box<RawValue>,
    command_id: Option<Uuid>,
    base_version: Option<u64>,
}

/// Signs an event file; what a sequencer would refuse by its form is refused here already.
fn signed(text: &str, key: &SigningKey) -> anyhow::Result<Event> {
    let unsigned: Unsigned = serde_json::from_str(text)?;
    if unsigned.ves_version.is_some_and(|version| version != 1) {
        bail!("`ves_version` must be 1");
    }
    if unsigned.payload_kind.is_some_and(|kind| kind != 0) {
        bail!("`payload_kind` must be 0: encrypted payloads are made by the agents themselves");
    }
    // Read from the text, because a JSON value would hide a name that is given twice.
    let payload = canonicalize(unsigned.payload.get(), &CanonicalLimits::STRICT)?;
    let draft = EventDraft {
        stream: Stream { tenant_id: unsigned.tenant_id, store_id: unsigned.store_id },
        event_id: unsigned.event_id.unwrap_or_else(Uuid::new_v4),
        source_agent_id: unsigned.source_agent_id,
        agent_key_id: unsigned.agent_key_id.unwrap_or(1),
        entity_type: unsigned.entity_type,
        entity_id: unsigned.entity_id,
        event_type: unsigned.event_type,
        created_at: unsigned.created_at.unwrap_or_else(|| clock::now().to_string()),
        payload: serde_json::from_str(&payload)?,
        command_id: unsigned.command_id,
        base_version: unsigned.base_version,
    };
    let event = draft.sign(key)?;
    match parse_submission(&event.to_json(), &EnvelopeLimits::default())?.event {
        Ok(event) => Ok(event),
        Err(Refusal::Schema { member, detail }) => bail!("`{member}` {detail}"),
        Err(refusal) => bail!("{refusal}"),
    }
}
