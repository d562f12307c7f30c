//! What can be watched while a run lasts, and what is gone afterwards.

use catalog::{Kind, loadgen as declared};

use crate::liar::{self, Reply};
use crate::loadgen::{command, on_time, record, run, start};
use crate::stack::{Sequencer, sample_of};

async fn scrape(url: &str) -> Option<String> {
    reqwest::get(url).await.ok()?.text().await.ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_scrape_is_what_the_catalogue_says_and_ends_with_the_run() {
    let _ = rustls::crypto::ring::default_provider().install_default();
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    let out = folder.path().join("out").display().to_string();
    let arguments = ["run", "smoke", "--url", &sequencer.url, "--out", &out, "--duration", "7s"];
    let mut running = start(command(&arguments));
    let line = tokio::task::spawn_blocking(move || {
        let line = running.line("metrics at");
        running.line("requests/s");
        (line, running)
    });
    let (line, running) = line.await.unwrap();
    let url = line.split(' ').nth(2).unwrap().to_owned();
    let text = scrape(&url).await.unwrap();
    assert_eq!(reqwest::get(url.replace("metrics", "")).await.unwrap().status(), 404);

    let mut families: Vec<(String, String)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("# TYPE "))
        .filter_map(|line| line.split_once(' '))
        .map(|(name, kind)| (name.to_owned(), kind.to_owned()))
        .collect();
    families.sort();
    let mut expect: Vec<(String, String)> = declared::ALL
        .iter()
        .map(|metric| (metric.name.to_owned(), metric.kind.as_str().to_owned()))
        .collect();
    expect.sort();
    assert_eq!(families, expect);
    for metric in declared::ALL {
        assert!(
            text.contains(&format!("# HELP {} {}", metric.name, metric.help)),
            "{}",
            metric.name
        );
        for label in metric.labels {
            let name = match metric.kind {
                Kind::Histogram(_) => format!("{}_count", metric.name),
                _ => metric.name.to_owned(),
            };
            let series = text.lines().find(|line| line.starts_with(&format!("{name}{{")));
            assert!(series.is_some_and(|s| s.contains(&format!("{}=\"", label.name))), "{name}");
        }
    }
    let value = |series: &str| sample_of(&text, series).unwrap_or(-1.0);
    assert!(value("stateset_loadgen_events_acknowledged_total{stage=\"hold\"}") >= 100.0);
    assert!((value("stateset_loadgen_stage_active{stage=\"hold\"}") - 1.0).abs() < 0.1);
    assert!((value("stateset_loadgen_stage_active{stage=\"ramp\"}")).abs() < 0.1);
    assert!((value("stateset_loadgen_users") - 5.0).abs() < 0.1);
    assert!(value("stateset_loadgen_response_duration_seconds_count{stage=\"hold\"}") >= 100.0);

    let ended = tokio::task::spawn_blocking(move || running.end()).await.unwrap();
    assert!(matches!(ended.code, 0 | 98), "{ended:?}");
    assert!(scrape(&url).await.is_none());
}

/// A Grafana that takes the mark, and one that does not: the run is the same.
#[test]
fn a_run_is_marked_in_grafana() {
    let folder = tempfile::tempdir().unwrap();
    let sequencer = Sequencer::start(folder.path(), &[]);
    for (answer, expect) in [("200 OK", None), ("401 No", Some("Grafana answered 401"))] {
        let (sender, asked) = std::sync::mpsc::channel();
        let sender = std::sync::Mutex::new(sender);
        let grafana = liar::start(move |path, _| {
            let _ = sender.lock().unwrap().send(path.to_owned());
            Reply::Whole(answer, "{}".to_owned())
        });
        let out = folder.path().join("out");
        let out_text = out.display().to_string();
        let arguments = [
            "run",
            "smoke",
            "--url",
            &sequencer.url,
            "--out",
            &out_text,
            "--duration",
            "1s",
            "--json",
            "--grafana-url",
            &grafana,
        ];
        let ended = on_time(|| {
            let mut command = command(&arguments);
            command.env("GRAFANA_TOKEN", "glsa_hidden");
            start(command).end()
        });
        assert_eq!(ended.code, 0, "{ended:?}");
        assert_eq!(asked.try_recv().unwrap(), "/api/annotations");
        let printed: serde_json::Value =
            serde_json::from_str(ended.out.trim_end().lines().last().unwrap()).unwrap();
        let record = record(&out);
        assert_eq!(printed["totals"], record["totals"]);
        let notes = record["notes"].to_string();
        assert_eq!(expect.is_some(), notes.contains("not marked in Grafana"), "{notes}");
        assert!(expect.is_none_or(|expect| notes.contains(expect)), "{notes}");
        assert!(!format!("{ended:?}{record}").contains("hidden"));
    }
    let ended = run(&["run", "smoke", "--url", &sequencer.url, "--grafana-url", "http://x"]);
    assert_eq!(ended.code, 104, "{ended:?}");
    assert!(ended.err.contains("GRAFANA_TOKEN"), "{ended:?}");
}

/// Its own figures on this machine; a machine that is busy with other tests may be too slow to
/// agree to a millisecond, and then the command must say so.
#[test]
fn calibration_ends_in_time_with_a_verdict() {
    let ended = run(&["calibrate"]);
    assert!(matches!(ended.code, 0 | 99), "{ended:?}");
    assert!(ended.seconds < 240.0);
    assert!(ended.out.contains("good  worst of 1,000 quantiles"), "{ended:?}");
    let is_calibrated = ended.out.contains("\ncalibrated");
    assert_eq!(is_calibrated, ended.code == 0, "{ended:?}");
    assert_eq!(ended.out.contains("NOT calibrated"), ended.code == 99, "{ended:?}");
    assert!(ended.out.contains("p99.9: "), "{ended:?}");
}
