//! The routes: what they answer, their headers, and what is refused.

use std::time::{Duration, Instant};

use reqwest::{Client, Method};
use serde_json::Value;

use crate::stack::{Stack, sample_of};

#[tokio::test]
async fn every_answer_is_kept_by_nobody_and_framed_by_nobody() {
    let stack = Stack::start(&[]);
    let http = Client::new();
    for path in ["/", "/metrics", "/health", "/api/status", "/api/history", "/bundle", "/x"] {
        let answer = http.get(format!("{}{path}", stack.sidecar.url)).send().await.unwrap();
        let header = |name: &str| answer.headers()[name].to_str().unwrap().to_owned();
        assert_eq!(header("cache-control"), "no-store", "{path}");
        assert_eq!(header("x-content-type-options"), "nosniff", "{path}");
        let policy = header("content-security-policy");
        assert!(policy.contains("default-src 'none'"), "{path}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{path}: {policy}");
        assert!(!policy.contains("unsafe"), "{path}: {policy}");
        assert!(!answer.headers().contains_key("access-control-allow-origin"), "{path}");
    }
}

#[tokio::test]
async fn what_does_not_exist_or_is_not_read_is_refused_in_the_shape_of_the_project() {
    let stack = Stack::start(&[]);
    let http = Client::new();
    for (method, path, status, code, number) in [
        (Method::GET, "/nothing", 404, "RESOURCE_NOT_FOUND", 4001),
        (Method::GET, "/api", 404, "RESOURCE_NOT_FOUND", 4001),
        (Method::GET, "/api/status/", 404, "RESOURCE_NOT_FOUND", 4001),
        (Method::GET, "/..%2fetc/passwd", 404, "RESOURCE_NOT_FOUND", 4001),
        (Method::GET, "/runbooks/SequencerDown", 404, "RESOURCE_NOT_FOUND", 4001),
        (Method::GET, "/api/history?since=x", 400, "INVALID_FIELD_VALUE", 3003),
        (Method::GET, "/api/history?since=NaN", 400, "INVALID_FIELD_VALUE", 3003),
        (Method::GET, "/api/history?until=1", 400, "INVALID_FIELD_VALUE", 3003),
        (Method::POST, "/", 405, "METHOD_NOT_ALLOWED", 3010),
        (Method::DELETE, "/bundle", 405, "METHOD_NOT_ALLOWED", 3010),
        (Method::OPTIONS, "/api/status", 405, "METHOD_NOT_ALLOWED", 3010),
        (Method::PUT, "/metrics", 405, "METHOD_NOT_ALLOWED", 3010),
    ] {
        let url = format!("{}{path}", stack.sidecar.url);
        let answer = http.request(method.clone(), url).body("x").send().await.unwrap();
        assert_eq!(answer.status(), status, "{method} {path}");
        assert_eq!(answer.headers()["x-error-code"], code);
        if status == 405 {
            assert_eq!(answer.headers()["allow"], "GET, HEAD");
        }
        let body: Value = answer.json().await.unwrap();
        assert_eq!(
            (&body["error"]["code"], &body["error"]["numeric_code"]),
            (&code.into(), &number.into())
        );
        let words = body["error"]["message"].as_str().unwrap();
        assert!(words.len() > 20 && body["error"]["request_id"].is_string(), "{body}");
    }
    let head = http.head(format!("{}/api/status", stack.sidecar.url)).send().await.unwrap();
    assert_eq!(head.status(), 200);
    assert!(head.bytes().await.unwrap().is_empty());
}

#[tokio::test]
async fn the_status_has_every_part_and_says_who_runs() {
    let stack = Stack::start(&[]);
    let deadline = Instant::now() + Duration::from_secs(30);
    let status = loop {
        let status = stack.sidecar.get("/api/status").await.json();
        let known =
            !status["versions"]["sequencer"].is_null() && status["overall"]["status"] == "ok";
        if known {
            break status;
        }
        assert!(Instant::now() < deadline, "{status:#}");
        tokio::time::sleep(Duration::from_millis(100)).await;
    };
    let names: Vec<_> = status.as_object().unwrap().keys().map(String::as_str).collect();
    let expect = [
        "canary",
        "checks",
        "now",
        "overall",
        "process",
        "runbooks",
        "sequencer_url",
        "store",
        "versions",
        "witness",
    ];
    let mut names = names.clone();
    names.sort_unstable();
    assert_eq!(names, expect, "a new part belongs in docs/sidecar.md");
    assert_eq!(status["versions"]["sequencer"]["store"], "sqlite");
    assert_eq!(status["versions"]["sidecar"]["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(
        status["sequencer_url"].as_str().unwrap().trim_end_matches('/'),
        stack.sequencer.url
    );
    assert!(status["overall"]["sentence"].as_str().unwrap().starts_with("All is well since "));
    assert!(status["overall"]["since"].is_string());
    for check in status["checks"].as_array().unwrap() {
        for field in ["name", "status", "reason", "since", "last_run", "alert"] {
            assert!(check[field].is_string(), "{field}: {check}");
        }
    }
}

#[tokio::test]
async fn runbooks_are_shown_as_pages_and_named_in_the_status() {
    let folder = tempfile::tempdir().unwrap();
    let text =
        "# SequencerDown\n\n<img src=x onerror=alert(1)>\n\n| a | b |\n|---|---|\n| 1 | 2 |\n";
    std::fs::write(folder.path().join("SequencerDown.md"), text).unwrap();
    std::fs::write(folder.path().join("notes.txt"), "no").unwrap();
    let stack = Stack::start(&[&format!("--runbooks-dir={}", folder.path().display())]);
    let status = stack.sidecar.get("/api/status").await.json();
    assert_eq!(status["runbooks"], serde_json::json!(["SequencerDown"]));
    let page = stack.sidecar.get("/runbooks/SequencerDown").await;
    assert_eq!(page.status, 200);
    assert!(page.text.contains("<h1>SequencerDown</h1>") && page.text.contains("<td>2</td>"));
    assert!(page.text.contains("&lt;img src=x"), "HTML in it is text: {}", page.text);
    // As pages link to each other.
    assert_eq!(stack.sidecar.get("/runbooks/SequencerDown.md").await.text, page.text);
    for (path, words) in [
        ("/runbooks/Other", "there is no runbook `Other`"),
        ("/runbooks/", "letters and digits"),
        ("/runbooks/..%2f..%2fetc%2fpasswd", "letters and digits"),
        ("/runbooks/a/b", "letters and digits"),
    ] {
        let answer = stack.sidecar.get(path).await;
        assert_eq!(answer.status, 404, "{path}");
        assert!(answer.text.contains(words), "{path}: {}", answer.text);
    }
}

#[tokio::test]
async fn a_scrape_is_quick_and_the_process_small() {
    let stack = Stack::start(&[]);
    stack
        .sidecar
        .wait_for("stateset_sidecar_sequencer_up", Duration::from_secs(30), |up| up == 1.0)
        .await;
    let mut times = Vec::new();
    for _ in 0..50 {
        let began = Instant::now();
        assert_eq!(stack.sidecar.get("/metrics").await.status, 200);
        times.push(began.elapsed());
    }
    times.sort_unstable();
    // The median, because two cores are shared with other tests; the build is not optimised.
    assert!(times[25] < Duration::from_millis(5), "{times:?}");
    let scrape = stack.sidecar.get("/metrics").await.text;
    let resident = sample_of(&scrape, "process_resident_memory_bytes").unwrap();
    println!("median scrape {:?}, resident {:.1} MiB", times[25], resident / 1_048_576.0);
}
