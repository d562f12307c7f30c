//! What the page says of a sequencer that is well, unwell, dead and back.

use std::time::Duration;

use crate::browser::{Browser, DESK, Look, PHONE};
use crate::stack::Stack;

/// Longest wait for a change that takes a few seconds.
const SOON: Duration = Duration::from_secs(40);

#[tokio::test]
async fn a_healthy_sequencer_looks_healthy_wherever_it_is_looked_at() {
    let stack = Stack::start(&[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&stack.sidecar.url).await;
    browser.wait_until("document.body.dataset.status === 'ok'", SOON).await;
    let sentence = browser.text("sentence").await;
    assert!(sentence.starts_with("Good: All is well since "), "{sentence}");
    // A round of the canary has ended, and its curves are drawn.
    browser.wait_until("document.querySelectorAll('.rounds li').length > 2", SOON).await;
    browser.wait_until("document.querySelectorAll('.plot canvas').length === 6", SOON).await;
    browser.wait_until("document.querySelector('#streams tbody tr')", SOON).await;
    browser.picture("healthy-desk").await;
    browser.look(Look { dark: true, ..DESK }).await;
    browser.picture("healthy-desk-dark").await;
    browser.look(PHONE).await;
    browser.picture("healthy-phone").await;
    let text = browser.run("return document.body.innerText").await.as_str().unwrap().to_owned();
    for slip in ["[object", "undefined", "NaN", "Invalid", "null"] {
        assert!(!text.contains(slip), "{slip}: {text}");
    }
    let width = "document.documentElement.scrollWidth";
    assert!(browser.run(&format!("return {width}")).await.as_u64() <= Some(390), "it is no wider");

    assert_eq!(browser.complaints().await, [] as [String; 0]);
    let asked = browser.requests().await;
    let elsewhere = |url: &&String| {
        !url.starts_with(&stack.sidecar.url) && !url.starts_with("data:image/svg+xml,")
    };
    assert!(asked.len() > 4, "the log of requests is read: {asked:?}");
    assert_eq!(asked.iter().filter(elsewhere).collect::<Vec<_>>(), [] as [&String; 0]);
}

#[tokio::test]
async fn the_keyboard_reaches_every_link_in_the_order_of_the_page() {
    let stack = Stack::start(&[]);
    let browser = Browser::start().await;
    browser.look(DESK).await;
    browser.open(&stack.sidecar.url).await;
    browser.wait_until("document.body.dataset.status === 'ok'", SOON).await;
    browser.wait_until("document.querySelector('.rounds li')", SOON).await;
    let name = "(at) => at.getAttribute('href') || at.getAttribute('aria-label')";
    let all = "document.querySelectorAll('a[href], button, [tabindex]')";
    let expect = browser.run(&format!("return Array.from({all}).map({name})")).await;
    let mut reached = Vec::new();
    for _ in expect.as_array().unwrap() {
        browser.press_tab().await;
        reached.push(browser.run(&format!("return ({name})(document.activeElement)")).await);
    }
    assert_eq!(expect, serde_json::Value::Array(reached));
    let last = ["bundle", "api/status", "api/history", "metrics"];
    assert!(expect.as_array().unwrap().ends_with(&last.map(serde_json::Value::from)), "{expect}");
    // The page goes on changing below the reader, and the focus stays where it was.
    let updated = browser.text("updated").await;
    browser
        .wait_until(
            &format!("document.getElementById('updated').textContent !== '{updated}'"),
            SOON,
        )
        .await;
    assert_eq!(browser.run("return document.activeElement.textContent").await, "Metrics");
}
