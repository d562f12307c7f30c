//! Every page is drawn, asks nobody, and fits wherever it is looked at.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use serde_json::json;

use crate::browser::{Browser, DESK, Look, PHONE};
use crate::exporter::{self, HOSTILE};
use crate::prometheus::Prometheus;

/// Longest wait for Prometheus to have seen enough.
const SOON: Duration = Duration::from_secs(90);
/// Panels that are drawn on a good day with an embedded store.
const DRAWN_AT_LEAST: u64 = 200;
/// Each panel with what is drawn in it; a chart has drawn when its canvas has a colour.
const PANELS: &str = "
    const coloured = (canvas) => {
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let at = 0; at < data.length; at += 4) {
        const [r, g, b, a] = data.slice(at, at + 4);
        if (a > 20 && Math.max(r, g, b) - Math.min(r, g, b) > 40) return true;
      }
      return false;
    };
    const has = { stat: '.tile .value', gauge: '.dial path', bargauge: '.bar', table: 'tbody td',
      'state-timeline': '.band span', text: '.words p' };
    return [...document.querySelectorAll('.panel')].map((panel) => {
      const { kind, state } = panel.dataset;
      const canvas = panel.querySelector('canvas');
      const isDrawn = canvas ? coloured(canvas) : !!panel.querySelector(has[kind] || 'canvas');
      return { title: panel.querySelector('h3').textContent, state, isDrawn,
        text: panel.querySelector('.body').textContent };
    });";

/// Moves the mouse over the first chart, and opens what the first panel means.
const TOUCH: &str = "
    const over = document.querySelector('.u-over');
    const { left, top, width, height } = over.getBoundingClientRect();
    const at = { clientX: left + width / 2, clientY: top + height / 2 };
    over.dispatchEvent(new MouseEvent('mousemove', at));
    document.querySelector('summary').click();";

/// Prometheus with both processes and the recorded series, each second.
fn prometheus(folder: &Path) -> Prometheus {
    let port = exporter::start();
    let generated = Path::new(env!("CARGO_MANIFEST_DIR")).join("../alerts/generated");
    let rules = std::fs::read_to_string(generated.join("stateset-sequencer-slo.rules.yaml"));
    let file = folder.join("slo.yaml");
    std::fs::write(&file, rules.unwrap().replace("interval: 15s", "interval: 1s")).unwrap();
    let job = |name: &str, targets: &str| {
        format!(
            "- job_name: stateset-{name}\n  metrics_path: /{name}\n  static_configs:\n  \
             - targets: [{targets}]\n"
        )
    };
    let two = format!("'127.0.0.1:{port}', 'localhost:{port}'");
    let one = format!("'127.0.0.1:{port}'");
    let prometheus = Prometheus::start(&format!(
        "global: {{scrape_interval: 1s}}\nrule_files: ['{}']\nscrape_configs:\n{}{}",
        file.display(),
        job("sequencer", &two),
        job("sidecar", &one)
    ));
    prometheus.wait_for("job_instance:availability_bad:rate5m", SOON);
    prometheus.wait_for("min(count_over_time(up[1m])) >= 20", SOON);
    prometheus
}

fn preview(url: &str, out: &Path) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_dashboards"));
    command.args(["preview", "--range", "20s", "--scrape-interval", "1s", "--prometheus", url]);
    let done = command.arg("--out").arg(out).output().unwrap();
    assert!(done.status.success(), "{done:?}");
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn every_board_is_drawn_in_a_browser_without_a_network() {
    let folder = tempfile::tempdir().unwrap();
    let prometheus = prometheus(folder.path());
    let secret = prometheus.url().replace("http://", "http://me:secret@");
    let said = preview(&secret, folder.path());
    let pages: Vec<&str> = said.lines().filter(|line| line.ends_with(".html")).collect();
    assert_eq!(pages.len(), 10, "{said}");
    assert!(pages[0].ends_with("index.html") && said.contains("\nOpen "), "{said}");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(look_at(&pages));
}

#[test]
fn a_prometheus_that_does_not_answer_leaves_no_page() {
    let folder = tempfile::tempdir().unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_dashboards"));
    command.args(["preview", "--prometheus", "http://127.0.0.1:1", "--out"]);
    let done = command.arg(folder.path()).output().unwrap();
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert_eq!(done.status.code(), Some(1), "{said}");
    assert!(said.contains("does not answer as Prometheus does"), "{said}");
    assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
}

async fn look_at(pages: &[&str]) {
    let browser = Browser::start().await;
    let mut drawn = 0;
    let mut texts = String::new();
    for path in pages {
        let name = Path::new(path).file_stem().unwrap().to_str().unwrap();
        browser.look(DESK).await;
        browser.open(&format!("file://{path}")).await;
        browser.wait_until("document.querySelector('main > *')", SOON).await;
        if name == "index" {
            assert_eq!(
                browser.run("return document.querySelectorAll('.cards li').length").await,
                9
            );
        } else {
            drawn += check_panels(&browser, name).await;
        }
        texts += &check_words(&browser, name).await;
        for (look, suffix) in
            [(DESK, "desk"), (Look { dark: true, ..DESK }, "dark"), (PHONE, "phone")]
        {
            browser.look(look).await;
            check_width(&browser, look, name).await;
            browser.picture(&format!("preview-{name}-{suffix}")).await;
        }
        browser.look(Look { dark: true, ..DESK }).await;
        if name != "index" {
            check_panels(&browser, name).await;
            check_touch(&browser, name).await;
        }
        assert_eq!(browser.complaints().await, [] as [String; 0], "{name}");
        let asked = browser.requests().await;
        let elsewhere = |url: &&String| !url.starts_with("file://") && !url.starts_with("data:");
        assert_eq!(asked.iter().filter(elsewhere).collect::<Vec<_>>(), [] as [&String; 0]);
        assert!(!asked.is_empty(), "the log of requests is read");
    }
    assert!(drawn >= DRAWN_AT_LEAST, "{drawn} panels are drawn");
    assert!(texts.contains(HOSTILE), "a label is shown as the text that it is");
}

/// One cursor runs over all charts, and the marks beside the titles open.
async fn check_touch(browser: &Browser, name: &str) {
    browser.run(TOUCH).await;
    let clocks = "[...document.querySelectorAll('.clock')].filter((one) => one.textContent)";
    browser.wait_until(&format!("{clocks}.length > 1"), SOON).await;
    browser
        .wait_until("document.querySelector('.about-panel').innerText.includes('Good')", SOON)
        .await;
    browser.picture(&format!("preview-{name}-touched")).await;
}

/// No panel is refused, each drawn one shows something, each empty one says so.
async fn check_panels(browser: &Browser, name: &str) -> u64 {
    let panels = browser.run(PANELS).await;
    let panels = panels.as_array().unwrap();
    assert!(!panels.is_empty(), "{name}");
    for panel in panels {
        match panel["state"].as_str() {
            Some("drawn") => assert_eq!(panel["isDrawn"], json!(true), "{name}: {panel}"),
            Some("empty") => {
                let text = panel["text"].as_str().unwrap();
                assert!(text == "no data" || text.starts_with("empty: "), "{name}: {panel}");
            }
            _ => panic!("{name}: {panel}"),
        }
    }
    panels.iter().filter(|panel| panel["state"] == "drawn").count() as u64
}

async fn check_words(browser: &Browser, name: &str) -> String {
    let text = browser.run("return document.body.innerText").await;
    let text = text.as_str().unwrap().to_owned();
    for slip in ["[object", "undefined", "NaN", "Invalid Date", "null", "secret"] {
        assert!(!text.contains(slip), "{name}: {slip}: {text}");
    }
    text
}

async fn check_width(browser: &Browser, look: Look, name: &str) {
    let width = browser.run("return document.documentElement.scrollWidth").await;
    assert!(width.as_u64() <= Some(look.width.into()), "{name}: {width} at {}", look.width);
    let background = "getComputedStyle(document.documentElement).backgroundColor";
    let paper = browser.run(&format!("return {background}")).await;
    assert_eq!(paper != "rgb(244, 245, 246)", look.dark, "{name}: {paper}");
}
