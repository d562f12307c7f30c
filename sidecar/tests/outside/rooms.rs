//! The two rooms in this process, so that a test can read their views.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::Parser;
use sidecar::app::App;
use sidecar::canary::{CanaryView, Round};
use sidecar::config::Config;
use sidecar::store::{PostgresFigures, SqliteFigures, StoreView};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::stack::{SIDECAR_KEY, Sequencer};

/// Longest wait for anything.
pub(crate) const LIMIT: Duration = Duration::from_secs(30);

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    config: Config,
}

/// A running room; it ends when dropped.
pub(crate) struct Rooms {
    app: Arc<App>,
    stop: DropGuard,
}

impl Rooms {
    /// Starts the look at a store, every 50 ms.
    pub(crate) async fn store(folder: &Path, database_url: &str) -> Self {
        let url = format!("--database-url={database_url}");
        let rooms = Self::build(folder, &[&url, "--system-interval-secs=0.05"]).await;
        let (app, stop) = (Arc::clone(&rooms.app), rooms.stop.token().clone());
        tokio::spawn(async move { app.store.run(stop).await });
        rooms
    }

    /// Starts the canary against a sequencer, every 100 ms.
    pub(crate) async fn canary(folder: &Path, sequencer: &Sequencer, flags: &[&str]) -> Self {
        Self::canary_over(folder, &sequencer.url, flags).await
    }

    /// The same against whatever is at a URL.
    pub(crate) async fn canary_over(folder: &Path, url: &str, flags: &[&str]) -> Self {
        let url = format!("--sequencer-url={url}");
        let key = format!("--sequencer-api-key={SIDECAR_KEY}");
        let defaults = [url.as_str(), &key, "--canary-slot=7", "--canary-interval-secs=0.1"];
        let name = |flag: &str| flag.split_once('=').map(|(name, _)| name.to_owned());
        let given = |default: &&str| flags.iter().any(|flag| name(flag) == name(default));
        let mut all: Vec<&str> = defaults.into_iter().filter(|flag| !given(flag)).collect();
        all.extend(flags);
        Self::walking(folder, &all).await
    }

    /// The same without a key.
    pub(crate) async fn canary_without_key(folder: &Path, url: &str) -> Self {
        Self::walking(folder, &[&format!("--sequencer-url={url}")]).await
    }

    async fn walking(folder: &Path, flags: &[&str]) -> Self {
        let rooms = Self::build(folder, flags).await;
        let (app, stop) = (Arc::clone(&rooms.app), rooms.stop.token().clone());
        tokio::spawn(async move { app.canary.run(stop).await });
        rooms
    }

    async fn build(folder: &Path, flags: &[&str]) -> Self {
        let state = format!("--sidecar-state-dir={}", folder.join("sidecar").display());
        let arguments = ["sidecar", &state].into_iter().chain(flags.iter().copied());
        let config = Cli::parse_from(arguments).config;
        let app = Arc::new(App::build(config).await.unwrap());
        Self { app, stop: CancellationToken::new().drop_guard() }
    }

    pub(crate) fn scrape(&self) -> String {
        self.app.core.metrics.encode()
    }

    /// The store's view now.
    pub(crate) fn store_view(&self) -> StoreView {
        self.app.store.view()
    }

    /// The canary's view now.
    pub(crate) fn canary_view(&self) -> CanaryView {
        self.app.canary.view()
    }

    /// Waits for a view of the store.
    pub(crate) async fn store_when(&self, wanted: impl Fn(&StoreView) -> bool) -> StoreView {
        let started = Instant::now();
        loop {
            let view = self.store_view();
            if wanted(&view) {
                return view;
            }
            assert!(started.elapsed() < LIMIT, "{view:#?}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Waits until the store cannot be looked at for a reason with these words.
    pub(crate) async fn store_fails(&self, words: &[&str]) -> StoreView {
        let says = |view: &StoreView| words.iter().all(|word| view.reason.contains(word));
        self.store_when(|view| view.reachable == Some(false) && says(view)).await
    }

    /// Waits for a look that begins after this call, and is complete.
    pub(crate) async fn next_look(&self) -> StoreView {
        let before = self.store_view().last_look;
        let first = self.store_when(|view| view.last_look != before).await;
        self.store_when(|view| view.last_look != first.last_look).await
    }

    /// The figures of the next look at an embedded store.
    pub(crate) async fn sqlite(&self) -> SqliteFigures {
        match self.next_look().await.figures {
            Some(sidecar::store::Figures::Sqlite(figures)) => figures,
            other => panic!("{other:?}"),
        }
    }

    /// The figures of the next look at a server, and what could not be told.
    pub(crate) async fn postgres(&self) -> (PostgresFigures, Vec<String>) {
        let view = self.next_look().await;
        match view.figures {
            Some(sidecar::store::Figures::Postgres(figures)) => (figures, view.notes),
            other => panic!("{other:?}"),
        }
    }

    /// Waits for a good round that begins after this call.
    pub(crate) async fn good_round(&self) -> Round {
        let begin = sidecar::clock::now();
        self.round(|round| round.ok && round.started_at > begin).await
    }

    /// Waits for a round that ends after this call, and fails at a step for a reason with these
    /// words.
    pub(crate) async fn failed_round(&self, step: &str, words: &[&str]) -> Round {
        let begin = sidecar::clock::now();
        self.round(|round| {
            let at = round.steps.last().is_some_and(|run| !run.ok && run.step.as_str() == step);
            let reason = round.reason.as_deref().unwrap_or_default();
            ended(round) > begin.as_micros() && at && words.iter().all(|word| reason.contains(word))
        })
        .await
    }

    /// Waits for a round.
    pub(crate) async fn round(&self, wanted: impl Fn(&Round) -> bool) -> Round {
        let started = Instant::now();
        loop {
            let view = self.canary_view();
            if let Some(found) = view.rounds.iter().find(|round| wanted(round)) {
                return found.clone();
            }
            let last: Vec<_> =
                view.rounds.iter().rev().take(3).map(|round| &round.reason).collect();
            assert!(started.elapsed() < LIMIT, "{} rounds, last {last:?}", view.rounds.len());
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

/// When a round ended, microseconds since 1970.
pub(crate) fn ended(round: &Round) -> i64 {
    let lasted = Duration::from_secs_f64(round.duration_seconds).as_micros();
    round.started_at.as_micros() + i64::try_from(lasted).unwrap()
}
