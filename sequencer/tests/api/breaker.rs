//! The circuit breaker over a store that really fails, and one that really hangs.

use std::time::{Duration, Instant};

use crate::agent::query;
use crate::answer::{Answer, eventually};
use crate::app::TestApp;

/// Every read and write fails from here on, the cheapest question too.
async fn break_store(app: &TestApp) {
    app.behind().await.execute("ALTER TABLE streams RENAME TO taken_away").await;
}

async fn mend_store(app: &TestApp) {
    app.behind().await.execute("ALTER TABLE taken_away RENAME TO streams").await;
}

/// A sample of the scrape.
async fn sample(app: &TestApp, series: &str) -> f64 {
    let scrape = app.scrape().await;
    let line = scrape.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {series} in {scrape}")).parse().unwrap()
}

async fn state(app: &TestApp, state: &str) -> f64 {
    let name = "stateset_sequencer_circuit_breaker_state";
    sample(app, &format!("{name}{{service=\"database\",state=\"{state}\"}}")).await
}

async fn calls(app: &TestApp, outcome: &str) -> f64 {
    let name = "stateset_sequencer_circuit_breaker_calls_total";
    sample(app, &format!("{name}{{outcome=\"{outcome}\",service=\"database\"}}")).await
}

fn was_rejected(answer: &Answer) -> bool {
    let error = answer.refused("SERVICE_UNAVAILABLE");
    error["details"]["reason"] == "circuit_breaker_open"
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_fails_is_left_alone_and_asked_again_by_itself() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let head = format!("/api/v1/ves/head?{}", query(agent.stream));
    assert_eq!((state(&app, "closed").await, state(&app, "open").await), (1.0, 0.0));
    let failures = calls(&app, "failure").await;
    break_store(&app).await;
    for asked in 1.. {
        let answer = app.client.get(&head).await;
        if was_rejected(&answer) {
            break;
        }
        assert!(asked <= 20, "five failures are half of the calls by now");
    }
    assert!(calls(&app, "failure").await >= failures + 5.0);

    // Open: reads, writes and unknown credentials are answered at once and the store is not
    // asked. The last of these would be 401 if the store had said so.
    let asked = "stateset_sequencer_db_query_duration_seconds_count";
    let asked = format!("{asked}{{operation=\"read_head\",table=\"streams\"}}");
    let (before, rejected) = (sample(&app, &asked).await, calls(&app, "rejected").await);
    let started = Instant::now();
    let stranger = app.client.with_key("ss_0123456789012345678901234567890123456789");
    for _ in 0..20 {
        let answer = app.client.get(&head).await;
        assert!(was_rejected(&answer), "{}", answer.text);
        let seconds: u32 = answer.header("retry-after").unwrap().parse().unwrap();
        assert!((1..=2).contains(&seconds), "it is asked again within two seconds");
    }
    assert!(was_rejected(&app.client.try_ingest(&[agent.event()]).await));
    assert!(was_rejected(&stranger.get(&head).await));
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    assert_eq!(sample(&app, &asked).await, before, "no call reached the store");
    assert!(calls(&app, "rejected").await >= rejected + 22.0);

    // Readiness follows, liveness does not; probes alone neither open nor close anything.
    let ready = app.client.get("/ready").await;
    assert_eq!(ready.status, 503, "{}", ready.text);
    let reasons = ready.json()["reasons"].to_string();
    assert!(reasons.contains("circuit breaker"), "{reasons}");
    app.client.get("/health").await.ok();
    eventually(Duration::from_secs(10), || async {
        (calls(&app, "failure").await >= failures + 7.0).then_some(())
    })
    .await;
    let states = [state(&app, "open").await, state(&app, "half_open").await];
    assert_eq!((states.iter().sum::<f64>(), state(&app, "closed").await), (1.0, 0.0));
    assert_eq!(sample(&app, "stateset_sequencer_ready").await, 0.0);

    // A credential is believed for five seconds and then looked up: still 503, never 401.
    tokio::time::sleep(Duration::from_secs(5)).await;
    assert!(was_rejected(&app.client.get(&head).await));

    let mended = Instant::now();
    mend_store(&app).await;
    eventually(Duration::from_secs(10), || async {
        (app.client.get("/ready").await.status == 200).then_some(())
    })
    .await;
    println!("ready again {:?} after the store was mended", mended.elapsed());
    assert_eq!((state(&app, "closed").await, state(&app, "open").await), (1.0, 0.0));
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(2));
    stranger.get(&head).await.refused("INVALID_API_KEY");
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_never_writes_holds_nobody_and_forgets_nothing() {
    let app = TestApp::start_with(&[
        "--circuit-breaker-slow-call-ms=200",
        "--db-statement-timeout-ms=300",
        "--db-acquire-timeout-ms=300",
    ])
    .await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    // Somebody holds the database's write lock: commits wait for it, reads do not.
    let mut holder = app.behind().await;
    holder.hold_writes().await;
    let events: Vec<_> = (0..6).map(|_| agent.event()).collect();
    let started = Instant::now();
    let posting: Vec<_> = events
        .iter()
        .map(|event| {
            let (client, event) = (app.client.clone(), event.clone());
            tokio::spawn(async move { client.try_ingest(&[event]).await })
        })
        .collect();
    for answer in posting {
        answer.await.unwrap().refused("SERVICE_UNAVAILABLE");
    }
    let took = started.elapsed();
    assert!(took < Duration::from_secs(4), "the call may take 1.6 s: {took:?}");
    // A database server ends a statement that waits too long. Then nothing hangs: a commit is one
    // failure among reads that go well, and there is no reason to stop asking.
    if app.place().is_embedded() {
        eventually(Duration::from_secs(3), || async {
            (state(&app, "closed").await == 0.0).then_some(())
        })
        .await;
    }
    // The database reads well, so probes close the breaker; the commit goes on hanging.
    eventually(Duration::from_secs(10), || async {
        (app.client.get("/ready").await.status == 200).then_some(())
    })
    .await;
    holder.release().await;
    // What was told to repeat is repeated: each event has one number, committed before or not.
    for event in &events {
        let answer = eventually(Duration::from_secs(20), || async {
            let answer = app.client.try_ingest(std::slice::from_ref(event)).await;
            (answer.status == 200).then_some(answer)
        })
        .await;
        assert_eq!(answer.json()["receipts"].as_array().unwrap().len(), 1, "{}", answer.text);
    }
    assert_eq!(app.client.head_sequence(agent.stream).await, 7);
    app.finish().await;
}
