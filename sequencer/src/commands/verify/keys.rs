//! Public keys for the audit, each looked up once.

use std::collections::{HashMap, HashSet};

use uuid::Uuid;
use ves::{EventRecord, KeySource, KeyWindow, PublicKey};

use super::log::{AgentKey, Log, Read};

/// Agents whose keys are kept; beyond, all are forgotten and asked for again.
const MAX_AGENTS: usize = 100_000;

/// The keys seen so far.
#[derive(Default)]
pub(super) struct Keys {
    sequencer: HashMap<u32, PublicKey>,
    agents: HashMap<(Uuid, Uuid), Vec<AgentKey>>,
}

impl Keys {
    /// Starts with the receipt keys.
    pub(super) async fn new(log: &mut dyn Log) -> Read<Self> {
        let sequencer = log.sequencer_keys().await?.into_iter().collect();
        Ok(Self { sequencer, ..Self::default() })
    }

    /// Looks up what these events need. A key that is not known is asked for once per page: the
    /// agent may have got it meanwhile.
    pub(super) async fn load(&mut self, log: &mut dyn Log, records: &[EventRecord]) -> Read<()> {
        if self.agents.len() > MAX_AGENTS {
            self.agents.clear();
        }
        let mut asked = HashSet::new();
        for event in records.iter().map(|record| &record.event) {
            let agent = (event.stream.tenant_id, event.source_agent_id);
            let known = self.agents.get(&agent);
            let is_known = known
                .is_some_and(|keys| keys.iter().any(|(key_id, ..)| *key_id == event.agent_key_id));
            if !is_known && asked.insert(agent) {
                let keys = log.agent_keys(agent.0, agent.1).await?;
                self.agents.insert(agent, keys);
            }
        }
        Ok(())
    }
}

impl KeySource for Keys {
    fn agent_key(
        &self,
        tenant_id: Uuid,
        agent_id: Uuid,
        key_id: u32,
    ) -> Option<(PublicKey, KeyWindow)> {
        let keys = self.agents.get(&(tenant_id, agent_id))?;
        keys.iter().find(|(id, ..)| *id == key_id).map(|(_, key, window)| (*key, *window))
    }

    fn sequencer_key(&self, key_version: u32) -> Option<PublicKey> {
        self.sequencer.get(&key_version).copied()
    }
}
