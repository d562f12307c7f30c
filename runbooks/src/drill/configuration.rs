//! What Prometheus and Alertmanager are told: the generated examples, in fast motion.

use std::collections::BTreeMap;
use std::path::Path;

use alerts::overrides::{Change, Number, Overrides, RuleSet};
use alerts::render;
use alerts::scale::Scale;
use anyhow::Context as _;
use testbed::alertmanager::Alertmanager;

use super::setting::Setting;

/// Targets of the generated example, by job.
const JOBS: [&str; 2] = ["127.0.0.1:8081", "127.0.0.1:9091"];

/// The rules in fast motion, the burn rates in their own.
pub(super) fn write_rules(setting: &Setting, folder: &Path) -> anyhow::Result<()> {
    let floor = setting.throughput_floor.map(|floor| {
        let change = Change {
            enabled: Some(true),
            threshold: Some(Number::Plain(floor)),
            ..Change::default()
        };
        ("SequencerLowThroughput".to_owned(), change)
    });
    let alerts: BTreeMap<String, Change> = floor.into_iter().collect();
    let set = RuleSet::new(&Overrides { alerts, ..Overrides::default() })?;
    let scale = |times| Scale::new(times).context("a scale is 1 to 1000");
    for (name, text) in render::files(&set, scale(setting.scale)?)? {
        std::fs::write(folder.join(name), text)?;
    }
    for (name, text) in render::files(&set, scale(setting.slo_scale)?)? {
        if name.contains("-slo.") {
            std::fs::write(folder.join(name), text)?;
        }
    }
    Ok(())
}

/// The generated example, with its waits in fast motion.
pub(super) fn start_alertmanager(
    setting: &Setting,
    folder: &Path,
    receiver: u16,
) -> anyhow::Result<Alertmanager> {
    let example = std::fs::read_to_string(folder.join("rules/alertmanager.example.yaml"))?;
    let mut config = example.replace(":9099/", &format!(":{receiver}/"));
    if setting.scale > 1 {
        for (slow, quick) in [
            ("group_interval: 1m", "group_interval: 2s"),
            ("group_wait: 10s", "group_wait: 1s"),
            ("repeat_interval: 1m", "repeat_interval: 2s"),
        ] {
            config = config.replace(slow, quick);
        }
    }
    Ok(Alertmanager::start(&config, &folder.join("alertmanager")))
}

/// The generated example, told where everything is; one job may be scraped elsewhere.
pub(super) fn scrape_config(
    setting: &Setting,
    folder: &Path,
    alertmanager: &Alertmanager,
    ports: &[(u16, u16)],
    sidecar: u16,
    elsewhere: Option<usize>,
) -> anyhow::Result<String> {
    let rules = folder.join("rules");
    let mut config = std::fs::read_to_string(rules.join("prometheus.example.yaml"))?;
    if setting.scale > 1 {
        config = config.replace("15s", &format!("{}s", setting.scrape_seconds));
    }
    config = config.replace("127.0.0.1:9093", &format!("127.0.0.1:{}", alertmanager.port()));
    let sequencers = ports.iter().map(|ports| ports.1).collect();
    for (place, (default, real)) in JOBS.into_iter().zip([sequencers, vec![sidecar]]).enumerate() {
        let line = config.lines().find(|line| line.ends_with(default));
        let line = line.context("the example has another form")?.to_owned();
        let targets: Vec<String> = match elsewhere {
            Some(job) if job == place => vec![line.replace(default, "ADDRESS")],
            _ => real.iter().map(|p| line.replace(default, &format!("127.0.0.1:{p}"))).collect(),
        };
        config = config.replace(&line, &targets.join("\n"));
    }
    Ok(config.replace("*.rules.yaml", &format!("{}/*.rules.yaml", rules.display())))
}
