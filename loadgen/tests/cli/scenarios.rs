//! Every scenario against the real sequencer, both models, and agents that stay.

use crate::loadgen::{run, run_into};
use crate::stack::Sequencer;

#[test]
fn every_scenario_goes_its_whole_way_without_an_error() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let profile = folder.path().join("all.toml");
    let text = "name = \"all\"\nusers = 6\nramp = \"1s\"\nhold = \"6s\"\nramp_down = \"1s\"\n\
                pause = \"15ms\"\nthresholds = [\"errors.count < 1\"]\n[scenarios]\nbasic = 1\n\
                ingest = 1\nqueries = 1\ncommitments = 1\nves = 1\nacceptance = 1\n\
                [events]\nbatch = 3\nstreams = 2\nstream_skew = 1.0\n";
    std::fs::write(&profile, text).unwrap();
    let out = folder.path().join("out");
    let (ended, record) =
        run_into(&out, &[profile.to_str().unwrap(), "--url", &sequencer.url, "--quiet"]);
    assert_eq!(record["errors"], serde_json::json!([]), "{ended:?}");
    assert_eq!(ended.code, 0, "{ended:?}");
    assert_eq!(record["profile"]["model"], "closed");
    assert!(record["generator"]["offered_ratio"].is_null());
    let routes = record["routes"].as_array().unwrap();
    let called = |scenario: &str, route: &str| {
        let found = routes.iter().find(|one| one["scenario"] == scenario && one["route"] == route);
        found.and_then(|one| one["totals"]["answered_requests"].as_u64()).unwrap_or(0)
    };
    for (scenario, route) in [
        ("basic", "GET /health"),
        ("basic", "GET /ready"),
        ("basic", "GET /api/v1/ves/sequencer"),
        ("ingest", "POST /api/v1/ves/events/ingest"),
        ("queries", "GET /api/v1/ves/events"),
        ("queries", "GET /api/v1/ves/events/{event_id}"),
        ("queries", "GET /api/v1/ves/head"),
        ("queries", "GET /api/v1/ves/entities/{entity_type}/{entity_id}"),
        ("commitments", "POST /api/v1/ves/commitments"),
        ("commitments", "GET /api/v1/ves/commitments"),
        ("commitments", "GET /api/v1/ves/commitments/{batch_id}"),
        ("ves", "POST /api/v1/agents/keys"),
        ("ves", "POST /api/v1/agents/keys/rotate"),
        ("ves", "POST /api/v1/ves/events/ingest"),
        ("ves", "GET /api/v1/ves/proofs/{sequence_number}"),
        ("ves", "POST /api/v1/ves/proofs/verify"),
        ("acceptance", "POST /api/v1/ves/events/ingest"),
        ("acceptance", "GET /api/v1/ves/proofs/{sequence_number}"),
    ] {
        assert!(called(scenario, route) > 0, "{scenario} never called {route}: {routes:?}");
    }
    let ledger = &record["ledger"];
    assert_eq!(ledger["is_sound"], true, "{ledger}");
    assert_eq!(record["signing"]["mode"], "ahead_then_idle");
    let stages = record["stages"].as_array().unwrap();
    let names: Vec<_> = stages.iter().map(|stage| stage["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["ramp", "hold", "ramp_down"]);
}

#[test]
fn a_poisson_schedule_offers_what_it_says() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let profile = folder.path().join("poisson.toml");
    let text = "name = \"poisson\"\nusers = 4\nrate = 60\nrate_unit = \"events\"\n\
                arrivals = \"poisson\"\nramp = \"2s\"\nhold = \"4s\"\nramp_down = \"1s\"\n\
                [scenarios]\ningest = 1\n[events]\nbatch = 2\n";
    std::fs::write(&profile, text).unwrap();
    let offered = |seed: &str, out: &str| {
        let path = profile.to_str().unwrap();
        let arguments = [path, "--url", &sequencer.url, "--seed", seed, "--quiet"];
        let (ended, record) = run_into(&folder.path().join(out), &arguments);
        assert_eq!(ended.code, 0, "{ended:?}");
        let totals = &record["totals"];
        assert_eq!(totals["offered_events"], totals["events"], "{totals}");
        let seconds = record["timeline"].as_array().unwrap();
        let sum: u64 = seconds.iter().filter_map(|one| one["offered_requests"].as_u64()).sum();
        assert_eq!(sum, totals["offered_requests"].as_u64().unwrap());
        sum
    };
    let first = offered("5", "a");
    // 30 a second over 4 s and two halves, within six standard deviations.
    assert!((100..230).contains(&first), "{first}");
    assert_eq!(offered("5", "b"), first, "the same seed offers the same");
}

#[test]
fn agents_can_be_set_up_once_used_again_and_ended() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let agents = folder.path().join("agents.json").display().to_string();
    let url = ["--url", sequencer.url.as_str()];
    let made =
        run(&[&["setup", "--out", &agents, "--agents", "2", "--streams", "2"], &url[..]].concat());
    assert_eq!(made.code, 0, "{made:?}");
    use std::os::unix::fs::PermissionsExt as _;
    let mode = std::fs::metadata(&agents).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let again = run(&[&["setup", "--out", &agents], &url[..]].concat());
    assert_eq!(again.code, 104, "{again:?}");
    let run_with = |out: &str| {
        let arguments = [&["smoke", "--duration", "2s", "--agents", &agents], &url[..]].concat();
        run_into(&folder.path().join(out), &arguments)
    };
    for out in ["a", "b"] {
        let (ended, record) = run_with(out);
        assert_eq!((ended.code, &record["ledger"]["verified"]), (0, &100.into()), "{ended:?}");
    }
    let kept = std::fs::read_to_string(&agents).unwrap();
    let removed = run(&[&["setup", "--remove", &agents], &url[..]].concat());
    assert_eq!(removed.code, 0, "{removed:?}");
    assert!(!std::path::Path::new(&agents).exists());
    // Their keys are of no more use, and a run with them says so.
    std::fs::write(&agents, kept).unwrap();
    let (ended, record) = run_with("c");
    assert_eq!(ended.code, 99, "{ended:?}");
    let errors = record["errors"].to_string();
    assert!(errors.contains("refused_event") && errors.contains("agent_key_invalid"), "{errors}");
}
