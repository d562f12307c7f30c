//! What is so with the embedded store only: its file, its owner, its disk, secrets it lets be made.

use std::os::unix::fs::PermissionsExt as _;

use sequencer::config::Config;
use sequencer::server::Server;
use serde_json::json;
use sqlx::{ConnectOptions as _, Executor as _, sqlite::SqliteConnectOptions};

use crate::agent::query;
use crate::app::{TestApp, config};
use crate::client::connections;
use crate::place::Place;
use crate::start::{refused, says};

#[tokio::test(flavor = "multi_thread")]
async fn on_loopback_missing_secrets_are_created_once_and_kept_private() {
    let place = Place::embedded();
    let bare = || Config {
        bootstrap_admin_api_key: None,
        bootstrap_sidecar_api_key: None,
        ves_sequencer_signing_key: None,
        ..config(&place, &[])
    };
    let first = Server::start(bare()).await.unwrap();
    assert_eq!(first.created().len(), 3);
    let key = first.bootstrap_key().expose().to_owned();
    assert!(sequencer::auth::api_key::is_well_formed(&key));
    first.stop().await.unwrap();
    for name in ["bootstrap.key", "sidecar.key", "signing.key"] {
        let file = std::fs::metadata(place.path().join(name)).unwrap();
        assert_eq!(file.permissions().mode() & 0o777, 0o600, "{name}");
    }
    let sidecar = std::fs::read_to_string(place.path().join("sidecar.key")).unwrap();
    assert!(sequencer::auth::api_key::is_well_formed(&sidecar) && sidecar != key);
    let second = Server::start(bare()).await.unwrap();
    assert_eq!(second.created().len(), 0);
    assert_eq!(second.bootstrap_key().expose(), key);
    let client = connections().get(format!("http://{}/api/v1/admin/stores", second.api_address()));
    let listed = client.bearer_auth(&sidecar).send().await.unwrap();
    assert_eq!(listed.status(), 200, "a sidecar beside it needs nothing else");
    second.stop().await.unwrap();
    assert_eq!(std::fs::read_to_string(place.path().join("sidecar.key")).unwrap(), sidecar);
    std::fs::write(place.path().join("bootstrap.key"), "nonsense").unwrap();
    says(&refused(bare()).await, &["bootstrap.key"]);
    std::fs::write(place.path().join("bootstrap.key"), &key).unwrap();
    std::fs::write(place.path().join("sidecar.key"), "nonsense").unwrap();
    says(&refused(bare()).await, &["sidecar.key"]);
    std::fs::write(place.path().join("sidecar.key"), &key).unwrap();
    says(&refused(bare()).await, &["BOOTSTRAP_SIDECAR_API_KEY", "of its own"]);
    std::fs::write(place.path().join("sidecar.key"), &sidecar).unwrap();
    std::fs::write(place.path().join("signing.key"), "nonsense").unwrap();
    says(&refused(bare()).await, &["signing.key"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_has_one_owner() {
    let app = TestApp::embedded(&[]).await;
    let agent = app.agent().await;
    app.ingest(&[agent.event()]).await;
    says(&refused(config(app.place(), &[])).await, &["in use by another process"]);
    app.ingest(&[agent.event()]).await;
    app.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_that_is_not_ours_is_refused_and_left_as_it_is() {
    let place = Place::embedded();
    let file = place.file();
    std::fs::write(&file, "this is a shopping list, not a database\n".repeat(100)).unwrap();
    let before = std::fs::read(&file).unwrap();
    says(&refused(config(&place, &[])).await, &["SQLite"]);
    assert_eq!(std::fs::read(&file).unwrap(), before);
    std::fs::remove_file(&file).unwrap();
    let options = SqliteConnectOptions::new().filename(&file).create_if_missing(true);
    let mut foreign = options.connect().await.unwrap();
    foreign.execute("CREATE TABLE songs (title TEXT)").await.unwrap();
    drop(foreign);
    let before = std::fs::read(&file).unwrap();
    says(&refused(config(&place, &[])).await, &["another application"]);
    assert_eq!(std::fs::read(&file).unwrap(), before, "somebody else's database was changed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_nearly_full_disk_refuses_writes_while_reads_go_on() {
    let app = TestApp::embedded(&[]).await;
    let agent = app.agent().await;
    let event = agent.event();
    app.ingest(std::slice::from_ref(&event)).await;
    let app = app.restart_with(&["--min-free-disk-bytes=9223372036854775807"]).await;
    let answers = [
        app.client.try_ingest(&[agent.event()]).await,
        app.client.try_ingest(std::slice::from_ref(&event)).await,
        app.client.seal(agent.stream, 1, 1).await,
    ];
    for answer in answers {
        let error = answer.refused("SERVICE_UNAVAILABLE");
        assert_eq!(error["details"], json!({ "reason": "disk_full" }));
    }
    assert_eq!(app.client.head_sequence(agent.stream).await, 1);
    let path = format!("/api/v1/ves/events/{}?{}", event.event_id, query(agent.stream));
    app.client.get(&path).await.ok();
    let ready = app.client.get("/ready").await.ok();
    assert_eq!(ready["status"], "degraded");
    assert!(ready["reasons"][0].as_str().unwrap().contains("disk_full"), "{ready}");
    let report = app.operations.get("/health/detailed").await.ok();
    assert_eq!(report["status"], "degraded");
    let disk = report["components"].as_array().unwrap().iter().find(|part| part["name"] == "disk");
    assert!(disk.unwrap()["reason"].as_str().unwrap().contains("disk_full"));
    let shed = "stateset_sequencer_requests_shed_total{reason=\"disk_full\"} 3";
    assert!(app.scrape().await.contains(shed));
    let app = app.restart_with(&[]).await;
    assert_eq!(app.ingest(&[agent.event()]).await.sequence_start, Some(2));
    assert_eq!(app.client.get("/ready").await.ok()["status"], "ready");
    app.finish().await;
}
