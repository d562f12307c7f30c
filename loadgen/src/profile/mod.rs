//! Profiles: what load to produce and what must hold. Compiled in, and read from files.

pub mod duration;
mod serde_duration;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use serde::Deserialize;

use crate::record;
use crate::scenario::Kind;
use crate::threshold;

/// The profiles of the product, by name, in the order in which `list` shows them.
pub const BUILT_IN: &[(&str, &str)] = &[
    ("smoke", include_str!("../../profiles/smoke.toml")),
    ("basic", include_str!("../../profiles/basic.toml")),
    ("ingest", include_str!("../../profiles/ingest.toml")),
    ("acceptance", include_str!("../../profiles/acceptance.toml")),
    ("spike", include_str!("../../profiles/spike.toml")),
    ("peak", include_str!("../../profiles/peak.toml")),
    ("sustained", include_str!("../../profiles/sustained.toml")),
    ("soak", include_str!("../../profiles/soak.toml")),
];

/// Most users: each is a task with a connection of its own.
const MAX_USERS: usize = 10_000;
/// Highest rate that is taken for a wish and not for a typing error.
const MAX_RATE: f64 = 10_000_000.0;
/// Most events in one request; a sequencer takes no more by default.
const MAX_BATCH: usize = 1000;

/// What to run.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// Closed: users at once. Open: those who keep the schedule.
    pub users: usize,
    /// Events or requests a second; absent in a closed profile.
    #[serde(default)]
    pub rate: Option<f64>,
    /// What the rate counts.
    #[serde(default)]
    pub rate_unit: RateUnit,
    /// When requests of an open profile start.
    #[serde(default)]
    pub arrivals: Arrivals,
    /// Time in which users or rate rise.
    #[serde(default, with = "serde_duration")]
    pub ramp: Duration,
    /// Time at full load.
    #[serde(with = "serde_duration")]
    pub hold: Duration,
    /// Time in which they fall.
    #[serde(default, with = "serde_duration")]
    pub ramp_down: Duration,
    /// Closed: what a user waits between an answer and its next request.
    #[serde(default, with = "serde_duration")]
    pub pause: Duration,
    /// Open: most requests at once; beyond it the schedule waits, and the run is late.
    #[serde(default = "default_in_flight")]
    pub max_in_flight: usize,
    /// Scenarios and their weights.
    pub scenarios: BTreeMap<Kind, usize>,
    /// What is posted.
    #[serde(default)]
    pub events: Events,
    /// What must hold.
    #[serde(default)]
    pub thresholds: Vec<Wanted>,
    /// What the command line replaced.
    #[serde(skip)]
    pub overrides: BTreeMap<String, String>,
}

/// What a rate counts.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum RateUnit {
    /// Requests a second.
    #[default]
    Requests,
    /// Events a second; only where every request posts events.
    Events,
}

/// When the requests of an open profile start.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq)]
#[serde(rename_all = "snake_case")]
pub enum Arrivals {
    /// Evenly spaced.
    #[default]
    Constant,
    /// Independent of each other.
    Poisson,
}

/// What is posted.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Events {
    /// Events in one request.
    pub batch: usize,
    /// Bytes of a payload, about.
    pub payload_bytes: usize,
    /// Agents that sign.
    pub agents: usize,
    /// Streams that are written.
    pub streams: usize,
    /// Exponent of the Zipf law by which streams are chosen; 0 is even.
    pub stream_skew: f64,
    /// Events that are signed before the clock starts, at most.
    pub sign_ahead: usize,
}

impl Default for Events {
    fn default() -> Self {
        let sign_ahead = 20_000;
        Self { batch: 1, payload_bytes: 256, agents: 4, streams: 4, stream_skew: 0.0, sign_ahead }
    }
}

/// A threshold of a profile: the expression alone, or with what to do when it fails.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged)]
pub enum Wanted {
    /// Judged at the end.
    Plain(String),
    /// Judged every second as well, once this time has passed.
    Abort {
        /// The expression.
        expression: String,
        /// The time.
        #[serde(with = "serde_duration")]
        abort_after: Duration,
    },
}

impl Wanted {
    /// The expression.
    #[must_use]
    pub fn expression(&self) -> &str {
        match self {
            Self::Plain(expression) | Self::Abort { expression, .. } => expression,
        }
    }

    /// When a failure ends the run.
    #[must_use]
    pub fn abort_after(&self) -> Option<Duration> {
        match self {
            Self::Plain(_) => None,
            Self::Abort { abort_after, .. } => Some(*abort_after),
        }
    }
}

/// What the command line replaces.
#[derive(Clone, Debug, Default)]
pub struct Overrides {
    /// Users.
    pub users: Option<usize>,
    /// Time at full load.
    pub duration: Option<Duration>,
    /// Rate; makes a closed profile an open one.
    pub rate: Option<f64>,
    /// Ramp.
    pub ramp: Option<Duration>,
    /// Ramp down.
    pub ramp_down: Option<Duration>,
    /// Thresholds in addition.
    pub thresholds: Vec<String>,
}

impl Profile {
    /// The profile of this name, or in the file of this name when it ends in `.toml`.
    ///
    /// # Errors
    /// When there is none, or it is not a good one.
    pub fn find(name: &str) -> anyhow::Result<Self> {
        if Path::new(name).extension().is_some_and(|extension| extension == "toml") {
            let text = std::fs::read_to_string(name)
                .with_context(|| format!("cannot read the profile {name}"))?;
            return Self::parse(&text).with_context(|| format!("the profile {name}"));
        }
        let Some((_, text)) = BUILT_IN.iter().find(|(built_in, _)| *built_in == name) else {
            let names: Vec<_> = BUILT_IN.iter().map(|(name, _)| *name).collect();
            bail!(
                "there is no profile `{name}`; there are {}, and files that end in .toml",
                names.join(", ")
            );
        };
        Self::parse(text).with_context(|| format!("the profile {name}"))
    }

    fn parse(text: &str) -> anyhow::Result<Self> {
        toml::from_str(text).map_err(|error| anyhow::anyhow!("{}", error.to_string().trim_end()))
    }

    /// The same with these settings.
    #[must_use]
    pub fn with(mut self, overrides: &Overrides) -> Self {
        let mut said = BTreeMap::new();
        let mut say = |name: &str, value: String| drop(said.insert(name.to_owned(), value));
        if let Some(users) = overrides.users {
            say("users", users.to_string());
            self.users = users;
        }
        if let Some(rate) = overrides.rate {
            say("rate", rate.to_string());
            self.rate = Some(rate);
        }
        for (name, value, place) in [
            ("hold", overrides.duration, &mut self.hold),
            ("ramp", overrides.ramp, &mut self.ramp),
            ("ramp_down", overrides.ramp_down, &mut self.ramp_down),
        ] {
            if let Some(value) = value {
                say(name, duration::show(value));
                *place = value;
            }
        }
        for threshold in &overrides.thresholds {
            say("threshold", threshold.clone());
            self.thresholds.push(Wanted::Plain(threshold.clone()));
        }
        self.overrides = said;
        self
    }

    /// Refuses what cannot be run, with a sentence for who wrote it.
    ///
    /// # Errors
    /// The first thing that is wrong.
    pub fn check(&self) -> anyhow::Result<()> {
        ensure!((1..=MAX_USERS).contains(&self.users), "users must be 1 to {MAX_USERS}");
        let weights = self.scenarios.values().sum::<usize>();
        ensure!(weights > 0, "the profile has no scenario with a weight");
        ensure!(
            self.users >= self.active().count(),
            "each scenario needs a user: raise users to {}",
            self.active().count()
        );
        if let Some(rate) = self.rate {
            ensure!(rate > 0.0 && rate <= MAX_RATE, "rate must be above 0, at most {MAX_RATE}");
        }
        let only_ingest = self.active().all(|(kind, _)| *kind == Kind::Ingest);
        ensure!(
            self.rate.is_none() || self.rate_unit == RateUnit::Requests || only_ingest,
            "rate_unit = \"events\" needs scenarios that only ingest"
        );
        ensure!(!self.hold.is_zero(), "hold must not be 0");
        ensure!(self.max_in_flight > 0, "max_in_flight must not be 0");
        let events = &self.events;
        ensure!((1..=MAX_BATCH).contains(&events.batch), "events.batch must be 1 to {MAX_BATCH}");
        ensure!(events.payload_bytes <= 1 << 20, "events.payload_bytes must be at most 1 MiB");
        ensure!((1..=1000).contains(&events.agents), "events.agents must be 1 to 1000");
        ensure!((1..=10_000).contains(&events.streams), "events.streams must be 1 to 10000");
        let skew = events.stream_skew;
        ensure!((0.0..=5.0).contains(&skew), "events.stream_skew must be 0 to 5");
        threshold::parse_all(self)?;
        Ok(())
    }

    /// Scenarios with a weight.
    pub fn active(&self) -> impl Iterator<Item = (&Kind, &usize)> {
        self.scenarios.iter().filter(|(_, weight)| **weight > 0)
    }

    /// Whether any scenario posts events or needs some in the log.
    #[must_use]
    pub fn needs_events(&self) -> bool {
        self.active().any(|(kind, _)| !matches!(kind, Kind::Health | Kind::Basic))
    }

    /// From the first request to the end of the schedule.
    #[must_use]
    pub fn length(&self) -> Duration {
        self.ramp + self.hold + self.ramp_down
    }

    /// Requests a second at full load; none in a closed profile.
    #[must_use]
    pub fn request_rate(&self) -> Option<f64> {
        let per_request = match self.rate_unit {
            RateUnit::Requests => 1.0,
            RateUnit::Events => self.events.batch as f64,
        };
        self.rate.map(|rate| rate / per_request)
    }

    /// For the record.
    #[must_use]
    pub fn to_record(&self) -> record::Profile {
        record::Profile {
            name: self.name.clone(),
            description: self.description.clone(),
            model: if self.rate.is_some() { record::Model::Open } else { record::Model::Closed },
            users: self.users as u64,
            rate_per_second: self.rate,
            is_poisson: self.rate.is_some() && self.arrivals == Arrivals::Poisson,
            ramp_seconds: self.ramp.as_secs_f64(),
            hold_seconds: self.hold.as_secs_f64(),
            ramp_down_seconds: self.ramp_down.as_secs_f64(),
            scenarios: self
                .active()
                .map(|(kind, w)| (kind.as_str().to_owned(), *w as u64))
                .collect(),
            batch_events: self.events.batch as u64,
            payload_bytes: self.events.payload_bytes as u64,
            agents: self.events.agents as u64,
            streams: self.events.streams as u64,
            stream_skew: self.events.stream_skew,
            thresholds: self.thresholds.iter().map(|t| t.expression().to_owned()).collect(),
            overrides: self.overrides.clone(),
        }
    }
}

fn default_in_flight() -> usize {
    2000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_built_in_profile_is_good_and_named_as_its_file() {
        for (name, _) in BUILT_IN {
            let profile = Profile::find(name).unwrap();
            assert_eq!(profile.name, *name);
            profile.check().unwrap();
            assert!(!profile.thresholds.is_empty() && !profile.description.is_empty(), "{name}");
        }
        assert!(Profile::find("none").unwrap_err().to_string().contains("acceptance"));
    }

    #[test]
    fn what_cannot_be_run_is_refused_with_a_reason() {
        let base = "name = \"x\"\nusers = 2\nhold = \"1s\"\n";
        for (text, expect) in [
            ("[scenarios]\ningest = 0\n", "no scenario with a weight"),
            ("rate = 0\n[scenarios]\ningest = 1\n", "rate must be above 0"),
            ("rate = 5\nrate_unit = \"events\"\n[scenarios]\nqueries = 1\n", "only ingest"),
            ("[scenarios]\nbasic = 1\ningest = 1\nqueries = 1\n", "raise users to 3"),
            ("thresholds = [\"nothing.p95 < 1s\"]\n[scenarios]\ningest = 1\n", "nothing.p95"),
            ("[scenarios]\ningest = 1\n[events]\nbatch = 1001\n", "events.batch"),
        ] {
            let profile = Profile::parse(&format!("{base}{text}")).unwrap();
            let error = format!("{:#}", profile.check().unwrap_err());
            assert!(error.contains(expect), "{expect}: {error}");
        }
        for text in ["speed = 1\n[scenarios]\ningest = 1\n", "[scenarios]\nflight = 1\n"] {
            assert!(Profile::parse(&format!("{base}{text}")).is_err(), "{text}");
        }
    }

    #[test]
    fn overrides_replace_and_are_remembered() {
        let overrides = Overrides {
            users: Some(7),
            duration: Some(Duration::from_secs(90)),
            rate: Some(10.0),
            ..Overrides::default()
        };
        let profile = Profile::find("basic").unwrap().with(&overrides);
        assert_eq!((profile.users, profile.hold.as_secs()), (7, 90));
        assert_eq!(profile.overrides["hold"], "1m30s");
        assert_eq!(profile.to_record().model, record::Model::Open);
    }
}
