//! The dead man's switch: the Watchdog always fires, and its silence is what is noticed.

use std::time::{Duration, Instant};

use anyhow::{Context as _, ensure};
use time::OffsetDateTime;

use super::run::wait_until_healthy;
use super::setting::Setting;
use super::stage::Stage;
use crate::block::Kind;
use crate::results::Row;
use crate::{book, shell};

/// Name of the alert.
pub const ALERT: &str = "Watchdog";
/// What is broken.
pub const FAULT: &str = "Alertmanager is killed (SIGKILL)";
/// Alertmanager repeats it every two seconds here, every minute in the example: three that do not
/// come are noticed.
const SILENCE: Duration = Duration::from_secs(8);
/// 15 times faster, as all scrapes are.
const SCALE: u32 = 15;
const LIMIT: Duration = Duration::from_secs(60);
const PAUSE: Duration = Duration::from_millis(100);

/// Kills Alertmanager, and asks whether whoever waits for the Watchdog notices.
///
/// # Errors
/// What was not as it should be.
pub async fn play() -> anyhow::Result<Row> {
    let mut stage = Stage::start(Setting::EMBEDDED).await?;
    wait_until_healthy(&stage).await?;
    let page = book::page(ALERT)?;
    let looks = page.blocks()?;
    let looks = looks.iter().filter(|block| block.kind == Kind::Diagnosis);
    let looks: Vec<_> =
        looks.filter_map(|b| Some((b.script.as_str(), b.expect.clone()?))).collect();
    ensure!(beats_within(&stage, Instant::now()).await, "the Watchdog does not come");
    for (script, expect) in &looks {
        let text = shell::run(script, &stage.variables(), true).await?.text;
        ensure!(!expect.is_match(&text), "`{expect}` matches in health:\n{script}\n{text}");
    }
    let broken = Instant::now();
    let port = stage.alertmanager.take().context("no Alertmanager runs")?.port();
    let noticed = loop {
        ensure!(broken.elapsed() < LIMIT, "nobody notices");
        let told = stage.receiver.notifications();
        let last = told.iter().filter(|told| told.says(ALERT, "firing")).map(|told| told.at).max();
        if last.is_none_or(|last| last.elapsed() > SILENCE) {
            break broken.elapsed().as_secs_f64();
        }
        tokio::time::sleep(PAUSE).await;
    };
    for (script, expect) in &looks {
        let begin = Instant::now();
        loop {
            let text = shell::run(script, &stage.variables(), true).await?.text;
            if expect.is_match(&text) {
                break;
            }
            ensure!(begin.elapsed() < LIMIT, "`{expect}` does not show:\n{script}\n{text}");
        }
    }
    let ended = Instant::now();
    stage.start_alertmanager_again(port);
    ensure!(beats_within(&stage, ended).await, "the Watchdog does not come again");
    Ok(Row {
        alert: ALERT.to_owned(),
        fault: FAULT.to_owned(),
        ended_by: "it is started again".to_owned(),
        seconds_to_pending: None,
        seconds_to_firing: (noticed * 10.0).round() / 10.0,
        seconds_to_notified: Some((noticed * 10.0).round() / 10.0),
        inhibited_by: None,
        seconds_to_resolved: (ended.elapsed().as_secs_f64() * 10.0).round() / 10.0,
        scale: SCALE,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        date: OffsetDateTime::now_utc().date().to_string(),
    })
}

/// Whether a Watchdog comes after this moment, soon.
async fn beats_within(stage: &Stage, after: Instant) -> bool {
    let begin = Instant::now();
    while begin.elapsed() < LIMIT {
        let told = stage.receiver.notifications();
        if told.iter().any(|told| told.says(ALERT, "firing") && told.at > after) {
            return true;
        }
        tokio::time::sleep(PAUSE).await;
    }
    false
}
