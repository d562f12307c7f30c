//! The life of one run: look, prepare, load, read back, judge, write down.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::{Duration, Instant, SystemTime};

use anyhow::Context as _;
use catalog::LoadgenMetrics;
use catalog::label::LoadStage;
use tokio_util::sync::CancellationToken;

use crate::annotate::Grafana;
use crate::caller::Caller;
use crate::cast::Cast;
use crate::commands::{complain, say};
use crate::engine::Engine;
use crate::engine::conductor::{Conductor, Seen, Stop};
use crate::environment::{Environment, Key};
use crate::interrupt::Interrupt;
use crate::known::Known;
use crate::ledger::{Ledger, Writer, verify};
use crate::outcome::Outcome;
use crate::preflight::{self, Refusal, Target};
use crate::profile::Profile;
use crate::record::{LedgerSummary, Record, Verdict};
use crate::recorder::Recorder;
use crate::report;
use crate::run::Run;
use crate::scenario::Kind;
use crate::serve::serve;
use crate::signer::Signer;
use crate::threshold::Threshold;
use crate::view::View;
use crate::watch::{Watched, watch};

/// The file of acknowledged events.
pub const LEDGER_FILE: &str = "ledger.ndjson";
/// Time for ending the keys of a run.
const REVOKE_LIMIT: Duration = Duration::from_secs(3);
/// Time for reading back from a target that gave no answer any more.
const SILENT_LIMIT: Duration = Duration::from_secs(5);
/// Time for reading back otherwise: an hour's worth of events.
const READ_LIMIT: Duration = Duration::from_secs(3600);
/// How often the generator measures its own delay in a closed profile.
const PROBE_EVERY: Duration = Duration::from_millis(10);

/// Everything that a run is told.
pub struct Session {
    /// What to do.
    pub profile: Profile,
    /// Its thresholds.
    pub thresholds: Vec<Threshold>,
    /// Where.
    pub environment: Environment,
    /// With which credential; none where none is needed.
    pub key: Option<Key>,
    /// Repeats the run.
    pub seed: u64,
    /// Where to write.
    pub out: PathBuf,
    /// Agents that `loadgen setup` made.
    pub agents: Option<PathBuf>,
    /// Where to serve metrics.
    pub metrics: SocketAddr,
    /// How to show it.
    pub view: View,
    /// Where to mark the time of the run.
    pub grafana: Option<Grafana>,
}

impl Session {
    /// Runs, and gives the record, which is written too.
    ///
    /// # Errors
    /// When nothing could be written, or goose does not work.
    pub async fn run(&self, interrupt: &Interrupt) -> anyhow::Result<Record> {
        let commit = option_env!("GIT_COMMIT").unwrap_or("unknown");
        let metrics = LoadgenMetrics::new(env!("CARGO_PKG_VERSION"), commit);
        let recorder = Arc::new(Recorder::new(metrics));
        let stop = CancellationToken::new();
        let mut notes = Vec::new();
        match serve(self.metrics, Arc::clone(&recorder), stop.clone()).await {
            Ok(address) => say(&format!("metrics at http://{address}/metrics while it lasts")),
            Err(error) => {
                complain(&format!("its own metrics are not served: {error:#}"));
                notes.push(format!("Its own metrics were not served: {error:#}."));
            }
        }
        let prepared = interrupt.unless(self.prepare(&recorder)).await;
        let outcome = match prepared {
            Some(Ok((engine, target))) => self.load(&engine, target, interrupt, notes).await?,
            Some(Err(refusal)) => Outcome::refused(&refusal, notes),
            None => {
                let (verdict, reason) = (Verdict::Interrupted, "somebody ended it before it began");
                Outcome::refused(&Refusal { verdict, reason: reason.to_owned() }, notes)
            }
        };
        stop.cancel();
        let between = (outcome.started, outcome.ended);
        let mut record = outcome.into_record(self, &recorder);
        if let Some(grafana) = self.grafana.as_ref().filter(|_| !record.timeline.is_empty()) {
            let text = format!("{}: {}", record.profile.name, record.verdict.words());
            if let Err(why) = grafana.mark(between, &record.profile.name, &text).await {
                record.notes.push(format!("The run is not marked in Grafana: {why}."));
            }
        }
        record.write(&self.out.join("run.json"))?;
        report::write(&record, &self.out)?;
        Ok(record)
    }

    /// Everything before the clock starts.
    async fn prepare(&self, recorder: &Arc<Recorder>) -> Result<(Arc<Engine>, Target), Refusal> {
        let failed = |error: anyhow::Error| Refusal::configuration(format!("{error:#}"));
        let caller = Caller::new(&self.environment, self.key.as_ref()).map_err(failed)?;
        let target = preflight::look(&caller, &self.environment, &self.profile).await?;
        let cast = Arc::new(self.cast(&caller).await?);
        let ledger = Writer::create(&self.out.join(LEDGER_FILE), &self.environment.url);
        let run = Arc::new(Run {
            caller,
            recorder: Arc::clone(recorder),
            signer: Arc::new(Signer::new(Arc::clone(&cast), &self.profile.events, self.seed)),
            cast,
            known: Known::default(),
            ledger: ledger.map_err(failed)?,
            seed: self.seed,
            is_over: AtomicBool::new(false),
            hard_stop: CancellationToken::new(),
            in_flight: 0.into(),
        });
        preflight::prefill(&run, &self.profile).await?;
        let engine = Arc::new(Engine::new(run, self.profile.clone()));
        let takes = [Kind::Ingest, Kind::Acceptance];
        if self.profile.active().any(|(kind, _)| takes.contains(kind)) {
            let requests = scheduled_requests(&engine);
            let signer = Arc::clone(&engine.run.signer);
            let signed = tokio::task::spawn_blocking(move || signer.sign_ahead(requests)).await;
            signed.map_err(|_| Refusal::invalid("signing ahead panicked"))?;
        }
        Ok((engine, target))
    }

    async fn cast(&self, caller: &Caller) -> Result<Cast, Refusal> {
        let events = &self.profile.events;
        if let Some(file) = &self.agents {
            return Cast::read(file).map_err(|error| Refusal::configuration(format!("{error:#}")));
        }
        if !self.profile.needs_events() {
            let (tenant_id, none) = (uuid::Uuid::nil(), Vec::new());
            return Ok(Cast { tenant_id, agents: none, streams: Vec::new() });
        }
        let (tenant, mut seeds) = (self.environment.tenant_id, Vec::new());
        let registered = Cast::register(caller, tenant, events, &mut seeds).await;
        registered.map_err(|failure| {
            let reason = format!("the target does not take an agent's key ({failure})");
            if failure.is_passing() {
                Refusal::invalid(reason)
            } else {
                Refusal::configuration(format!("{reason}; it takes an administrator's key"))
            }
        })
    }

    /// The load, and what comes after it.
    async fn load(
        &self,
        engine: &Arc<Engine>,
        target: Target,
        interrupt: &Interrupt,
        mut notes: Vec<String>,
    ) -> anyhow::Result<Outcome> {
        let (ended, looked) = (CancellationToken::new(), CancellationToken::new());
        let watching = self
            .environment
            .operations_url
            .clone()
            .map(|url| tokio::spawn(watch(url, Instant::now(), looked.clone())));
        if watching.is_none() {
            notes.push("The target's own metrics are not known: no operations URL.".to_owned());
        }
        let signer = Arc::clone(&engine.run.signer);
        let requests = engine.scheduled().map_or(u64::MAX, |_| scheduled_requests(engine) as u64);
        let stocking =
            self.profile.active().any(|(kind, _)| matches!(kind, Kind::Ingest | Kind::Acceptance));
        let stock = stocking.then(|| signer.keep_stock(requests));
        if !engine.is_open() {
            let recorder = Arc::clone(&engine.run.recorder);
            tokio::spawn(ended.clone().run_until_cancelled_owned(probe(recorder)));
        }
        let started = SystemTime::now();
        let conductor = Conductor::new(engine, &self.profile, &self.thresholds, self.view);
        let leading = async {
            let seen = conductor.lead(|| interrupt.is_asked()).await;
            ended.cancel();
            goose::trigger_killswitch("the run is over");
            seen
        };
        let (driven, seen) =
            tokio::join!(engine.drive(&self.environment.url, ended.clone()), leading);
        goose::reset_killswitch();
        signer.stop();
        if let Some(thread) = stock {
            let _ = tokio::task::spawn_blocking(move || thread.join()).await;
        }
        let mut seen = seen?;
        driven?;
        let ended = SystemTime::now();
        looked.cancel();
        let watched = match watching {
            Some(task) => task.await.unwrap_or_default(),
            None => Watched::default(),
        };
        notes.extend(watched.note.clone());
        let unsent = engine.is_open().then(|| engine.not_taken(seen.load));
        let (ledger, unread) = self.read_back(engine, interrupt, &mut seen).await;
        if self.agents.is_none() {
            let revoking = engine.run.cast.revoke(&engine.run.caller);
            let revoked = tokio::time::timeout(REVOKE_LIMIT, revoking).await.unwrap_or(0);
            let all = engine.run.cast.agents.len();
            if revoked < all {
                notes.push(format!("{} of {all} agent keys were not revoked.", all - revoked));
            }
        }
        let signing = signer.to_record();
        let target = Some(target);
        let outcome = Outcome {
            started,
            ended,
            target,
            seen,
            unsent,
            ledger,
            unread,
            signing,
            watched,
            notes,
        };
        Ok(outcome)
    }

    /// Reads the log back, unless the run was interrupted or posted nothing.
    async fn read_back(
        &self,
        engine: &Arc<Engine>,
        interrupt: &Interrupt,
        seen: &mut Seen,
    ) -> (Option<LedgerSummary>, Option<String>) {
        let run = &engine.run;
        run.recorder.enter(LoadStage::Verify);
        let acknowledged = run.ledger.acknowledged();
        let path = self.out.join(LEDGER_FILE);
        if let Err(error) = run.ledger.close() {
            return (None, Some(format!("{error:#}")));
        }
        if acknowledged == 0 {
            return (None, None);
        }
        let unread = LedgerSummary { acknowledged, ..LedgerSummary::default() };
        if seen.stop.as_ref().is_some_and(|stop| stop.verdict == Verdict::Interrupted) {
            return (Some(unread), None);
        }
        say(&format!("reading {acknowledged} acknowledged events back"));
        let limit = if seen.stop.as_ref().is_some_and(|stop| stop.verdict == Verdict::Invalid) {
            SILENT_LIMIT
        } else {
            READ_LIMIT
        };
        let reading = async {
            let ledger = Ledger::read(&path)?;
            let verified = tokio::time::timeout(limit, verify::verify(&ledger, &run.caller)).await;
            let seconds = limit.as_secs();
            verified.unwrap_or_else(|_| anyhow::bail!("the log was not read back in {seconds} s"))
        };
        match interrupt.unless(reading).await {
            Some(Ok(summary)) => (Some(summary), None),
            Some(Err(error)) => (Some(unread), Some(format!("{error:#}"))),
            None => {
                let reason = "somebody ended it while the log was read back".to_owned();
                seen.stop = Some(Stop { verdict: Verdict::Interrupted, reason, threshold: None });
                (Some(unread), None)
            }
        }
    }
}

/// Requests that the schedules will want, a few more rather than less; of a closed profile, as many
/// as the signer's bound lets it.
fn scheduled_requests(engine: &Engine) -> usize {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a bounded count")]
    engine.scheduled().map_or(usize::MAX, |requests| requests.ceil() as usize + 1)
}

/// Measures how late a timer of this process is: its own delay.
async fn probe(recorder: Arc<Recorder>) {
    loop {
        let due = Instant::now() + PROBE_EVERY;
        tokio::time::sleep_until(due.into()).await;
        recorder.lateness(due.elapsed());
    }
}

/// Makes the folder of a run.
///
/// # Errors
/// When it cannot be made.
pub fn make_folder(path: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(path).with_context(|| format!("cannot make {}", path.display()))
}
