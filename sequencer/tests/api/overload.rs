//! More load than the store takes, and a store that is blocked or fails.

use std::time::Duration;

use ves::Event;

use crate::agent::query;
use crate::answer::eventually;
use crate::app::TestApp;

/// Posts each event in a request of its own, all at once.
async fn post_all(app: &TestApp, events: &[Event]) -> Vec<crate::answer::Answer> {
    let mut tasks = tokio::task::JoinSet::new();
    for event in events {
        let (client, event) = (app.client.clone(), event.clone());
        tasks.spawn(async move { client.try_ingest(&[event]).await });
    }
    tasks.join_all().await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_queue_answers_overloaded_and_loses_nothing() {
    let flags = ["--queue-max-events=10", "--max-events-per-batch=10"];
    let app = TestApp::start_with(&flags).await;
    let agent = app.agent().await;
    let events = agent.events(30);
    app.ingest(&[agent.event()]).await;
    // Another process holds the write lock, so the committer waits and the queue fills.
    let mut blocker = app.behind().await;
    blocker.hold_writes().await;
    let release = async {
        tokio::time::sleep(Duration::from_millis(1500)).await;
        let saturated = app.client.get("/ready").await.ok();
        blocker.release().await;
        saturated
    };
    let (answers, saturated) = tokio::join!(post_all(&app, &events), release);
    assert_eq!(saturated["status"], "degraded");
    assert!(saturated["reasons"][0].as_str().unwrap().starts_with("queue"), "{saturated}");
    let shed: Vec<_> = answers.iter().filter(|answer| answer.status != 200).collect();
    assert_eq!(shed.len(), 20);
    for answer in shed {
        answer.refused("OVERLOADED");
        assert_eq!(answer.header("retry-after"), Some("1"));
    }
    // Retried until taken; the ten that were taken are answered with their receipts.
    for event in &events {
        let response = app.ingest(std::slice::from_ref(event)).await;
        assert_eq!(response.receipts.len(), 1);
    }
    assert_eq!(app.client.head_sequence(agent.stream).await, 31);
    app.client.try_ingest(&agent.events(10)).await.ok();
    app.client.try_ingest(&agent.events(11)).await.refused("BATCH_TOO_LARGE");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_stays_blocked_is_unavailable_and_recovers_by_itself() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let mut blocker = app.behind().await;
    blocker.hold_writes().await;
    let event = agent.event();
    let posting = app.client.try_ingest(std::slice::from_ref(&event));
    let reading = async {
        let path = format!("/api/v1/ves/events?{}", query(agent.stream));
        assert_eq!(app.client.get(&path).await.ok()["head_sequence"], 1);
        app.client.get("/health").await.ok();
    };
    let (answer, ()) = tokio::join!(posting, reading);
    let error = answer.refused("SERVICE_UNAVAILABLE");
    assert_eq!(error["numeric_code"], 8002);
    blocker.release().await;
    let response = app.ingest(&[event]).await;
    assert_eq!((response.events_accepted, response.sequence_start), (1, Some(2)));
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_unavailable_not_a_bug_and_recovers() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let mut behind = app.behind().await;
    behind.execute("ALTER TABLE streams RENAME TO elsewhere").await;
    let q = query(agent.stream);
    let answers = [
        app.client.get(&format!("/api/v1/ves/events?{q}")).await,
        app.client.get(&format!("/api/v1/ves/head?{q}")).await,
        app.client.seal(agent.stream, 1, 1).await,
    ];
    for answer in answers {
        answer.refused("SERVICE_UNAVAILABLE");
    }
    app.client.get("/health").await.ok();
    let ready = eventually(Duration::from_secs(5), || async {
        let answer = app.client.get("/ready").await;
        (answer.status == 503).then_some(answer)
    });
    let ready = ready.await.json();
    assert_eq!(ready["status"], "not_ready");
    assert_eq!(ready["database"]["connected"], false);
    assert!(ready["reasons"][0].as_str().unwrap().starts_with("store"), "{ready}");
    behind.execute("ALTER TABLE elsewhere RENAME TO streams").await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(2));
    eventually(Duration::from_secs(5), || async {
        (app.client.get("/ready").await.status == 200).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_fails_half_way_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let trigger = "CREATE TRIGGER explode BEFORE INSERT ON events";
    let sqlite = format!(
        "{trigger} WHEN NEW.event_type = 'explode'
         BEGIN SELECT RAISE(ABORT, 'a broken store'); END"
    );
    let postgres = format!(
        "CREATE FUNCTION explode() RETURNS trigger LANGUAGE plpgsql AS
            $$ BEGIN RAISE EXCEPTION 'a broken store'; END $$;
         {trigger} FOR EACH ROW WHEN (NEW.event_type = 'explode') EXECUTE FUNCTION explode()"
    );
    app.behind().await.execute_either(&sqlite, &postgres).await;
    let versioned = |base: u64, event_type: &str| {
        agent.event_with(|draft| {
            draft.entity_id = "one".to_owned();
            draft.base_version = Some(base);
            draft.event_type = event_type.to_owned();
        })
    };
    for round in 0..3 {
        let good = versioned(round, "good");
        let together = [good.clone(), versioned(round + 1, "explode")];
        let answer = app.client.try_ingest(&together).await;
        answer.refused("SERVICE_UNAVAILABLE");
        assert!(!answer.text.contains("broken store"), "{}", answer.text);
        assert_eq!(app.client.head_sequence(agent.stream).await, round);
        assert_eq!(app.ingest(&[good]).await.sequence_start, Some(round + 1));
    }
    app.finish().await;
}

/// It kept its lock on the database until the next write of this process.
#[tokio::test(flavor = "multi_thread")]
async fn a_commit_that_failed_lets_other_processes_write_at_once() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let mut behind = app.behind().await;
    behind.execute("ALTER TABLE events RENAME TO elsewhere").await;
    app.client.try_ingest(&[agent.event()]).await.refused("SERVICE_UNAVAILABLE");
    behind.hold_writes().await;
    behind.execute("ALTER TABLE elsewhere RENAME TO events").await;
    behind.release().await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(2));
    app.finish().await;
}

/// A client that leaves in the middle must not poison the committer or the connection.
#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_times_out_while_waiting_is_stored_or_not_but_never_half() {
    let app = TestApp::start_with(&["--request-timeout-secs=1"]).await;
    let agent = app.agent().await;
    let mut blocker = app.behind().await;
    blocker.hold_writes().await;
    let events = agent.events(20);
    let answers = post_all(&app, &events).await;
    assert!(answers.iter().all(|answer| answer.code() == "TIMEOUT"), "{answers:?}");
    // Requests that write outside the queue time out in the middle of their transaction too.
    app.client.post("/api/v1/agents/keys", &agent.with_key(2).key_body()).await.refused("TIMEOUT");
    blocker.release().await;
    let response = eventually(Duration::from_secs(10), || async {
        let answer = app.client.try_ingest(&events).await;
        (answer.status == 200).then(|| answer.ok())
    })
    .await;
    assert_eq!(response["receipts"].as_array().unwrap().len(), 20);
    assert_eq!(app.client.head_sequence(agent.stream).await, 20);
    app.register(&agent.with_key(3)).await;
    app.finish().await;
}
