//! Keys: good on all replicas at once, ended on all of them in time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use uuid::Uuid;
use ves::wire::SequencerInfo;

use crate::agent::Agent;
use crate::answer::eventually;
use crate::client::Client;
use crate::cluster::{Cluster, no_deadlock, register, registered};
use crate::process::Process;
use crate::writers::Writers;

/// Within this a revocation works everywhere.
const REVOKED: Duration = Duration::from_secs(5);

/// The reason why the only event of a request was refused; empty when it was not.
async fn refusal(replica: &Client, agent: &Agent) -> String {
    let answer = replica.ingest(&agent.events(1)).await;
    answer.rejections.first().map(|rejection| rejection.reason.to_string()).unwrap_or_default()
}

#[tokio::test(flavor = "multi_thread")]
async fn an_agent_key_begins_and_ends_on_all_replicas_at_once() {
    let cluster = Cluster::new().await;
    let replicas = cluster.start_together(3);
    for (here, there) in [(0, [1, 2]), (1, [2, 0]), (2, [0, 1])] {
        let agent = Agent::new();
        // That there is no such key must not be remembered.
        for place in there {
            let refusal = refusal(&replicas[place].client, &agent).await;
            assert_eq!(refusal, "agent_key_invalid: not_found");
        }
        let agent = register(&replicas[here].client, agent).await;
        for place in [there[0], there[1], here] {
            assert_eq!(refusal(&replicas[place].client, &agent).await, "");
        }
        replicas[here].client.post("/api/v1/agents/keys/revoke", &agent.key_name()).await.ok();
        for place in [there[0], there[1], here] {
            let refusal = refusal(&replicas[place].client, &agent).await;
            assert_eq!(refusal, "agent_key_invalid: revoked");
        }
    }
    cluster.verify(&replicas[0].client);
    no_deadlock();
}

/// Commits that count on a key never stop; its end comes between them nevertheless.
#[tokio::test(flavor = "multi_thread")]
async fn keys_end_while_every_replica_writes_with_them() {
    let cluster = Cluster::new().await;
    let replicas = cluster.start_together(3);
    let clients: Vec<Client> = replicas.iter().map(|replica| replica.client.clone()).collect();
    let agent = registered(&clients[0]).await;
    let (first, second) = (agent.clone(), register(&clients[1], agent.with_key(2)).await);
    // Both keys in each commit, streams of the replica's own: nothing orders them but the keys.
    let writes = clients.iter().flat_map(|client| (0..4).map(move |turn| (client, turn)));
    let writes = writes.map(|(client, turn)| {
        let key = if turn % 2 == 0 { &first } else { &second };
        write_until_refused(client.clone(), key.in_store(Uuid::new_v4()))
    });
    let ending = async {
        tokio::time::sleep(Duration::from_millis(700)).await;
        let mut took = Vec::new();
        for key in [&second, &first] {
            let began = Instant::now();
            clients[2].post("/api/v1/agents/keys/revoke", &key.key_name()).await.ok();
            took.push(began.elapsed());
        }
        took
    };
    let (written, took) = tokio::join!(join_all(writes), ending);
    println!("revocations under load took {took:?}, {written:?} events before");
    assert!(written.iter().all(|count| *count > 0), "{written:?}");
    assert!(took.iter().all(|took| *took < REVOKED), "{took:?}");
    cluster.verify(&clients[0]);
    no_deadlock();
}

/// Events that an agent has written when its key ends.
async fn write_until_refused(client: Client, agent: Agent) -> usize {
    let deadline = Instant::now() + Duration::from_secs(45);
    let mut written = 0;
    loop {
        match refusal(&client, &agent).await.as_str() {
            "" => written += 1,
            refused => {
                assert_eq!(refused, "agent_key_invalid: revoked");
                return written;
            }
        }
        assert!(Instant::now() < deadline, "the key does not end");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rotation_under_load_loses_nothing() {
    let cluster = Cluster::new().await;
    let replicas = cluster.start_together(2);
    let clients: Vec<Client> = replicas.iter().map(|replica| replica.client.clone()).collect();
    let mut writers = Writers::new(&clients);
    let mut agent = registered(&clients[0]).await;
    for place in 0..4 {
        let elsewhere = agent.in_store(Uuid::new_v4());
        writers.spawn(vec![agent.clone(), elsewhere], 4, place);
    }
    for round in 0..4 {
        agent = agent.with_key(agent.key_id + 1);
        let mut body = agent.key_body();
        body["overlapSeconds"] = json!(3600);
        clients[round % 2].post("/api/v1/agents/keys/rotate", &body).await.ok();
        assert_eq!(refusal(&clients[(round + 1) % 2], &agent).await, "");
    }
    let told = writers.end().await;
    assert!(told.events() > 0);
    cluster.verify(&clients[0]);
    no_deadlock();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_api_key_works_everywhere_at_once_and_ends_everywhere_in_time() {
    let cluster = Cluster::new().await;
    let replicas = cluster.start_together(3);
    let agent = Agent::new();
    let tenant = agent.stream.tenant_id;
    let body = json!({ "tenant_id": tenant, "read": true, "write": false, "admin": false });
    let created = replicas[0].client.post("/api/v1/admin/api-keys", &body).await.ok();
    let key = created["api_key"].as_str().unwrap();
    let status = |replica: &Process| {
        let client = replica.client.with_key(key);
        let path = format!("/api/v1/ves/head?{}", crate::agent::query(agent.stream));
        async move { client.get(&path).await.status }
    };
    for replica in &replicas {
        assert_eq!(status(replica).await, 200);
    }
    let path = format!("/api/v1/admin/api-keys/{}", created["key_prefix"].as_str().unwrap());
    replicas[1].client.delete(&path).await.ok();
    let began = Instant::now();
    assert_eq!(status(&replicas[1]).await, 401, "the replica that revoked it knows");
    for replica in [&replicas[0], &replicas[2]] {
        let left = REVOKED.saturating_sub(began.elapsed());
        eventually(left, || async { (status(replica).await == 401).then_some(()) }).await;
    }
    println!("an API key ended everywhere after {:?}", began.elapsed());
    assert!(began.elapsed() < REVOKED);
}

/// Receipts of a newer replica can be checked with what the older one publishes.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_receipt_key_is_published_by_older_replicas() {
    let mut cluster = Cluster::new().await;
    let older = cluster.start();
    let agent = registered(&older.client).await;
    let before = older.client.ingest(&agent.events(2)).await.receipts;
    cluster.with_new_receipt_key();
    let newer = cluster.start();
    let after = newer.client.ingest(&agent.events(2)).await.receipts;
    assert_eq!((before[0].sequencer_key_version, after[0].sequencer_key_version), (1, 2));
    let published = |client: Client| async move {
        let info: Value = client.get("/api/v1/ves/sequencer").await.ok();
        serde_json::from_value::<SequencerInfo>(info).unwrap().keys
    };
    let wanted = published(newer.client.clone()).await;
    assert_eq!(wanted.len(), 2);
    let began = Instant::now();
    eventually(Duration::from_secs(10), || async {
        (published(older.client.clone()).await == wanted).then_some(())
    })
    .await;
    println!("published by the older replica after {:?}", began.elapsed());
    // The older one still signs with what it has, and both views of the log are sound.
    let still = older.client.ingest(&agent.events(1)).await.receipts;
    assert_eq!((still[0].sequence_number, still[0].sequencer_key_version), (5, 1));
    cluster.verify(&older.client);
    cluster.verify(&newer.client);
}

/// As in a rolling change of the variable: the replica that starts with the new key ends the old
/// one for those that know it still.
#[tokio::test(flavor = "multi_thread")]
async fn a_new_key_of_the_sidecar_ends_the_old_one_everywhere() {
    const STORES: &str = "/api/v1/admin/stores?agents=false";
    let keys = ["old", "new"].map(|name| format!("ss_{name}{}", Uuid::new_v4().simple()));
    let cluster = Cluster::new().await;
    let first = cluster.start_with("BOOTSTRAP_SIDECAR_API_KEY", &keys[0]);
    let (old, new) = (first.client.with_key(&keys[0]), first.client.with_key(&keys[1]));
    old.get(STORES).await.ok();
    new.get(STORES).await.refused("INVALID_API_KEY");
    let second = cluster.start_with("BOOTSTRAP_SIDECAR_API_KEY", &keys[1]);
    let began = Instant::now();
    eventually(REVOKED, || async { (old.get(STORES).await.status == 401).then_some(()) }).await;
    eventually(REVOKED, || async { (new.get(STORES).await.status == 200).then_some(()) }).await;
    println!("the other replica knew after {:?}", began.elapsed());
    second.client.with_key(&keys[0]).get(STORES).await.refused("INVALID_API_KEY");
    second.client.with_key(&keys[1]).get(STORES).await.ok();
    cluster.verify(&first.client);
}
