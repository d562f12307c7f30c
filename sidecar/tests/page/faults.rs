//! What the page says while something is wrong: the sequencer, the sidecar, or what they answer.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::{TcpListener, TcpStream};
use std::time::Duration;

use sqlx::ConnectOptions as _;

use crate::browser::{Browser, DESK, Look, PHONE};
use crate::stack::{Sequencer, Sidecar, Stack, database_file, port_of};

/// Longest wait for a change that takes a few seconds.
const SOON: Duration = Duration::from_secs(40);
const CALM: &str = "document.body.dataset.status === 'ok'";
const STALE: &str = "document.body.classList.contains('stale')";

#[tokio::test]
async fn a_sequencer_that_dies_and_comes_back() {
    let Stack { folder, sequencer, sidecar } = Stack::start(&[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&sidecar.url).await;
    browser.wait_until(CALM, SOON).await;
    browser.wait_until("document.querySelector('.rounds li')", SOON).await;

    let figures = "window.figures = (title) => \
                   Array.from(document.querySelectorAll('figure')).find(\
                   (it) => it.querySelector('.title').textContent === title)\
                   .querySelector('.now').textContent";
    browser.run(figures).await;
    let ports = [
        format!("--port={}", sequencer.port()),
        format!("--ops-port={}", sequencer.operations_port()),
    ];
    sequencer.running.kill();
    browser.wait_until("document.body.dataset.status === 'fail'", SOON).await;
    let sentence = browser.text("sentence").await;
    assert!(sentence.starts_with("Failed: The sequencer does not answer since "), "{sentence}");
    assert!(!browser.text("why").await.is_empty(), "it says why");
    let said = browser.text("announcement").await;
    assert!(said.starts_with("The sequencer does not answer"), "{said}");
    let live = browser.run("return document.getElementById('announcement').ariaLive").await;
    assert_eq!(live, "polite");
    // A round of the canary fails too; it is one of the further findings.
    browser.wait_until("document.querySelector('.strip [data-bad]')", SOON).await;
    // No figure of the dead one is shown as that of now; its disk is still there.
    browser
        .wait_until("figures('Ingest latency') === '–' && figures('Events') === '–'", SOON)
        .await;
    browser.wait_until("figures('Disk used').endsWith(' %')", SOON).await;
    browser.picture("dead-desk").await;
    browser.look(Look { dark: true, ..DESK }).await;
    browser.picture("dead-desk-dark").await;
    browser.look(PHONE).await;
    browser.picture("dead-phone").await;
    browser.look(DESK).await;

    let ports: Vec<&str> = ports.iter().map(String::as_str).collect();
    let _next = Sequencer::start(folder.path(), &ports);
    browser.wait_until(CALM, SOON).await;
    assert!(browser.text("announcement").await.starts_with("All is well since "));
    browser.picture("back-desk").await;
    assert_eq!(browser.complaints().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_filling_disk_is_a_warning_with_its_runbook_and_said_aloud_once() {
    let runbooks = tempfile::tempdir().unwrap();
    for alert in ["SequencerDiskFilling", "SequencerDiskAlmostFull", "SequencerDiskFull"] {
        let text = format!(
            "# {alert}\n\n## Meaning\n\nThe disk of the data folder fills up.\n\n## Diagnosis\n\n\
             ```sh\ndf -h \"$DATA_DIR\"\n```\n\n| used | what |\n|---|---|\n| 85 % | warning |\n"
        );
        std::fs::write(runbooks.path().join(format!("{alert}.md")), text).unwrap();
    }
    let stack = Stack::start(&[
        &format!("--runbooks-dir={}", runbooks.path().display()),
        "--disk-warn-ratio=0.0001",
    ]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&stack.sidecar.url).await;
    browser.wait_until("document.body.dataset.status === 'warn'", SOON).await;
    assert!(browser.text("sentence").await.starts_with("Warning: The disk fills up since "));
    browser.picture("degraded-desk").await;

    // The sentence counts seconds; only what is said aloud must not change with it.
    let watch = "window.said = 0; new MutationObserver(() => { window.said += 1; }).observe(\
                 document.getElementById('announcement'), { childList: true, characterData: true, \
                 subtree: true })";
    browser.run(watch).await;
    let before = browser.text("sentence").await;
    browser
        .wait_until(
            &format!("document.getElementById('sentence').textContent !== '{before}'"),
            SOON,
        )
        .await;
    assert_eq!(browser.run("return window.said").await, 0);

    browser.run("document.querySelector('#action a').click()").await;
    browser.wait_until("location.pathname.startsWith('/runbooks/SequencerDisk')", SOON).await;
    browser.wait_until("document.querySelector('main pre code')", SOON).await;
    browser.picture("runbook-desk").await;
    browser.run("document.querySelector('.kicker a').click()").await;
    browser.wait_until("document.body.dataset.status === 'warn'", SOON).await;
    assert_eq!(browser.complaints().await, [] as [String; 0]);
}

#[tokio::test]
async fn a_changed_row_is_on_top_with_how_to_end_it_and_its_evidence_in_the_bundle() {
    let stack = Stack::start(&[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&stack.sidecar.url).await;
    browser.wait_until(CALM, SOON).await;
    browser.wait_until("document.querySelector('.rounds li')", SOON).await;
    let options =
        sqlx::sqlite::SqliteConnectOptions::new().filename(database_file(stack.folder.path()));
    let mut store = options.busy_timeout(SOON).connect().await.unwrap();
    let change = "UPDATE events SET payload = '{\"count\":0}' WHERE sequence_number = 1";
    sqlx::raw_sql(change).execute(&mut store).await.unwrap();

    browser.wait_until("!document.getElementById('violations').hidden", SOON).await;
    browser.wait_until("document.body.dataset.status === 'fail'", SOON).await;
    let sentence = browser.text("sentence").await;
    assert!(sentence.contains("The log breaks a rule"), "{sentence}");
    let shown = browser.text("violations-body").await;
    assert!(shown.contains("Payload hash in stream ca000000…"), "{shown}");
    assert!(shown.contains("at number 1"), "{shown}");
    assert!(shown.contains("sidecar witness acknowledge"), "{shown}");
    browser.picture("violation-desk").await;
    browser.look(PHONE).await;
    browser.picture("violation-phone").await;

    let bundle = stack.sidecar.get_bytes("/bundle").await;
    let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(&bundle[..]));
    let path = |entry: std::io::Result<tar::Entry<_>>| entry.unwrap().path().unwrap().into_owned();
    let paths: Vec<_> = archive.entries().unwrap().map(path).collect();
    let evidence = |path: &std::path::PathBuf| path.to_string_lossy().contains("/evidence/");
    assert!(paths.iter().any(evidence), "{paths:?}");
}

#[tokio::test]
async fn a_sidecar_that_stops_answering_is_not_shown_as_current() {
    let Stack { folder, sequencer, sidecar } = Stack::start(&[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&sidecar.url).await;
    browser.wait_until(CALM, SOON).await;
    let url = sidecar.url.clone();
    assert!(sidecar.running.stop().success());
    browser.wait_until(STALE, SOON).await;
    let sentence = browser.text("sentence").await;
    assert!(sentence.contains("The sidecar has not answered since "), "{sentence}");
    assert!(browser.text("why").await.contains("Nothing is known about the sequencer"));
    let shown =
        browser.run("return getComputedStyle(document.querySelector('main')).opacity").await;
    assert!(
        shown.as_str().unwrap().parse::<f64>().unwrap() < 0.6,
        "what is old is greyed: {shown}"
    );
    browser.picture("silent-desk").await;

    let port = format!("--sidecar-port={}", port_of(&url));
    let _next = Sidecar::start(folder.path(), &sequencer.url, &sequencer.operations_url, &[&port]);
    // It asks by itself, with pauses that grow; whoever waits may ask now.
    browser.run("document.getElementById('again').click()").await;
    browser.wait_until(&format!("!{STALE} && {CALM}"), SOON).await;
}

#[tokio::test]
async fn a_browser_brings_the_token_as_a_password() {
    let stack = Stack::start(&["--sidecar-token=a-token-of-some-length"]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    let with_token = stack.sidecar.url.replace("http://", "http://me:a-token-of-some-length@");
    browser.open(&with_token).await;
    browser.wait_until(CALM, SOON).await;
    browser.wait_until("document.querySelectorAll('.plot canvas').length === 6", SOON).await;
}

#[tokio::test]
async fn what_a_lying_sequencer_says_stays_text() {
    let folder = tempfile::tempdir().unwrap();
    let liar = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", liar.local_addr().unwrap());
    std::thread::spawn(move || {
        for caller in liar.incoming().flatten() {
            let _ = answer_with_markup(caller);
        }
    });
    let sidecar = Sidecar::start(folder.path(), &url, &url, &[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&sidecar.url).await;
    browser.wait_until("document.body.textContent.includes('<img src=x')", SOON).await;
    browser.picture("lying-desk").await;
    assert_eq!(browser.run("return document.images.length").await, 0);
    assert_eq!(browser.run("return window.taken === undefined").await, true);
    assert_eq!(browser.complaints().await, [] as [String; 0], "nothing was even tried");
}

/// Health, readiness and metrics with markup wherever a text may stand; one request a connection.
fn answer_with_markup(mut caller: TcpStream) -> std::io::Result<()> {
    const MARKUP: &str = "<img src=x onerror='window.taken=1'><script>window.taken=1</script>";
    let mut head = BufReader::new(caller.try_clone()?).lines();
    let request = head.next().transpose()?.unwrap_or_default();
    head.map_while(Result::ok).take_while(|line| !line.is_empty()).for_each(drop);
    let (kind, body) = if request.contains("/metrics") {
        let info = format!("stateset_sequencer_build_info{{version=\"{MARKUP}\"}} 1\n");
        ("text/plain", info)
    } else {
        let body = serde_json::json!({
            "status": "degraded", "service": "stateset-sequencer", "version": MARKUP,
            "timestamp": "2026-01-01T00:00:00.000000Z", "reasons": [MARKUP],
            "error": { "code": MARKUP, "message": MARKUP },
        });
        ("application/json", body.to_string())
    };
    let length = body.len();
    write!(
        caller,
        "HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\n\
         connection: close\r\n\r\n{body}"
    )
}
