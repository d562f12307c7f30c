//! Who writes where: agents with their keys, and the streams of a run.

use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use anyhow::{Context as _, ensure};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;
use ves::{Hash32, SigningKey, Stream, proof_of_possession_challenge};

use crate::caller::{Caller, Failure, Shot};
use crate::profile::Events;

/// First key of an agent.
pub const FIRST_KEY: u32 = 1;

/// One who signs.
#[derive(Clone)]
pub struct Agent {
    /// Its identity.
    pub id: Uuid,
    /// Which of its keys signs.
    pub key_id: u32,
    /// That key.
    pub key: SigningKey,
}

/// The agents and streams of a run, all of one tenant.
pub struct Cast {
    /// The tenant.
    pub tenant_id: Uuid,
    /// Those who sign.
    pub agents: Vec<Agent>,
    /// Where they write.
    pub streams: Vec<Stream>,
}

/// The same in a file; it holds private keys.
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct CastFile {
    tenant_id: Uuid,
    agents: Vec<AgentEntry>,
    store_ids: Vec<Uuid>,
}

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
struct AgentEntry {
    agent_id: Uuid,
    key_id: u32,
    seed: Hash32,
}

impl Agent {
    /// A new agent that nobody knows yet, and the seed of its key.
    #[must_use]
    pub fn new() -> (Self, Hash32) {
        let (a, b) = (Uuid::new_v4().into_bytes(), Uuid::new_v4().into_bytes());
        let mixed: Vec<u8> = a.into_iter().chain(b).collect();
        // 244 random bits; the hash spreads them over the seed.
        let seed = proof_of_possession_challenge(&mixed.try_into().unwrap_or([0; 32]));
        (Self { id: Uuid::new_v4(), key_id: FIRST_KEY, key: SigningKey::from_seed(&seed.0) }, seed)
    }

    /// The body that registers its key, or another as its next.
    #[must_use]
    pub fn key_body(&self, tenant_id: Uuid, overlap_seconds: Option<u32>) -> String {
        let public_key = self.key.public_key();
        let proof = self.key.sign(&proof_of_possession_challenge(public_key.as_bytes()));
        let mut body = json!({
            "tenantId": tenant_id,
            "agentId": self.id,
            "keyId": self.key_id,
            "publicKey": Hash32(*public_key.as_bytes()),
            "proofOfPossession": proof,
        });
        if let Some(seconds) = overlap_seconds {
            body["overlapSeconds"] = seconds.into();
        }
        body.to_string()
    }
}

impl Cast {
    /// New agents with registered keys, and new streams.
    ///
    /// # Errors
    /// When the target refuses a key.
    pub async fn register(
        caller: &Caller,
        tenant_id: Option<Uuid>,
        events: &Events,
        seeds: &mut Vec<Hash32>,
    ) -> Result<Self, Failure> {
        let tenant_id = tenant_id.unwrap_or_else(Uuid::new_v4);
        let mut agents = Vec::new();
        for _ in 0..events.agents {
            let (agent, seed) = Agent::new();
            let shot = Shot::post("/api/v1/agents/keys", agent.key_body(tenant_id, None));
            caller.send(&shot, &[]).await?;
            agents.push(agent);
            seeds.push(seed);
        }
        let stream = |_| Stream { tenant_id, store_id: Uuid::new_v4() };
        Ok(Self { tenant_id, agents, streams: (0..events.streams).map(stream).collect() })
    }

    /// Agents whose keys nobody knows, for targets that check none.
    #[must_use]
    pub fn of_strangers(events: &Events) -> Self {
        let tenant_id = Uuid::new_v4();
        let stream = |_| Stream { tenant_id, store_id: Uuid::new_v4() };
        let agents = (0..events.agents).map(|_| Agent::new().0).collect();
        Self { tenant_id, agents, streams: (0..events.streams).map(stream).collect() }
    }

    /// Ends the keys; gives how many the target ended. Events signed with them stay good.
    pub async fn revoke(&self, caller: &Caller) -> usize {
        let mut ended = 0;
        for agent in &self.agents {
            let body = json!({
                "tenantId": self.tenant_id, "agentId": agent.id, "keyId": agent.key_id,
            });
            let shot = Shot::post("/api/v1/agents/keys/revoke", body.to_string());
            ended += usize::from(caller.send(&shot, &[]).await.is_ok());
        }
        ended
    }

    /// Writes it with the seeds of its agents, for its owner's eyes only.
    ///
    /// # Errors
    /// When the file is there already or cannot be written.
    pub fn write(&self, seeds: &[Hash32], path: &Path) -> anyhow::Result<()> {
        let agents = self.agents.iter().zip(seeds);
        let file = CastFile {
            tenant_id: self.tenant_id,
            agents: agents
                .map(|(agent, seed)| AgentEntry {
                    agent_id: agent.id,
                    key_id: agent.key_id,
                    seed: *seed,
                })
                .collect(),
            store_ids: self.streams.iter().map(|stream| stream.store_id).collect(),
        };
        let name = path.display();
        let mut options = std::fs::OpenOptions::new();
        let mut opened = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(path)
            .with_context(|| format!("cannot write {name}"))?;
        let text = serde_json::to_string_pretty(&file).context("agents are JSON")?;
        writeln!(opened, "{text}").with_context(|| format!("cannot write {name}"))
    }

    /// Reads what [`Cast::write`] wrote.
    ///
    /// # Errors
    /// When it cannot be read or holds nobody.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path.display();
        let text = std::fs::read_to_string(path).with_context(|| format!("cannot read {name}"))?;
        let file: CastFile = serde_json::from_str(&text)
            .with_context(|| format!("{name} is not what `loadgen setup` writes"))?;
        let filled = !file.agents.is_empty() && !file.store_ids.is_empty();
        ensure!(filled, "{name} holds no agents or no streams");
        let tenant_id = file.tenant_id;
        let agent = |entry: AgentEntry| Agent {
            id: entry.agent_id,
            key_id: entry.key_id,
            key: SigningKey::from_seed(&entry.seed.0),
        };
        let stream = |store_id| Stream { tenant_id, store_id };
        Ok(Self {
            tenant_id,
            agents: file.agents.into_iter().map(agent).collect(),
            streams: file.store_ids.into_iter().map(stream).collect(),
        })
    }
}
