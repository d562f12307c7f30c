//! A loop of the sidecar that says nothing any more is told by its own `/health`.

use std::sync::Arc;
use std::time::Duration;

use clap::Parser;
use serde_json::{Value, json};
use sidecar::app::App;
use sidecar::config::Config;
use sidecar::http;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

#[tokio::test]
async fn a_loop_that_is_stuck_is_named_by_health_until_it_goes_on() {
    let folder = tempfile::tempdir().unwrap();
    let state = format!("--sidecar-state-dir={}", folder.path().display());
    let config = Arguments::parse_from(["sidecar", &state]).config;
    let app = Arc::new(App::build(config).await.unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/health", listener.local_addr().unwrap());
    let stop = CancellationToken::new();
    let serving = tokio::spawn(http::serve(listener, Arc::clone(&app), stop.clone()));
    let health = async || {
        let answer = reqwest::get(&url).await.unwrap();
        (answer.status().as_u16(), answer.json::<Value>().await.unwrap())
    };
    app.core.progress.mark("check disk", Duration::ZERO);
    tokio::time::sleep(Duration::from_millis(2)).await;
    let (status, body) = health().await;
    assert_eq!((status, &body["status"]), (503, &json!("stuck")));
    assert_eq!(body["stuck_loops"], json!(["check disk"]));
    app.core.progress.mark("check disk", Duration::from_secs(60));
    let (status, body) = health().await;
    assert_eq!((status, &body["status"]), (200, &json!("healthy")));
    stop.cancel();
    serving.await.unwrap();
}
