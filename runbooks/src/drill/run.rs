//! One drill from health to health.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use alerts::rule::{Rule, Severity};
use alerts::{RUNBOOKS_URL, rules};
use anyhow::{Context as _, bail, ensure};
use regex::Regex;
use serde_json::Value;
use testbed::receiver::Notification;
use time::OffsetDateTime;

use super::stage::Stage;
use super::table::{Drill, Ends};
use super::watch::{Look, State, following, inhibited_by};
use crate::block::{Block, Kind};
use crate::render::{CONFIRMED, confirmation};
use crate::results::Row;
use crate::{book, shell};

/// Between two looks at Prometheus.
const PAUSE: Duration = Duration::from_millis(250);
/// Longest start until all targets are scraped and load flows.
const START: Duration = Duration::from_secs(75);
/// Within this, Alertmanager tells what has begun: its waits in fast motion, and a second.
const TOLD: Duration = Duration::from_secs(4);
/// Longest wait for firing, and for the end, beside what the rule itself waits.
const PATIENCE: Duration = Duration::from_secs(70);
/// Longest wait for a notification and for what a block should show.
const SHOWN: Duration = Duration::from_secs(25);

/// Plays a drill.
///
/// # Errors
/// What was not as it should be: the message names it and the folder that is kept.
pub async fn play(drill: &Drill, real_time: bool) -> anyhow::Result<Row> {
    let mut setting = drill.setting;
    if real_time {
        (setting.scale, setting.slo_scale) = (1, 1);
    }
    let mut stage = Stage::start(setting).await?;
    let played = Act::new(drill, &stage)?.play(&mut stage).await;
    if played.is_err() {
        let look = Look::take(&stage).await.map(|look| look.firing()).unwrap_or_default();
        let folder = stage.keep();
        let where_to = format!("look into {}; firing at the end: {look}", folder.display());
        return played.context(where_to);
    }
    played
}

/// Nothing is broken: for so long nobody may be told anything but that alerting works.
///
/// # Errors
/// When an alert fires or the load does not flow.
pub async fn control(duration: Duration) -> anyhow::Result<()> {
    for setting in [super::setting::Setting::EMBEDDED, super::setting::Setting::POSTGRES] {
        let stage = Stage::start(setting).await?;
        wait_until_healthy(&stage).await?;
        wait_until_quiet(&stage).await?;
        let begin = Instant::now();
        let mut fired = BTreeSet::new();
        while begin.elapsed() < duration {
            let firing = Look::take(&stage).await?.firing();
            fired.extend(firing.split(", ").map(str::to_owned));
            tokio::time::sleep(PAUSE).await;
        }
        fired.remove("Watchdog");
        ensure!(fired.is_empty(), "fired in health over {:?}: {fired:?}", setting.store);
        let news = |told: &&Notification| told.at > begin && told.alert["status"] == "firing";
        let told = stage.receiver.notifications();
        let mut told = told.iter().filter(news);
        let told = told.find(|told| told.alert["labels"]["alertname"] != "Watchdog");
        ensure!(told.is_none(), "somebody was told in health: {told:?}");
    }
    Ok(())
}

/// A busy machine takes longer to start than scaled rules wait. Nothing of that fires any more, and
/// what was to be told of it has been told.
async fn wait_until_quiet(stage: &Stage) -> anyhow::Result<()> {
    let begin = Instant::now();
    while Look::take(stage).await?.firing() != "Watchdog" {
        ensure!(begin.elapsed() < START, "something fires from the start");
        tokio::time::sleep(PAUSE).await;
    }
    tokio::time::sleep(TOLD).await;
    Ok(())
}

/// A drill being played.
struct Act<'a> {
    drill: &'a Drill,
    rule: Rule,
    blocks: Vec<Block>,
    /// Pages that may fire.
    expected: BTreeSet<String>,
    /// Pages that fired and should not have.
    unexpected: BTreeSet<String>,
    patience: Duration,
}

impl<'a> Act<'a> {
    fn new(drill: &'a Drill, stage: &Stage) -> anyhow::Result<Self> {
        let page = book::page(&drill.alert)?;
        let causes: Vec<&str> =
            [drill.alert.as_str()].into_iter().chain(drill.pages.iter().copied()).collect();
        let scale = stage.setting.scale.min(stage.setting.slo_scale);
        let waits = (page.rule.for_seconds + 600) / scale;
        Ok(Self {
            drill,
            blocks: page.blocks()?,
            rule: page.rule,
            expected: following(&rules::all(), &causes),
            unexpected: BTreeSet::new(),
            patience: PATIENCE + Duration::from_secs(waits.into()),
        })
    }

    async fn play(mut self, stage: &mut Stage) -> anyhow::Result<Row> {
        wait_until_healthy(stage).await?;
        self.in_health(stage).await?;

        let mut fault = (self.drill.fault)();
        let broken = Instant::now();
        fault.begin(stage).await.context("the fault cannot be made")?;
        let (pending, firing) = self.until_firing(stage, broken).await?;
        let (notified, inhibited_by) = self.until_told(stage, broken).await?;
        // A fault that takes long to make is not watched while it is made.
        let firing = notified.map_or(firing, |told| firing.min(told));
        let pending = pending.min(firing);
        self.diagnosed(stage).await?;
        let ended = Instant::now();
        match self.drill.ends {
            Ends::Page => self.mitigated(stage).await?,
            Ends::Harness(_) => fault.end(stage).await.context("the fault cannot be ended")?,
        }
        self.until_over(stage).await?;
        let over = ended.elapsed().as_secs_f64();
        if self.drill.ends == Ends::Page {
            // Its clients go home.
            fault.end(stage).await?;
        }
        ensure!(self.unexpected.is_empty(), "unexpected pages: {:?}", self.unexpected);
        let own =
            if self.rule.group == "slo" { stage.setting.slo_scale } else { stage.setting.scale };
        Ok(Row {
            alert: self.drill.alert.clone(),
            fault: self.drill.words.to_owned(),
            ended_by: match self.drill.ends {
                Ends::Page => "page".to_owned(),
                Ends::Harness(why) => why.to_owned(),
            },
            seconds_to_pending: (self.rule.for_seconds > 0).then_some(tenths(pending)),
            seconds_to_firing: tenths(firing),
            seconds_to_notified: notified.map(tenths),
            inhibited_by,
            seconds_to_resolved: tenths(over),
            scale: own,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            date: OffsetDateTime::now_utc().date().to_string(),
        })
    }

    /// Nothing fires, and no diagnosis claims to see the fault.
    async fn in_health(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let begin = Instant::now();
        let wanted = Duration::from_secs(stage.setting.health_seconds);
        while begin.elapsed() < wanted {
            let look = Look::take(stage).await?;
            let pages = look.pages();
            ensure!(pages.is_empty(), "{pages:?} page in health");
            tokio::time::sleep(PAUSE).await;
        }
        while Look::take(stage).await?.state(&self.rule.name) != State::Inactive {
            ensure!(begin.elapsed() < wanted + START, "it does not go inactive in health");
            tokio::time::sleep(PAUSE).await;
        }
        for (script, expect) in self.looks() {
            let output = shell::run(&script, &stage.variables(), true).await?;
            let text = &output.text;
            ensure!(!expect.is_match(text), "`{expect}` matches in health:\n{script}\n{text}");
        }
        Ok(())
    }

    /// Commands that look, and what they show under the fault.
    fn looks(&self) -> Vec<(String, Regex)> {
        let confirm = Regex::new(CONFIRMED).map(|expect| (confirmation(&self.rule), expect));
        let diagnosis = self.blocks.iter().filter(|block| block.kind == Kind::Diagnosis);
        let written =
            diagnosis.filter_map(|block| Some((block.script.clone(), block.expect.clone()?)));
        confirm.into_iter().chain(written).collect()
    }

    fn note(&mut self, look: &Look) {
        let pages = look.pages().into_iter();
        self.unexpected.extend(pages.filter(|page| !self.expected.contains(page)));
    }

    /// Seconds until it was seen pending or more, and firing.
    async fn until_firing(&mut self, stage: &Stage, broken: Instant) -> anyhow::Result<(f64, f64)> {
        let mut pending = None;
        while broken.elapsed() < self.patience {
            let look = Look::take(stage).await?;
            self.note(&look);
            let state = look.state(&self.rule.name);
            let now = broken.elapsed().as_secs_f64();
            if state >= State::Pending {
                pending.get_or_insert(now);
            } else {
                pending = None;
            }
            if let (State::Firing, Some(pending)) = (state, pending) {
                return Ok((pending, now));
            }
            tokio::time::sleep(PAUSE).await;
        }
        bail!("it does not fire within {:?}", self.patience)
    }

    /// Seconds until the notification, or in whose favour it is kept back.
    async fn until_told(
        &mut self,
        stage: &Stage,
        broken: Instant,
    ) -> anyhow::Result<(Option<f64>, Option<String>)> {
        let begin = Instant::now();
        while begin.elapsed() < SHOWN {
            let told = stage.receiver.notifications();
            let of_it = |told: &&Notification| told.says(&self.rule.name, "firing");
            let told = told.iter().find(|told| told.at > broken && of_it(told));
            if let Some(told) = told {
                self.told_well(told)?;
                return Ok((Some((told.at - broken).as_secs_f64()), None));
            }
            if let Some(by) = inhibited_by(stage, &self.rule.name).await? {
                return Ok((None, Some(by)));
            }
            let look = Look::take(stage).await?;
            self.note(&look);
            tokio::time::sleep(PAUSE).await;
        }
        bail!("nobody is told within {SHOWN:?}")
    }

    fn told_well(&self, told: &Notification) -> anyhow::Result<()> {
        let (name, severity) = (&self.rule.name, self.rule.severity);
        let path = match severity {
            Severity::Critical => "/pages",
            Severity::Warning => "/tickets",
            Severity::Info => "/notes",
        };
        ensure!(told.path == path, "it was sent to {}, not {path}", told.path);
        let (labels, notes) = (&told.alert["labels"], &told.alert["annotations"]);
        for (found, expect) in [
            (&labels["severity"], severity.as_str()),
            (&labels["product"], "stateset-sequencer"),
            (&notes["summary"], self.rule.summary),
            (&notes["runbook_url"], &format!("{RUNBOOKS_URL}/{name}")),
        ] {
            ensure!(found == expect, "the notification says {found}, not {expect}");
        }
        let described = notes["description"].as_str().unwrap_or_default();
        let whole = !described.is_empty() && !described.contains("<no value>");
        ensure!(whole && !described.contains("error"), "description: {described}");
        Ok(())
    }

    /// Each look shows the fault.
    async fn diagnosed(&mut self, stage: &Stage) -> anyhow::Result<()> {
        for (script, expect) in self.looks() {
            let begin = Instant::now();
            loop {
                let output = shell::run(&script, &stage.variables(), true).await?;
                if expect.is_match(&output.text) {
                    break;
                }
                let text = &output.text;
                ensure!(begin.elapsed() < SHOWN, "`{expect}` does not show:\n{script}\n{text}");
                self.note(&Look::take(stage).await?);
                tokio::time::sleep(PAUSE).await;
            }
        }
        Ok(())
    }

    /// What the page says, pasted.
    async fn mitigated(&self, stage: &Stage) -> anyhow::Result<()> {
        let blocks = self.blocks.iter().filter(|block| block.kind == Kind::Mitigation);
        let scripts: Vec<&str> = blocks.map(|block| block.script.as_str()).collect();
        ensure!(!scripts.is_empty(), "the page has no mitigation that can be pasted");
        for script in scripts {
            let output = shell::run(script, &stage.variables(), false).await?;
            ensure!(
                output.code == Some(0),
                "it fails ({:?}):\n{script}\n{}",
                output.code,
                output.text
            );
        }
        Ok(())
    }

    async fn until_over(&mut self, stage: &Stage) -> anyhow::Result<()> {
        let begin = Instant::now();
        // Over is what stays over for two looks of Prometheus.
        let mut quiet = 0;
        while quiet < 8 {
            ensure!(begin.elapsed() < self.patience, "it does not end within {:?}", self.patience);
            let look = Look::take(stage).await?;
            self.note(&look);
            let over = look.state(&self.rule.name) == State::Inactive;
            quiet = if over { quiet + 1 } else { 0 };
            tokio::time::sleep(PAUSE).await;
        }
        Ok(())
    }
}

fn tenths(seconds: f64) -> f64 {
    (seconds * 10.0).round() / 10.0
}

/// All targets are scraped, events flow, nobody pages.
pub(super) async fn wait_until_healthy(stage: &Stage) -> anyhow::Result<()> {
    let begin = Instant::now();
    let targets = stage.ports.len() + 1;
    let up = format!("sum(up{{job=~\"stateset-sequencer|stateset-sidecar\"}}) == {targets}");
    let flows = "sum(stateset_sequencer_events_ingested_total) > 50";
    let canary = "stateset_sidecar_canary_success == 1";
    for query in [up.as_str(), flows, canary] {
        loop {
            if holds(stage, query).await.unwrap_or(false) {
                break;
            }
            ensure!(begin.elapsed() < START, "`{query}` does not hold within {START:?}");
            tokio::time::sleep(PAUSE).await;
        }
    }
    // What began before everything was there is no trouble.
    while !Look::take(stage).await?.pages().is_empty() {
        ensure!(begin.elapsed() < START, "it pages from the start");
        tokio::time::sleep(PAUSE).await;
    }
    Ok(())
}

/// Whether a condition has a result in Prometheus.
pub(super) async fn holds(stage: &Stage, query: &str) -> anyhow::Result<bool> {
    let mut url: reqwest::Url = format!("{}/api/v1/query", stage.prometheus.url()).parse()?;
    url.query_pairs_mut().append_pair("query", query);
    let answer: Value = stage.http.get(url).send().await?.json().await?;
    Ok(answer["data"]["result"].as_array().is_some_and(|result| !result.is_empty()))
}
