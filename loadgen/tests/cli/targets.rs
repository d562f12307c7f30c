//! Targets that are not there, refuse, hang or lie: a clear stop, and an error class with a name.

use serde_json::json;

use crate::liar::{self, Reply, who};
use crate::loadgen::{command, on_time, record, run_into, start};
use crate::stack::{ADMIN_KEY, Sequencer};

const HEALTHY: &str = r#"{"status":"healthy","version":"0"}"#;

#[test]
fn a_dead_target_ends_a_run_at_once() {
    let folder = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", free.local_addr().unwrap());
    drop(free);
    let (ended, record) = run_into(folder.path(), &["smoke", "--url", &url]);
    assert_eq!(ended.code, 98, "{ended:?}");
    assert!(ended.seconds < 30.0, "{}", ended.seconds);
    assert!(ended.err.contains("cannot be reached (connect"), "{ended:?}");
    assert_eq!(record["verdict"], "invalid");
}

#[test]
fn a_target_that_dies_during_the_run_ends_it_within_30_seconds() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out");
    let out_text = out.display().to_string();
    let arguments =
        ["run", "smoke", "--url", &sequencer.url, "--out", &out_text, "--duration", "2m"];
    let mut running = start(command(&arguments));
    running.line("requests/s");
    let died = std::time::Instant::now();
    sequencer.running.kill();
    let ended = running.end();
    assert_eq!(ended.code, 98, "{ended:?}");
    assert!(died.elapsed().as_secs() < 30, "{:?}", died.elapsed());
    let record = record(&out);
    let reasons = record["reasons"].to_string();
    assert!(reasons.contains("no good answer for 1"), "{reasons}");
    let load = record["stages"][0]["end_seconds"].as_f64().unwrap();
    assert!(load < 30.0, "{load}");
}

#[test]
fn a_wrong_key_is_a_bad_configuration() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out").display().to_string();
    let mut command = command(&["run", "smoke", "--url", &sequencer.url, "--out", &out]);
    command.env("SEQUENCER_API_KEY", "ss_00000000wrongwrongwrongwrongwrongwrong");
    let ended = start(command).end();
    assert_eq!(ended.code, 104, "{ended:?}");
    assert!(ended.err.contains("refuses the key in SEQUENCER_API_KEY"), "{ended:?}");
    assert!(!format!("{ended:?}").contains("wrongwrong"));
}

#[test]
fn a_rate_limit_that_is_too_low_names_what_to_raise() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &["--rate-limit-per-minute=600"]);
    let tenant = uuid::Uuid::new_v4();
    let body = json!({ "tenant_id": tenant, "read": true, "write": true, "admin": true });
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let key = runtime.block_on(async {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let url = format!("{}/api/v1/admin/api-keys", sequencer.url);
        let request = reqwest::Client::new().post(url).json(&body);
        let request = request.header("authorization", format!("ApiKey {ADMIN_KEY}"));
        let answer: serde_json::Value = request.send().await.unwrap().json().await.unwrap();
        answer["api_key"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    });
    let environments = folder.path().join("e.toml");
    let url = &sequencer.url;
    let text = format!("[mine]\nurl = \"{url}\"\ntenant_id = \"{tenant}\"\nkey_variable = \"K\"\n");
    std::fs::write(&environments, text).unwrap();
    let run = |rate: &str, folder: &std::path::Path| {
        let out = folder.display().to_string();
        let arguments = [
            "run",
            "smoke",
            "--env",
            "mine",
            "--environments",
            environments.to_str().unwrap(),
            "--out",
            &out,
            "--rate",
            rate,
            "--duration",
            "3s",
            "--threshold",
            "errors.count < 1",
        ];
        on_time(|| {
            let mut command = command(&arguments);
            command.env("K", &key);
            start(command).end()
        })
    };
    let ended = run("50", &folder.path().join("a"));
    assert_eq!(ended.code, 104, "{ended:?}");
    for part in ["600 requests a minute", "RATE_LIMIT_PER_MINUTE", "to 3000"] {
        assert!(ended.err.contains(part), "{part}: {ended:?}");
    }
    // What fits is run, with a tenant's key; the profile's own rate threshold does not hold then.
    let ended = run("5", &folder.path().join("b"));
    assert_eq!(ended.code, 99, "{ended:?}");
    assert!(ended.out.contains("pass  errors.count < 1: 0"), "{ended:?}");
}

#[test]
fn targets_that_are_no_sequencer_are_named() {
    for (reply, code, expect) in [
        ("redirect", 104, "sends callers elsewhere (redirect: 301 to http://elsewhere.example/"),
        ("text", 104, "is it a sequencer?"),
        ("missing", 104, "does not answer as a sequencer (client_error: 404"),
        ("broken", 98, "cannot be reached (server_error: 500"),
        ("half", 98, "cannot be reached (half_answer"),
        ("nothing", 98, "cannot be reached (connection_lost"),
        ("silence", 98, "cannot be reached (timeout"),
    ] {
        let url = liar::start(move |_, _| match reply {
            "redirect" => {
                Reply::Whole("301 Moved\r\nlocation: http://elsewhere.example/", String::new())
            }
            "text" => Reply::Whole("200 OK", "<html>".to_owned()),
            "missing" => Reply::Whole("404 Not Found", String::new()),
            "broken" => Reply::Whole("500 Oops", String::new()),
            "half" => Reply::Half,
            "silence" => Reply::Silence,
            _ => Reply::Nothing,
        });
        let folder = tempfile::tempdir().unwrap();
        let (ended, _) = run_into(folder.path(), &["basic", "--url", &url, "--quiet"]);
        assert_eq!(ended.code, code, "{reply}: {ended:?}");
        assert!(ended.err.contains(expect), "{reply}: {ended:?}");
        assert!(ended.seconds < 30.0, "{reply}: {}", ended.seconds);
    }
}

#[test]
fn bad_answers_during_a_run_are_counted_by_class() {
    let url = liar::start(|path, place| match path {
        "/api/v1/ves/sequencer" => Reply::Whole("200 OK", who()),
        "/health" if place > 2 => match place % 5 {
            0 => Reply::Half,
            1 => Reply::Whole("503 Busy", String::new()),
            2 => Reply::Whole("200 OK", "no json".to_owned()),
            _ => Reply::Whole("200 OK", HEALTHY.to_owned()),
        },
        _ => Reply::Whole("200 OK", HEALTHY.to_owned()),
    });
    let folder = tempfile::tempdir().unwrap();
    let profile = folder.path().join("p.toml");
    let text = "name = \"p\"\nusers = 2\nrate = 40\nhold = \"3s\"\n\
                thresholds = [\"errors.half_answer < 1\"]\n[scenarios]\nhealth = 1\n";
    std::fs::write(&profile, text).unwrap();
    let (ended, record) =
        run_into(&folder.path().join("out"), &[profile.to_str().unwrap(), "--url", &url]);
    assert_eq!(ended.code, 99, "{ended:?}");
    let errors = record["errors"].as_array().unwrap();
    for class in ["half_answer", "overloaded", "bad_answer"] {
        let found = errors.iter().find(|error| error["class"] == class);
        let count = found.and_then(|error| error["count"].as_u64());
        assert!(count > Some(10), "{class}: {errors:?}");
    }
    assert!(record["totals"]["error_ratio"].as_f64() > Some(0.4));
    assert!(record["ledger"].is_null());
}
