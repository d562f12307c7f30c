//! What administrators ask of a store.

use sequencer::store::{
    AgentSummary, ApiKeyOrigin, ApiKeyRecord, Overview, StoreSummary, TenantSummary,
};

use super::identities::{agent_key, credential};
use super::*;

/// An API key of an agent, or of nobody, for these stores.
fn api_key(byte: u8, tenant_id: Uuid, agent_id: Option<Uuid>, stores: &[Uuid]) -> ApiKeyRecord {
    let key = credential(byte, tenant_id, ApiKeyOrigin::Created);
    let (store_ids, created_at) = (stores.to_vec(), at(byte.into()));
    ApiKeyRecord { agent_id, store_ids, created_at, write: true, admin: false, ..key }
}

fn tenant(id: Uuid) -> TenantSummary {
    TenantSummary {
        tenant_id: id,
        agents: 0,
        api_keys: 0,
        active_api_keys: 0,
        stores: 0,
        total_head_sequence: 0,
        active_stores: 0,
        last_key_at: None,
        last_activity_at: None,
    }
}

/// A tenant with two stores and three agents: one signs, one has API keys for the first store, and
/// one has an API key for all stores that is revoked. Gives the agent that signs and its second
/// store.
async fn busy_tenant(store: &dyn Store) -> (Agent, Agent) {
    let busy = Agent::new();
    let quiet = busy.in_store(Uuid::new_v4());
    let (mine, here) = (busy.stream.tenant_id, busy.stream.store_id);
    commit(store, &[prepared(busy.events(5))], 50).await;
    commit(store, &[prepared(quiet.events(2))], 40).await;
    store.insert_agent_key(&agent_key(&busy, 1)).await.unwrap();
    let (narrow, wide) = (Uuid::new_v4(), Uuid::new_v4());
    for key in [
        api_key(2, mine, Some(narrow), &[here]),
        api_key(3, mine, Some(narrow), &[here, Uuid::new_v4()]),
        api_key(4, mine, Some(wide), &[]),
        api_key(5, mine, Some(wide), &[here]),
        api_key(6, mine, None, &[]),
    ] {
        store.insert_api_key(&key).await.unwrap();
    }
    store.revoke_api_key(&Hash32([4; 32]), at(9)).await.unwrap();
    (busy, quiet)
}

pub(super) async fn the_directory_counts_what_is_there(store: &dyn Store) {
    assert_eq!(store.overview(None, at(0)).await.unwrap(), Overview::default());
    let (busy, quiet) = busy_tenant(store).await;
    let mine = busy.stream.tenant_id;
    // A tenant with one agent, and one with an API key only.
    let other = Agent::new();
    store.insert_agent_key(&agent_key(&other, 1)).await.unwrap();
    let third = Uuid::new_v4();
    store.insert_api_key(&api_key(7, third, None, &[])).await.unwrap();
    store.insert_api_key(&api_key(8, Uuid::nil(), None, &[])).await.unwrap();

    let all = Overview {
        tenants: 3,
        stores: 2,
        agents: 4,
        api_keys: 7,
        active_api_keys: 6,
        total_head_sequence: 7,
        active_stores: 1,
        last_activity_at: Some(at(50)),
    };
    assert_eq!(store.overview(None, at(41)).await.unwrap(), all);
    let own = Overview { tenants: 1, agents: 3, api_keys: 5, active_api_keys: 4, ..all };
    assert_eq!(store.overview(Some(mine), at(41)).await.unwrap(), own);
    assert_eq!(store.overview(Some(Uuid::new_v4()), at(0)).await.unwrap(), Overview::default());

    let mut expect = [
        TenantSummary {
            agents: 3,
            api_keys: 5,
            active_api_keys: 4,
            stores: 2,
            total_head_sequence: 7,
            active_stores: 2,
            last_key_at: Some(at(6)),
            last_activity_at: Some(at(50)),
            ..tenant(mine)
        },
        TenantSummary { agents: 1, last_key_at: Some(at(1)), ..tenant(other.stream.tenant_id) },
        TenantSummary {
            api_keys: 1,
            active_api_keys: 1,
            last_key_at: Some(at(7)),
            ..tenant(third)
        },
    ];
    assert_eq!(store.tenants(Some(mine), at(40), None, 9).await.unwrap(), expect[..1]);
    expect.sort_by_key(|tenant| tenant.tenant_id);
    assert_eq!(store.tenants(None, at(40), None, 9).await.unwrap(), expect);

    let summary = |stream, head_sequence, agents: u64, micros| StoreSummary {
        stream,
        head_sequence,
        committed_sequence: 0,
        agents: Some(agents),
        updated_at: at(micros),
    };
    // `busy` signs for all stores, a revoked key of `wide` was for all, `narrow` is for one.
    let mut expect = [summary(busy.stream, 5, 3, 50), summary(quiet.stream, 2, 2, 40)];
    expect.sort_by_key(|store| store.stream);
    assert_eq!(store.stores(Some(mine), None, 9, true).await.unwrap(), expect);
    assert_eq!(store.stores(None, None, 9, true).await.unwrap(), expect);
    assert_eq!(store.stores(Some(third), None, 9, true).await.unwrap(), []);
    let cheap = expect.map(|summary| StoreSummary { agents: None, ..summary });
    assert_eq!(store.stores(Some(mine), None, 9, false).await.unwrap(), cheap);
    assert_eq!(store.stores(None, None, 1, false).await.unwrap(), cheap[..1]);
    assert_eq!(store.stores(Some(third), None, 9, false).await.unwrap(), []);
}

pub(super) async fn agents_are_what_their_keys_say(store: &dyn Store) {
    let agent = Agent::new();
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    let one = |at| store.agents((Some(tenant), Some(id)), at, None, 9);
    assert_eq!(one(at(0)).await.unwrap(), []);
    let mut signing = agent_key(&agent, 1);
    signing.window.valid_from = Some(at(10));
    signing.window.valid_to = Some(at(20));
    store.insert_agent_key(&signing).await.unwrap();
    let mut expect = AgentSummary {
        tenant_id: tenant,
        agent_id: id,
        signs: true,
        write: false,
        admin: false,
        all_stores: false,
        api_keys: 0,
        active_api_keys: 0,
        first_key_at: at(1),
        last_key_at: at(1),
    };
    for (moment, signs) in [(9, false), (10, true), (20, true), (21, false)] {
        let found = one(at(moment)).await.unwrap();
        assert_eq!(found, [AgentSummary { signs, ..expect }], "at {moment}");
    }
    store.revoke_agent_key(tenant, id, 1, at(12)).await.unwrap();
    expect.signs = false;
    let steps = [
        (ApiKeyRecord { write: false, ..api_key(2, tenant, Some(id), &[tenant]) }, false, false),
        (api_key(3, tenant, Some(id), &[tenant]), true, false),
        (ApiKeyRecord { admin: true, ..api_key(4, tenant, Some(id), &[]) }, true, true),
    ];
    for (round, (key, write, admin)) in (1..).zip(steps) {
        store.insert_api_key(&key).await.unwrap();
        expect = AgentSummary { write, admin, api_keys: round, active_api_keys: round, ..expect };
        expect.all_stores |= key.store_ids.is_empty();
        expect.last_key_at = key.created_at;
        assert_eq!(one(at(15)).await.unwrap(), [expect], "after key {round}");
    }
    store.revoke_api_key(&Hash32([4; 32]), at(9)).await.unwrap();
    expect = AgentSummary { admin: false, all_stores: false, active_api_keys: 2, ..expect };
    assert_eq!(one(at(15)).await.unwrap(), [expect]);

    // The same id in another tenant is another agent.
    let elsewhere = Agent { id, ..Agent::new() };
    store.insert_agent_key(&agent_key(&elsewhere, 1)).await.unwrap();
    let found = store.agents((None, Some(id)), at(1), None, 9).await.unwrap();
    let mut tenants = [tenant, elsewhere.stream.tenant_id];
    tenants.sort_unstable();
    assert_eq!(found.iter().map(|agent| agent.tenant_id).collect::<Vec<_>>(), tenants);

    let keys = async |prefix: &str, after: &str, limit| {
        let range = (prefix, after);
        let keys = store.agent_api_keys(tenant, id, range, limit).await.unwrap();
        keys.iter().map(|key| key.key_hash.0[0]).collect::<Vec<u8>>()
    };
    assert_eq!(keys("", "", 9).await, [2, 3, 4], "revoked ones too");
    assert_eq!(keys("", "", 2).await, [2, 3]);
    assert_eq!(keys("", "0303030303030303", 9).await, [4]);
    assert_eq!(keys("04040404", "", 9).await, [4]);
    assert_eq!(keys("0404040404040404", "", 9).await, [4]);
    for nothing in ["05", "%", "04040404040404040"] {
        assert!(keys(nothing, "", 9).await.is_empty(), "{nothing}");
    }
    let others = store.agent_api_keys(Uuid::new_v4(), id, ("", ""), 9).await.unwrap();
    assert_eq!(others.len(), 0);
}

pub(super) async fn the_directory_is_paged_by_key(store: &dyn Store) {
    let agents: Vec<Agent> = (0..7)
        .map(|round| {
            let agent = Agent::new();
            // Two tenants with the last ids there are, and two stores in one of them.
            let tenant_id = match round {
                0 | 1 => Uuid::max(),
                2 => Uuid::from_u128(u128::MAX - 1),
                _ => agent.stream.tenant_id,
            };
            let id = if round == 0 { Uuid::max() } else { agent.id };
            Agent { stream: Stream { tenant_id, ..agent.stream }, id, ..agent }
        })
        .collect();
    for agent in &agents {
        commit(store, &[prepared(agent.events(1))], 1).await;
        store.insert_agent_key(&agent_key(agent, 1)).await.unwrap();
    }
    let mut streams: Vec<Stream> = agents.iter().map(|agent| agent.stream).collect();
    let mut ids: Vec<(Uuid, Uuid)> = agents.iter().map(|a| (a.stream.tenant_id, a.id)).collect();
    streams.sort_unstable();
    ids.sort_unstable();
    let mut tenants: Vec<Uuid> = streams.iter().map(|stream| stream.tenant_id).collect();
    tenants.dedup();

    let (mut seen, mut after) = (Vec::new(), None);
    while let page = store.tenants(None, at(0), after, 3).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some(last.tenant_id);
        seen.extend(page.iter().map(|tenant| tenant.tenant_id));
    }
    assert_eq!(seen, tenants);
    for with_agents in [true, false] {
        let (mut seen, mut after) = (Vec::new(), None);
        while let page = store.stores(None, after, 2, with_agents).await.unwrap()
            && let Some(last) = page.last()
        {
            after = Some(last.stream);
            seen.extend(page.iter().map(|store| store.stream));
        }
        assert_eq!(seen, streams);
    }
    let (mut seen, mut after) = (Vec::new(), None);
    while let page = store.agents((None, None), at(0), after, 2).await.unwrap()
        && let Some(last) = page.last()
    {
        after = Some((last.tenant_id, last.agent_id));
        seen.extend(page.iter().map(|agent| (agent.tenant_id, agent.agent_id)));
    }
    assert_eq!(seen, ids);
    let beyond = Some((Uuid::max(), Uuid::max()));
    assert_eq!(store.agents((None, None), at(0), beyond, 2).await.unwrap(), []);
    assert_eq!(store.tenants(None, at(0), Some(Uuid::max()), 2).await.unwrap(), []);
}
