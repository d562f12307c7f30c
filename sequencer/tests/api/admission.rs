//! Requests that are refused from their head: for overload, by rate, and for unknown credentials.

use std::time::{Duration, Instant};

use serde_json::json;
use uuid::Uuid;

use crate::agent::{Agent, query};
use crate::answer::eventually;
use crate::app::{Client, TestApp};
use crate::place::Behind;
use crate::raw::{Connection, post_head, status};

/// The value of a series of the scrape.
async fn metric(app: &TestApp, series: &str) -> f64 {
    let scrape = app.scrape().await;
    let series = format!("stateset_sequencer_{series} ");
    let line = scrape.lines().find_map(|line| line.strip_prefix(&series));
    line.unwrap_or_else(|| panic!("no {series}")).parse().unwrap()
}

/// A server that takes ten events at once, and ten requests that wait for its blocked store.
async fn overloaded() -> (TestApp, Behind, tokio::task::JoinSet<u16>) {
    let flags = ["--queue-max-events=10", "--max-events-per-batch=10"];
    let app = TestApp::start_with(&flags).await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    let mut blocker = app.behind().await;
    blocker.hold_writes().await;
    let mut waiting = tokio::task::JoinSet::new();
    for event in agent.events(10) {
        let client = app.client.clone();
        waiting.spawn(async move { client.try_ingest(&[event]).await.status });
    }
    eventually(Duration::from_secs(5), || async {
        (metric(&app, "queue_depth_events").await == 10.0).then_some(())
    })
    .await;
    (app, blocker, waiting)
}

/// Seconds that an answer asks to wait; 0 when it does not.
fn retry_after(answer: &str) -> u32 {
    let line = answer.lines().find_map(|line| line.strip_prefix("retry-after: "));
    line.map_or(0, |seconds| seconds.parse().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn overload_is_answered_before_the_body_is_read() {
    let (app, mut blocker, waiting) = overloaded().await;
    let verified = "signature_verifications_total{outcome=\"valid\"}";
    let before = metric(&app, verified).await;
    assert_eq!(metric(&app, "ingest_inside_events").await, 10.0);
    assert_eq!(metric(&app, "ingest_limit_events").await, 10.0);
    let started = Instant::now();
    // Neither body is sent. The small one may follow, on a connection that goes on.
    let mut small = Connection::open(&app.client).await;
    small.send(post_head("content-length: 900\r\n")).await;
    let answer = small.read_until("}}").await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("OVERLOADED"), "{answer}");
    // It follows from the rate seen, and a machine that was slow to bring the ten in has seen none.
    assert!((1..=30).contains(&retry_after(&answer)), "{answer}");
    assert!(!answer.contains("connection: close"), "{answer}");
    let mut large = Connection::open(&app.client).await;
    large.send(post_head("content-length: 5000000\r\n")).await;
    let answer = large.read_to_end().await;
    assert_eq!(status(&answer), 503, "{answer}");
    assert!(answer.contains("connection: close"), "{answer}");
    // Long before anybody would have given up on the bodies.
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    small.send(" ".repeat(900)).await;
    small.send("GET /health HTTP/1.1\r\nhost: t\r\n\r\n").await;
    assert_eq!(status(&small.read_until("}").await), 200);
    assert_eq!(metric(&app, verified).await, before);
    assert_eq!(metric(&app, "requests_shed_total{reason=\"admission\"}").await, 2.0);
    let ready = app.client.get("/ready").await.ok();
    assert_eq!(ready["status"], "degraded");
    app.client.get("/health").await.ok();
    blocker.release().await;
    assert_eq!(waiting.join_all().await, [200; 10]);
    // It is over as soon as they are done.
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    assert_eq!(metric(&app, "ingest_inside_events").await, 0.0);
    eventually(Duration::from_secs(5), || async {
        (app.client.get("/ready").await.ok()["status"] == "ready").then_some(())
    })
    .await;
    app.finish().await;
}

/// A socket that is closed with unread bytes is reset, and the answer with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_is_sending_a_large_body_sees_its_refusal() {
    let (app, mut blocker, waiting) = overloaded().await;
    for _ in 0..5 {
        let answer = app.client.post_events(" ".repeat(5_000_000)).await;
        answer.refused("OVERLOADED");
        let mut connection = Connection::open(&app.client).await;
        connection.send(post_head("content-length: 5000000\r\n")).await;
        connection.send(" ".repeat(5_000_000)).await;
        let answer = connection.read_to_end().await;
        assert!(answer.contains("OVERLOADED"), "{answer}");
    }
    blocker.release().await;
    assert_eq!(waiting.join_all().await, [200; 10]);
    app.finish().await;
}

/// What is normal: as many clients as there are, each waiting for its answer.
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_wait_for_their_answers_are_not_refused() {
    let app = TestApp::start().await;
    for (clients, requests, size) in [(64, 3, 1), (8, 2, 100)] {
        let mut tasks = tokio::task::JoinSet::new();
        for _ in 0..clients {
            let (client, agent) = (app.client.clone(), app.agent().await);
            tasks.spawn(async move {
                for _ in 0..requests {
                    client.ingest(&agent.events(size)).await;
                }
            });
        }
        tasks.join_all().await;
    }
    assert_eq!(metric(&app, "requests_shed_total{reason=\"admission\"}").await, 0.0);
    assert_eq!(metric(&app, "ingest_inside_events").await, 0.0);
    app.finish().await;
}

/// Limit, remaining and reset of an answer.
fn standing(answer: &crate::answer::Answer) -> Option<(u32, u32, u32)> {
    let number = |name| answer.header(name).map(|value| value.parse().unwrap());
    let [limit, remaining, reset] =
        ["ratelimit-limit", "ratelimit-remaining", "ratelimit-reset"].map(number);
    limit.map(|limit| (limit, remaining.unwrap(), reset.unwrap()))
}

fn head_path(agent: &Agent) -> String {
    format!("/api/v1/ves/head?{}", query(agent.stream))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tenant_has_so_many_requests_a_minute() {
    let app = TestApp::start_with(&["--rate-limit-per-minute=4"]).await;
    let (agent, other) = (app.agent().await, app.agent().await);
    let tenant = agent.stream.tenant_id;
    let one = app.credential(json!({ "tenant_id": tenant })).await;
    let two = app.credential(json!({ "tenant_id": tenant })).await;
    let foreign = app.credential(json!({ "tenant_id": other.stream.tenant_id })).await;
    // All credentials of the tenant together, and whatever the answer is.
    let answers = [
        one.get(&head_path(&agent)).await,
        two.try_ingest(&[agent.event()]).await,
        one.get("/api/v1/ves/head").await,
        two.get(&head_path(&other)).await,
    ];
    for (answer, (status, left)) in answers.iter().zip([(200, 3), (200, 2), (400, 1), (403, 0)]) {
        let (limit, remaining, reset) = standing(answer).unwrap();
        assert_eq!((answer.status, limit, remaining), (status, 4, left), "{answer:?}");
        assert!((1..=60).contains(&reset), "{answer:?}");
    }
    for client in [&one, &two] {
        let answer = client.get(&head_path(&agent)).await;
        let error = answer.refused("RATE_LIMIT_EXCEEDED");
        assert_eq!((answer.status, error["numeric_code"].as_u64()), (429, Some(2001)));
        let (limit, remaining, reset) = standing(&answer).unwrap();
        assert_eq!((limit, remaining), (4, 0));
        assert_eq!(answer.header("retry-after"), Some(reset.to_string().as_str()));
        assert!(reset > 30, "the first of them leaves the minute at its end: {reset}");
    }
    // Before the body is read.
    let mut connection = Connection::open(&app.client).await;
    let head = post_head("content-length: 900\r\n").replace(&app.client.key, &one.key);
    connection.send(head).await;
    assert_eq!(status(&connection.read_until("}}").await), 429);
    foreign.get(&head_path(&other)).await.ok();
    for _ in 0..9 {
        assert_eq!(standing(&app.client.get(&head_path(&agent)).await), None);
    }
    assert_eq!(metric(&app, "rate_limited_total").await, 3.0);
    let of_tenant = format!("tenant_rate_limited_total{{tenant=\"{tenant}\"}}");
    assert_eq!(metric(&app, &of_tenant).await, 3.0);
    assert_eq!(metric(&app, "errors_total{category=\"rate_limit\"}").await, 3.0);
    assert_eq!(metric(&app, "errors_total{category=\"internal\"}").await, 0.0);
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_credential_may_have_a_limit_of_its_own() {
    let app = TestApp::start().await;
    let agent = app.agent().await;
    let tenant = agent.stream.tenant_id;
    let limited = app.credential(json!({ "tenant_id": tenant, "rate_limit": 2 })).await;
    let free = app.credential(json!({ "tenant_id": tenant })).await;
    for left in [1, 0] {
        let answer = limited.get(&head_path(&agent)).await;
        answer.ok();
        assert_eq!(standing(&answer).map(|(limit, left, _)| (limit, left)), Some((2, left)));
    }
    limited.get(&head_path(&agent)).await.refused("RATE_LIMIT_EXCEEDED");
    let answer = free.get(&head_path(&agent)).await;
    answer.ok();
    assert_eq!(standing(&answer), None);
    app.finish().await;
}

fn unknown(client: &Client) -> Client {
    client.with_key(&format!("ss_{}", Uuid::new_v4().simple()))
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_credentials_stop_costing_look_ups() {
    let app = TestApp::start_with(&["--unknown-credentials-per-minute=5"]).await;
    let agent = app.agent().await;
    let good = app.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
    let never_seen = app.credential(json!({ "tenant_id": agent.stream.tenant_id })).await;
    good.get(&head_path(&agent)).await.ok();
    for _ in 0..5 {
        unknown(&app.client).get(&head_path(&agent)).await.refused("INVALID_API_KEY");
    }
    // Every look-up that asks the store is a miss of the cache.
    let misses = "api_key_cache_misses_total";
    let missed = metric(&app, misses).await;
    for _ in 0..20 {
        let answer = unknown(&app.client).get(&head_path(&agent)).await;
        answer.refused("RATE_LIMIT_EXCEEDED");
        assert_eq!(answer.status, 429);
    }
    never_seen.get(&head_path(&agent)).await.refused("RATE_LIMIT_EXCEEDED");
    assert_eq!(metric(&app, misses).await, missed);
    assert_eq!(metric(&app, "auth_failures_total{reason=\"limited\"}").await, 21.0);
    assert_eq!(metric(&app, "auth_failures_total{reason=\"unknown\"}").await, 5.0);
    // A credential that was good before is not hurt, not even when it is looked up again.
    eventually(Duration::from_secs(10), || async {
        good.get(&head_path(&agent)).await.ok();
        (metric(&app, misses).await > missed).then_some(())
    })
    .await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_named_origins_may_call() {
    let page = "https://app.example.com";
    for (configured, origin, allowed) in [
        ("", page, None),
        ("*", page, Some("*")),
        ("https://app.example.com, http://localhost:3000", page, Some(page)),
        ("https://other.example.com", page, None),
    ] {
        let flag = format!("--cors-allow-origins={configured}");
        let flags: &[&str] = if configured.is_empty() { &[] } else { &[&flag] };
        let app = TestApp::start_with(flags).await;
        let preflight = app.client.with_key("").request("OPTIONS", "/api/v1/ves/head");
        let preflight = preflight.header("origin", origin);
        let preflight = preflight.header("access-control-request-method", "GET");
        let preflight = crate::answer::Answer::of(preflight.send().await.unwrap()).await;
        let refused = app.client.with_key("").request("GET", "/api/v1/ves/head");
        let refused = refused.header("origin", origin).send().await.unwrap();
        let refused = crate::answer::Answer::of(refused).await;
        refused.refused("AUTH_REQUIRED");
        for answer in [&preflight, &refused] {
            assert_eq!(answer.header("access-control-allow-origin"), allowed, "{configured}");
            assert_eq!(answer.header("access-control-allow-credentials"), None);
        }
        if allowed.is_some() {
            preflight.ok();
            assert_eq!(preflight.header("access-control-allow-methods"), Some("GET"));
            let headers = preflight.header("access-control-allow-headers").unwrap();
            assert!(headers.contains("authorization") && headers.contains("x-api-key"));
            let options = "requests_total{method=\"OPTIONS\",route=\"unmatched\",status=\"200\"}";
            assert_eq!(metric(&app, options).await, 1.0);
        } else {
            preflight.refused("METHOD_NOT_ALLOWED");
        }
        // Not a question of a browser.
        let plain = app.client.with_key("").request("OPTIONS", "/api/v1/ves/head");
        let plain = crate::answer::Answer::of(plain.send().await.unwrap()).await;
        plain.refused("METHOD_NOT_ALLOWED");
        app.finish().await;
    }
}
