//! The script behind `make observe`: Prometheus scrapes both, loads the rules and tells
//! Alertmanager, and all four end together.

use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::beside::{sees_it, sidecar, status_page};
use crate::program::Folder;

/// Longest wait for an alert on its way: scrape, evaluation, and what Alertmanager waits.
const LIMIT: Duration = Duration::from_secs(90);

fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

/// The script with its three programs, on these ports.
fn line(prometheus: u16, alertmanager: u16) -> String {
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/../scripts/observe.sh");
    let sequencer = env!("CARGO_BIN_EXE_sequencer");
    let alerts = Path::new(sequencer).with_file_name("alerts");
    assert!(alerts.is_file(), "{} is missing: run `cargo build -p alerts`", alerts.display());
    format!(
        "PROMETHEUS_PORT={prometheus} ALERTMANAGER_PORT={alertmanager} exec {script} {sequencer} \
         {} {}",
        sidecar(),
        alerts.display()
    )
}

/// Waits until what a URL gives is as wanted.
async fn until(url: &str, wanted: impl Fn(&Value) -> bool) {
    let client = reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5));
    let client = client.build().unwrap();
    let started = Instant::now();
    loop {
        let answer = async { client.get(url).send().await?.json::<Value>().await }.await;
        if answer.as_ref().is_ok_and(&wanted) {
            return;
        }
        assert!(started.elapsed() < LIMIT, "{url}: {answer:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn observe_scrapes_both_and_an_alert_arrives() {
    sequencer::client::prepare_tls();
    let (folder, ports) = (Folder::new(), [free_port(), free_port()]);
    let mut observe = folder.start_shell(&line(ports[0], ports[1]));
    let page = status_page(&mut observe);
    observe.wait_for("prometheus   http://127.0.0.1:");
    observe.wait_for("alertmanager http://127.0.0.1:");
    observe.wait_for("Running until Ctrl-C");
    sees_it(&page).await;
    let [prometheus, alertmanager] = ports.map(|port| format!("http://127.0.0.1:{port}"));
    for job in ["stateset-sequencer", "stateset-sidecar"] {
        let up = format!("{prometheus}/api/v1/query?query=up%7Bjob%3D%22{job}%22%7D");
        until(&up, |answer| answer["data"]["result"][0]["value"][1] == "1").await;
    }
    let rules = format!("{prometheus}/api/v1/rules?type=alert");
    until(&rules, |answer| {
        let groups = answer["data"]["groups"].as_array();
        let alerts = groups.into_iter().flatten().filter_map(|group| group["rules"].as_array());
        alerts.map(Vec::len).sum::<usize>() > 40
    })
    .await;
    let alerts = format!("{alertmanager}/api/v2/alerts");
    until(&alerts, |answer| {
        let names = |one: &Value| one["labels"]["alertname"] == "Watchdog";
        answer.as_array().is_some_and(|alerts| alerts.iter().any(names))
    })
    .await;
    let asked = ["doctor", "--prometheus-url", &prometheus, "--sidecar-url", &page];
    let told = folder.run(&asked).stdout;
    for id in ["sidecar-healthy", "prometheus-scrapes", "prometheus-rules", "alertmanager-known"] {
        assert!(told.contains(&format!("pass  {id}")), "{id}: {told}");
    }
    assert!(told.contains("pass  watchdog-firing"), "{told}");
    let ended = observe.stop();
    assert_eq!(ended.stderr, "", "{}", ended.stdout);
    for port in ports {
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err(), "{port} is still listened to");
    }
    // The store was let go of.
    folder.run(&["verify"]).succeeded();
}

#[test]
fn a_port_of_prometheus_in_the_way_is_named_and_nothing_is_left_running() {
    let folder = Folder::new();
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let refused = folder.shell(&line(port, free_port()));
    refused.refused(1, &format!("127.0.0.1:{port} (PROMETHEUS_PORT)"));
    folder.run(&["migrate"]).succeeded();
}
