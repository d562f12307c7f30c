//! report.html in headless Chromium: silent, alone, drawn, legible on a phone and in the dark.

use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};

use crate::browser::{Browser, DESK, Look, PHONE};
use crate::commands::{loadgen, put, sample};

const LIMIT: Duration = Duration::from_secs(30);
const HOSTILE: &str = "</script><img src=x onerror=\"window.wasHit=1\"><!--";

/// How many charts there are, and in how many a line has left its colour. Axes alone do not count.
const CHARTS: &str = "const all = [...document.querySelectorAll('canvas')];
    const near = (data, at, rgb) => data[at + 3] > 200
      && rgb.every((part, place) => Math.abs(part - data[at + place]) < 24);
    const drawn = all.filter((canvas) => {
      const keys = canvas.closest('figure').querySelectorAll('.keys svg:not(.key-soft)');
      const colours = [...keys].map((key) => getComputedStyle(key).color.match(/[0-9]+/g)
        .slice(0, 3).map(Number));
      const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      for (let at = 0; at < data.length; at += 4) {
        if (colours.some((rgb) => near(data, at, rgb))) return true;
      }
      return false;
    });
    return [all.length, drawn.length];";
const SCROLLS: &str = "return document.documentElement.scrollWidth > innerWidth";

/// Writes the report of a record with the program and opens it.
async fn open(browser: &Browser, folder: &Path, record: &Value, look: Look) {
    let run = put(folder, "run.json", record);
    let output = loadgen(&["report", run.to_str().unwrap()]);
    assert!(output.status.success(), "{output:?}");
    browser.look(look).await;
    browser.open(&format!("file://{}", folder.join("report.html").display())).await;
    browser.wait_until("'drawn' in document.body.dataset", LIMIT).await;
}

/// What every page keeps, whatever it shows.
async fn check(browser: &Browser) {
    assert_eq!(browser.complaints().await, [""; 0]);
    for url in browser.requests().await {
        assert!(url.starts_with("file://") || url.starts_with("data:"), "{url}");
    }
    assert_eq!(browser.run(SCROLLS).await, json!(false), "the page scrolls sideways");
    let charts = browser.run(CHARTS).await;
    assert_eq!(charts[0], charts[1], "a chart is blank");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_report_is_drawn_alone_on_every_screen() {
    let browser = Browser::start().await;
    let folder = tempfile::tempdir().unwrap();
    let dark = Look { dark: true, ..DESK };
    for (name, look) in [("desk", DESK), ("dark", dark), ("phone", PHONE)] {
        open(&browser, folder.path(), &sample(), look).await;
        check(&browser).await;
        browser.picture(&format!("report-{name}")).await;
        let charts = browser.run("return document.querySelectorAll('canvas').length").await;
        assert_eq!(charts, json!(11), "{name}");
        assert_eq!(browser.text("verdict").await, "Thresholds failed");
        for (part, expect) in [
            ("top", "errors.ratio < 0.1% did not hold: 0.354%"),
            ("top", "All 1125 events were signed before the clock started."),
            ("figures", "44.8/s"),
            ("thresholds", "Did not hold"),
            ("errors", "The target answered 503"),
            ("routes", "POST /api/v1/ves/events/ingest"),
            ("ledger", "Each of 1,121 acknowledged events"),
            ("ran", "6f0c1b9a-3e51-4d0e-9a77-0d6b0c7f6a11"),
        ] {
            let text = browser.text(part).await;
            assert!(text.contains(expect), "{part}: {text}");
        }
    }
    let paper = browser.run("return getComputedStyle(document.documentElement).backgroundColor");
    let light = paper.await;
    browser.look(dark).await;
    let paper = browser.run("return getComputedStyle(document.documentElement).backgroundColor");
    assert_ne!(paper.await, light, "dark is another paper");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_verdict_is_said_in_words_and_in_colour() {
    let browser = Browser::start().await;
    let folder = tempfile::tempdir().unwrap();
    for (verdict, words, state) in [
        ("pass", "Passed", "ok"),
        ("thresholds_failed", "Thresholds failed", "fail"),
        ("invalid", "Invalid run", "warn"),
        ("bad_configuration", "Bad configuration", "warn"),
        ("interrupted", "Interrupted", "warn"),
    ] {
        let mut record = sample();
        record["verdict"] = json!(verdict);
        open(&browser, folder.path(), &record, DESK).await;
        check(&browser).await;
        assert_eq!(browser.text("verdict").await, words);
        assert_eq!(browser.run("return document.body.dataset.state").await, json!(state));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_without_load_says_why_it_shows_nothing() {
    let browser = Browser::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut record = sample();
    record["verdict"] = json!("bad_configuration");
    let lists =
        ["timeline", "stages", "scenarios", "routes", "errors", "thresholds", "target_metrics"];
    for list in lists {
        record[list] = json!([]);
    }
    record["ledger"] = json!(null);
    record["totals"]["events"] = json!(0);
    open(&browser, folder.path(), &record, PHONE).await;
    check(&browser).await;
    browser.picture("report-empty").await;
    for (part, expect) in [
        ("figures", "ended before any load was sent"),
        ("thresholds", "None was judged"),
        ("ledger", "none to read back"),
    ] {
        let text = browser.text(part).await;
        assert!(text.contains(expect), "{part}: {text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_of_others_is_shown_and_never_run() {
    let browser = Browser::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut record = sample();
    for place in [
        "/environment/name",
        "/profile/name",
        "/reasons/0",
        "/notes/0",
        "/errors/0/class",
        "/errors/0/example",
        "/thresholds/0/expression",
        "/target_metrics/0/label",
        "/target_metrics/0/name",
        "/stages/1/name",
    ] {
        *record.pointer_mut(place).unwrap() = json!(HOSTILE);
    }
    record["timeline"][3]["errors"] = json!({ HOSTILE: 2 });
    open(&browser, folder.path(), &record, PHONE).await;
    check(&browser).await;
    browser.picture("report-hostile").await;
    let hit = browser.run("return 'wasHit' in window || document.images.length > 0").await;
    assert_eq!(hit, json!(false));
    assert!(browser.text("errors").await.contains(HOSTILE));
    assert!(browser.text("notes").await.contains(HOSTILE));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_hour_is_drawn_with_all_its_stages() {
    let browser = Browser::start().await;
    let folder = tempfile::tempdir().unwrap();
    let mut record = sample();
    let second = record["timeline"][10].clone();
    let seconds = (0..3600).map(|t| {
        let mut one = second.clone();
        one["t"] = json!(t);
        one
    });
    record["timeline"] = seconds.collect();
    record["duration_seconds"] = json!(3600.0);
    open(&browser, folder.path(), &record, DESK).await;
    check(&browser).await;
    browser.picture("report-hour").await;
    assert!(browser.text("load").await.contains("Each point of a chart is 5 s"));
}
