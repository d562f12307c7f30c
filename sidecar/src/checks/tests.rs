//! What one check cannot do to the others.

use std::sync::atomic::{AtomicU64, Ordering};

use async_trait::async_trait;
use clap::Parser;

use super::*;
use crate::client::Sequencer;
use crate::progress::Progress;

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    config: Config,
}

/// How a probe of these tests behaves.
#[derive(Clone, Copy)]
enum Manner {
    Good,
    Panics,
    Hangs,
    HangsInTheKernel,
}

struct Odd {
    check: Check,
    manner: Manner,
    looks: Arc<AtomicU64>,
    blocking: crate::blocking::Blocking,
}

#[async_trait]
impl Probe for Odd {
    fn check(&self) -> Check {
        self.check
    }

    async fn look(&self) -> Outcome {
        self.looks.fetch_add(1, Ordering::Relaxed);
        match self.manner {
            Manner::Good => Outcome::ok("fine"),
            Manner::Panics => panic!("on purpose"),
            Manner::Hangs => std::future::pending().await,
            Manner::HangsInTheKernel => {
                let hang = || {
                    std::thread::sleep(Duration::from_secs(2));
                    Outcome::ok("late")
                };
                probe::look_blocking(&self.blocking, hang).await
            }
        }
    }
}

fn core() -> Arc<Core> {
    let arguments = ["sidecar", "--check-interval-secs=0.02", "--check-timeout-secs=0.02"];
    let config = Arguments::parse_from(arguments).config;
    let sequencer = Sequencer::new(&config, None).unwrap();
    let metrics = catalog::SidecarMetrics::new("1", "1", 0.0, Check::ALL);
    let progress = Progress::default();
    Arc::new(Core { config, metrics, progress, sequencer, started: Instant::now() })
}

/// Runs these checks until the good one was looked at twenty times.
async fn run(manners: &[(Check, Manner)]) -> (Arc<Core>, Vec<CheckView>, Vec<Change>) {
    let (core, good) = (core(), Arc::new(AtomicU64::new(0)));
    let probe = |(check, manner): &(Check, Manner)| -> Arc<dyn Probe> {
        let is_good = matches!(manner, Manner::Good);
        let looks = if is_good { Arc::clone(&good) } else { Arc::default() };
        Arc::new(Odd { check: *check, manner: *manner, looks, blocking: Default::default() })
    };
    let checks = Arc::new(Checks::of(&core, manners.iter().map(probe).collect()));
    let stop = CancellationToken::new();
    let running = {
        let (checks, stop) = (Arc::clone(&checks), stop.clone());
        tokio::spawn(async move { checks.run(stop).await })
    };
    let began = Instant::now();
    while good.load(Ordering::Relaxed) < 20 {
        assert!(began.elapsed() < Duration::from_secs(20), "the good check is delayed");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(core.progress.stuck(), [], "every loop comes round");
    let view = checks.view();
    stop.cancel();
    running.await.unwrap();
    (core, view, checks.history())
}

#[tokio::test]
async fn a_check_that_panics_or_hangs_fails_in_words_and_delays_no_other() {
    let (_, view, history) = run(&[
        (Check::Disk, Manner::Panics),
        (Check::Store, Manner::Hangs),
        (Check::DataDirectory, Manner::HangsInTheKernel),
        (Check::SequencerLive, Manner::Good),
    ])
    .await;
    for (check, status, words) in [
        ("disk", Status::Fail, "bug of the sidecar"),
        ("store", Status::Fail, "no result within"),
        ("data_directory", Status::Fail, "the disk hangs"),
        ("sequencer_live", Status::Ok, "fine"),
    ] {
        let view = view.iter().find(|view| view.name == check).unwrap();
        assert_eq!(view.status, status, "{view:?}");
        assert!(view.reason.contains(words), "{view:?}");
        assert!(history.iter().any(|change| change.check == check && change.to == status));
    }
}

#[tokio::test]
async fn a_loop_that_has_ended_is_stuck_and_its_result_says_nothing_any_more() {
    let (core, view, _) = run(&[(Check::SequencerLive, Manner::Good)]).await;
    assert_eq!(view[0].status, Status::Ok);
    let began = Instant::now();
    while core.progress.stuck().is_empty() {
        assert!(began.elapsed() < Duration::from_secs(5));
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    assert_eq!(core.progress.stuck()[0].name, "check sequencer_live");
    let mut state = State::new(Check::Disk, crate::clock::now());
    state.take(Outcome::ok("fine"), crate::clock::now(), Duration::ZERO);
    assert_eq!(CheckView::of(&state, Duration::from_secs(60)).status, Status::Ok);
    std::thread::sleep(Duration::from_millis(2));
    let old = CheckView::of(&state, Duration::from_millis(1));
    assert_eq!(old.status, Status::Unknown);
    assert!(old.reason.contains("the last: fine"), "{}", old.reason);
}
