//! Keys and credentials of a store.

use sequencer::store::{ApiKeyOrigin, ApiKeyRecord};

use super::*;

pub(super) fn agent_key(agent: &Agent, key_id: u32) -> AgentKeyRecord {
    AgentKeyRecord {
        tenant_id: agent.stream.tenant_id,
        agent_id: agent.id,
        key_id,
        algorithm: 1,
        public_key: *agent.key.public_key().as_bytes(),
        window: ALWAYS,
        created_at: at(1),
    }
}

pub(super) async fn window(store: &dyn Store, agent: &Agent, key_id: u32) -> KeyWindow {
    let key = store.agent_key(agent.stream.tenant_id, agent.id, key_id).await.unwrap();
    key.unwrap().window
}

pub(super) async fn agent_keys_live_and_end(store: &dyn Store) {
    let agent = Agent::new();
    let (tenant, id) = (agent.stream.tenant_id, agent.id);
    assert!(store.agent_key(tenant, id, 1).await.unwrap().is_none());
    for key_id in [2, 1, i32::MAX.cast_unsigned()] {
        let key = agent_key(&agent, key_id);
        assert_eq!(store.insert_agent_key(&key).await.unwrap(), Inserted::Yes);
        assert_eq!(store.insert_agent_key(&key).await.unwrap(), Inserted::Exists);
    }
    let keys = store.agent_keys(tenant, id).await.unwrap();
    let ids: Vec<u32> = keys.iter().map(|key| key.key_id).collect();
    assert_eq!(ids, [1, 2, i32::MAX.cast_unsigned()]);
    assert_eq!(keys[0].public_key, *agent.key.public_key().as_bytes());
    assert_eq!(store.agent_keys(Uuid::new_v4(), id).await.unwrap().len(), 0);
    for moment in [5, 6] {
        let revoked = store.revoke_agent_key(tenant, id, 2, at(moment)).await.unwrap().unwrap();
        assert_eq!(revoked.window.status, StoredStatus::Revoked);
        assert_eq!(revoked.window.revoked_at, Some(at(5)), "the first revocation counts");
    }
    assert!(store.revoke_agent_key(tenant, id, 3, at(5)).await.unwrap().is_none());
    assert_eq!(window(store, &agent, 1).await.status, StoredStatus::Active);
}

pub(super) async fn a_rotation_ends_older_keys_and_shortens_only(store: &dyn Store) {
    let agent = Agent::new();
    let bounded = |key_id, valid_from, valid_to| {
        let mut key = agent_key(&agent, key_id);
        key.window.valid_from = valid_from;
        key.window.valid_to = valid_to;
        key
    };
    let keys = [
        bounded(1, None, None),
        bounded(2, None, Some(at(10))),
        bounded(3, None, Some(at(1000))),
        bounded(4, Some(at(500)), None),
        bounded(5, None, None),
    ];
    for key in &keys {
        store.insert_agent_key(key).await.unwrap();
    }
    store.revoke_agent_key(agent.stream.tenant_id, agent.id, 5, at(3)).await.unwrap();
    let next = agent_key(&agent, 6);
    assert_eq!(store.rotate_agent_key(&next, at(100)).await.unwrap(), Inserted::Yes);
    let expect = [Some(at(100)), Some(at(10)), Some(at(100)), Some(at(500)), None, None];
    for (key_id, valid_to) in (1..).zip(expect) {
        let window = window(store, &agent, key_id).await;
        assert_eq!(window.valid_to, valid_to, "key {key_id}");
        assert!(window.valid_from.is_none_or(|from| window.valid_to.is_none_or(|to| from <= to)));
    }
    assert_eq!(store.rotate_agent_key(&next, at(50)).await.unwrap(), Inserted::Exists);
    assert_eq!(window(store, &agent, 1).await.valid_to, Some(at(100)), "ends no key when refused");
}

pub(super) async fn receipt_keys_are_numbered(store: &dyn Store) {
    let (one, two) = ([1; 32], [2; 32]);
    let mut expect: Vec<(u32, [u8; 32], Option<Timestamp>)> = vec![(1, one, None)];
    for (key, moment, new) in [(one, 1, None), (one, 2, None), (two, 3, Some(2)), (one, 4, Some(3))]
    {
        if let Some(version) = new {
            expect.last_mut().unwrap().2 = Some(at(moment));
            expect.push((version, key, None));
        }
        let keys = store.set_sequencer_key(&key, at(moment)).await.unwrap();
        let found: Vec<_> =
            keys.iter().map(|key| (key.version, key.public_key, key.valid_to)).collect();
        assert_eq!(found, expect);
        assert_eq!(store.sequencer_keys().await.unwrap(), keys);
    }
}

pub(super) async fn the_sequencers_id_is_kept(store: &dyn Store) {
    let first = Uuid::new_v4();
    assert_eq!(store.sequencer_id(first).await.unwrap(), first);
    assert_eq!(store.sequencer_id(Uuid::new_v4()).await.unwrap(), first);
}

pub(super) fn credential(byte: u8, tenant_id: Uuid, origin: ApiKeyOrigin) -> ApiKeyRecord {
    ApiKeyRecord {
        key_hash: Hash32([byte; 32]),
        key_prefix: format!("{byte:02x}").repeat(8),
        tenant_id,
        store_ids: vec![Uuid::new_v4(), Uuid::new_v4()],
        read: true,
        write: false,
        admin: true,
        agent_id: Some(Uuid::new_v4()),
        rate_limit: Some(u32::from(byte)),
        origin,
        created_at: at(1),
        last_used_at: None,
        revoked_at: None,
    }
}

pub(super) async fn credentials_live_and_end(store: &dyn Store) {
    let (mine, other) = (Uuid::new_v4(), Uuid::new_v4());
    for byte in 1..=9 {
        let tenant = if byte % 3 == 0 { other } else { mine };
        let key = credential(byte, tenant, ApiKeyOrigin::Created);
        assert_eq!(store.insert_api_key(&key).await.unwrap(), Inserted::Yes);
        assert_eq!(store.insert_api_key(&key).await.unwrap(), Inserted::Exists);
        let found = store.api_key(&key.key_hash).await.unwrap().unwrap();
        assert_eq!(format!("{found:?}"), format!("{key:?}"));
        let found = store.api_key_by_prefix(&key.key_prefix).await.unwrap().unwrap();
        assert_eq!(found.key_hash, key.key_hash);
    }
    assert!(store.api_key(&Hash32([99; 32])).await.unwrap().is_none());
    assert!(store.api_key_by_prefix("").await.unwrap().is_none());
    let page = |tenant, after: &'static str, limit| async move {
        let keys = store.api_keys(tenant, after, limit).await.unwrap();
        keys.iter().map(|key| key.key_hash.0[0]).collect::<Vec<u8>>()
    };
    assert_eq!(page(Some(mine), "", 4).await, [1, 2, 4, 5]);
    assert_eq!(page(Some(mine), "0505050505050505", 4).await, [7, 8]);
    assert_eq!(page(None, "", 3).await, [1, 2, 3]);
    assert_eq!(store.count_active_api_keys().await.unwrap(), 9);
    let hash = Hash32([4; 32]);
    for moment in [7, 8] {
        store.revoke_api_key(&hash, at(moment)).await.unwrap();
    }
    store.touch_api_keys(&[(hash, at(9)), (Hash32([99; 32]), at(9))]).await.unwrap();
    let key = store.api_key(&hash).await.unwrap().unwrap();
    assert_eq!((key.revoked_at, key.last_used_at), (Some(at(7)), Some(at(9))));
    assert_eq!(store.count_active_api_keys().await.unwrap(), 8);
}

pub(super) async fn one_configured_credential_of_an_origin_is_live(store: &dyn Store) {
    let created = credential(50, Uuid::nil(), ApiKeyOrigin::Created);
    store.insert_api_key(&created).await.unwrap();
    let live = async |key: &ApiKeyRecord| {
        let found = store.api_key(&key.key_hash).await.unwrap();
        found.is_some_and(|key| key.revoked_at.is_none())
    };
    let mut others = vec![created.clone()];
    for (first, origin) in [(1, ApiKeyOrigin::Bootstrap), (11, ApiKeyOrigin::Sidecar)] {
        let keys = [first, first + 1].map(|byte| credential(byte, Uuid::nil(), origin));
        for current in [0, 0, 1, 0] {
            assert_eq!(store.set_configured_key(&keys[current]).await.unwrap(), Inserted::Yes);
            for (place, key) in keys.iter().enumerate() {
                assert_eq!(live(key).await, place == current);
            }
        }
        // The text of another credential is refused, and the one before stays.
        for other in &others {
            let taken = ApiKeyRecord { origin, ..other.clone() };
            assert_eq!(store.set_configured_key(&taken).await.unwrap(), Inserted::Exists);
            let found = store.api_key(&other.key_hash).await.unwrap().unwrap();
            assert_eq!((found.origin, found.revoked_at), (other.origin, None));
            assert!(live(&keys[0]).await);
        }
        others.push(keys[0].clone());
    }
    let [created, bootstrap, sidecar] = &others[..] else { panic!("{others:?}") };
    store.retire_api_keys(ApiKeyOrigin::Sidecar, at(99)).await.unwrap();
    store.retire_api_keys(ApiKeyOrigin::Sidecar, at(100)).await.unwrap();
    assert!(live(created).await && live(bootstrap).await && !live(sidecar).await);
    let ended = store.api_key(&sidecar.key_hash).await.unwrap().unwrap().revoked_at;
    assert_eq!(ended, Some(at(99)), "the first end counts");
    assert_eq!(store.set_configured_key(sidecar).await.unwrap(), Inserted::Yes);
    assert!(live(sidecar).await);
}
