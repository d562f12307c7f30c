//! `loadgen run`.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, ensure};
use clap::Args;

use super::{TargetArgs, complain, say};
use crate::annotate::Grafana;
use crate::environment::Key;
use crate::interrupt::Interrupt;
use crate::profile::{BUILT_IN, Overrides, Profile, duration};
use crate::record::{Record, Verdict};
use crate::session::{self, Session};
use crate::threshold;
use crate::view::View;

/// The profile that may be run against anything without being asked twice.
const HARMLESS: &str = "smoke";

/// Arguments of `loadgen run`.
#[derive(Args, Clone, Debug)]
pub(super) struct RunArgs {
    /// A profile of `loadgen list`, a file that ends in .toml, or `all` built-in ones in a row.
    profile: String,
    #[command(flatten)]
    target: TargetArgs,
    /// Folder for run.json, ledger.ndjson and the reports.
    #[arg(long, value_name = "DIR")]
    out: Option<PathBuf>,
    /// Users, in place of the profile's.
    #[arg(long, value_name = "N")]
    users: Option<usize>,
    /// Time at full load.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    duration: Option<Duration>,
    /// Events or requests a second, as the profile counts them; makes a closed profile an open one.
    #[arg(long, value_name = "N")]
    rate: Option<f64>,
    /// Time in which users or rate rise.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    ramp: Option<Duration>,
    /// Time in which they fall.
    #[arg(long, value_name = "TIME", value_parser = duration::parse)]
    ramp_down: Option<Duration>,
    /// A threshold in addition to those of the profile; can be given again.
    #[arg(long, value_name = "EXPRESSION")]
    threshold: Vec<String>,
    /// Repeats the choices of a run: operations, streams, entities, payloads, arrivals.
    #[arg(long, value_name = "N")]
    seed: Option<u64>,
    /// Agents that `loadgen setup` made, in place of new ones.
    #[arg(long, value_name = "FILE")]
    agents: Option<PathBuf>,
    /// Address of this program's own metrics while it runs.
    #[arg(long, default_value = "127.0.0.1", value_name = "IP")]
    metrics_host: IpAddr,
    /// Port of this program's own metrics while it runs; 0 picks a free one.
    #[arg(long, default_value_t = 9092, value_name = "PORT")]
    metrics_port: u16,
    /// A Grafana in which the time of the run is marked; its token comes from GRAFANA_TOKEN.
    #[arg(long, value_name = "URL", env = "GRAFANA_URL")]
    grafana_url: Option<String>,
    /// Run more than smoke against what looks like production.
    #[arg(long)]
    yes_really: bool,
    /// Show nothing while it runs.
    #[arg(long)]
    quiet: bool,
    /// Print the record as JSON, as the last line.
    #[arg(long)]
    json: bool,
}

impl RunArgs {
    /// Runs one profile or all.
    ///
    /// # Errors
    /// When it cannot be run like this.
    pub(super) async fn run(self) -> anyhow::Result<Verdict> {
        if self.profile == "all" {
            return self.all().await;
        }
        let overrides = Overrides {
            users: self.users,
            duration: self.duration,
            rate: self.rate,
            ramp: self.ramp,
            ramp_down: self.ramp_down,
            thresholds: self.threshold.clone(),
        };
        let profile = Profile::find(&self.profile)?.with(&overrides);
        profile.check().with_context(|| format!("the profile {}", profile.name))?;
        let environment = self.target.find()?;
        let is_harmless = profile.name == HARMLESS && profile.overrides.is_empty();
        ensure!(
            is_harmless || self.yes_really || !environment.looks_like_production(),
            "{} looks like production: --yes-really runs {} against it",
            environment.url,
            profile.name
        );
        let key = if profile.needs_events() { Some(environment.key()?) } else { None };
        let grafana = self.grafana_url.clone().map(|url| {
            let token = std::env::var("GRAFANA_TOKEN").ok().filter(|token| !token.is_empty());
            let token = token.context("set GRAFANA_TOKEN, or leave --grafana-url out")?;
            anyhow::Ok(Grafana { url, token: Key::other(token) })
        });
        let grafana = grafana.transpose()?;
        let out = self.folder(&profile.name);
        session::make_folder(&out)?;
        let session = Session {
            thresholds: threshold::parse_all(&profile)?,
            key,
            seed: self.seed.unwrap_or_else(|| u64::from(std::process::id()) ^ unix_micros()),
            out,
            agents: self.agents.clone(),
            metrics: SocketAddr::new(self.metrics_host, self.metrics_port),
            view: View::fitting(self.quiet || self.json),
            grafana,
            profile,
            environment,
        };
        announce(&session);
        let interrupt = Interrupt::listen()?;
        let record = session.run(&interrupt).await?;
        self.tell(&session, &record);
        Ok(record.verdict)
    }

    fn folder(&self, profile: &str) -> PathBuf {
        let seconds = unix_micros() / 1_000_000;
        self.out.clone().unwrap_or_else(|| format!("load/{profile}-{seconds}").into())
    }

    fn tell(&self, session: &Session, record: &Record) {
        record.reasons.iter().for_each(|reason| complain(reason));
        if self.json {
            let text = serde_json::to_string(record).unwrap_or_default();
            return say(&text);
        }
        summary(record).iter().for_each(|line| say(line));
        say(&format!("written to {}", session.out.display()));
    }

    /// Each built-in profile in a process of its own, because goose runs once in a process.
    async fn all(self) -> anyhow::Result<Verdict> {
        let program = std::env::current_exe().context("this program has no path")?;
        let out = self.folder("all");
        let rest: Vec<String> = std::env::args().skip(1).collect();
        let mut worst = Verdict::Pass;
        for (name, _) in BUILT_IN {
            say(&format!("== {name}"));
            let arguments = for_profile(&rest, name, &out.join(name).display().to_string());
            let mut command = std::process::Command::new(&program);
            command.args(arguments);
            let ended = tokio::task::spawn_blocking(move || command.status()).await;
            let status = ended.context("the wait panicked")?.context("it does not start again")?;
            let verdict = verdict_of(status.code());
            worst = if rank(verdict) > rank(worst) { verdict } else { worst };
            if verdict == Verdict::Interrupted {
                break;
            }
        }
        Ok(worst)
    }
}

/// The same arguments for one profile, with a folder of its own.
fn for_profile(arguments: &[String], profile: &str, out: &str) -> Vec<String> {
    let mut new = Vec::new();
    let mut words = arguments.iter();
    while let Some(word) = words.next() {
        if word == "all" {
            new.push(profile.to_owned());
        } else if word == "--out" {
            words.next();
        } else if !word.starts_with("--out=") {
            new.push(word.clone());
        }
    }
    new.extend(["--out".to_owned(), out.to_owned()]);
    new
}

fn verdict_of(code: Option<i32>) -> Verdict {
    match code {
        Some(0) => Verdict::Pass,
        Some(99) => Verdict::ThresholdsFailed,
        Some(104) => Verdict::BadConfiguration,
        Some(105) => Verdict::Interrupted,
        _ => Verdict::Invalid,
    }
}

fn rank(verdict: Verdict) -> u8 {
    match verdict {
        Verdict::Pass => 0,
        Verdict::ThresholdsFailed => 1,
        Verdict::Invalid => 2,
        Verdict::Interrupted => 3,
        Verdict::BadConfiguration => 4,
    }
}

fn unix_micros() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    u64::try_from(since.as_micros()).unwrap_or(0)
}

fn announce(session: &Session) {
    let profile = &session.profile;
    let load = match profile.rate {
        Some(rate) => format!("{rate} {:?}/s", profile.rate_unit).to_lowercase(),
        None => format!("{} users", profile.users),
    };
    say(&format!(
        "{} against {} ({}): {load}, {} in all, seed {}",
        profile.name,
        session.environment.url,
        session.environment.name,
        duration::show(profile.length()),
        session.seed
    ));
}

/// What a person wants to know first.
fn summary(record: &Record) -> Vec<String> {
    let (totals, response) = (&record.totals, &record.latency.response);
    let milliseconds = |micros: u64| format!("{:.1} ms", micros as f64 / 1e3);
    let mut lines = vec![format!("verdict    {}", record.verdict.words())];
    if record.timeline.is_empty() {
        return lines;
    }
    lines.extend([
        format!(
            "requests   {} answered of {} offered, {:.1}/s; events {}, {:.1}/s",
            totals.answered_requests,
            totals.offered_requests,
            totals.requests_per_second,
            totals.events,
            totals.events_per_second
        ),
        format!(
            "response   p50 {}  p95 {}  p99 {}  p99.9 {}",
            milliseconds(response.p50_us),
            milliseconds(response.p95_us),
            milliseconds(response.p99_us),
            milliseconds(response.p999_us)
        ),
        format!(
            "generator  late by {} (p99), {:.0} % of its cores",
            milliseconds(record.generator.lateness.p99_us),
            record.generator.cpu_ratio * 100.0
        ),
    ]);
    for error in &record.errors {
        lines.push(format!("error      {} x {}: {}", error.count, error.class, error.example));
    }
    for threshold in &record.thresholds {
        let verdict = format!("{:?}", threshold.verdict).to_lowercase();
        let (expression, measured) = (&threshold.expression, &threshold.measured_text);
        lines.push(format!("threshold  {verdict}  {expression}: {measured}"));
    }
    if let Some(ledger) = &record.ledger {
        let (good, all) = (ledger.verified, ledger.acknowledged);
        lines.push(format!("ledger     {good} of {all} acknowledged events verified"));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_runs_each_profile_with_the_same_arguments() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for text in ["run all --out x --users 3", "run all --users 3 --out=x"] {
            let arguments = for_profile(&words(text), "smoke", "x/smoke");
            assert_eq!(arguments, words("run smoke --users 3 --out x/smoke"));
        }
        for verdict in [Verdict::Pass, Verdict::Invalid, Verdict::Interrupted] {
            assert_eq!(verdict_of(Some(verdict.exit_code().into())), verdict);
        }
        assert!(rank(Verdict::BadConfiguration) > rank(Verdict::Invalid));
        assert!(rank(Verdict::Invalid) > rank(Verdict::ThresholdsFailed));
        assert_eq!(verdict_of(None), Verdict::Invalid);
    }
}
