//! Follows every stream to its head.
//!
//! A round reads all heads, then works through what is new, a page of a stream at a time, until the
//! next round is due. What cannot be had now is asked for again; nothing is skipped but numbers
//! that the sequencer itself cannot show, and those are violations.

mod heads;
mod steps;

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ves::{Stream, Timestamp};

use super::memory::Remembered;
use super::reading::{MAX_PAGE, Stopped};
use super::status::{Place, Until};
use super::verify::Followed;
use super::{Common, LONGEST_ROUND, forgot};
use crate::clock;

/// Streams that are held ready; the others are read from the memory when they have news.
const MAX_LOADED: usize = 32;
/// Numbers that are asked for before it is known how large the events are.
const FIRST_PAGE: u32 = 250;
/// Longest time that something verified is not written down.
const WRITE_EVERY: Duration = Duration::from_secs(1);
/// How much the speed that was last reckoned counts.
const SMOOTHING: f64 = 0.3;

/// The loop.
pub(super) struct Tail {
    common: Arc<Common>,
    follows: BTreeMap<Stream, Follow>,
    loaded: HashMap<Stream, Followed>,
    /// After whom it is the next stream's turn.
    turn: Option<Stream>,
    /// Events a second while it works.
    speed: f64,
    /// Events done, and the time that took, since the speed was last reckoned: a round may be too
    /// short, or the witness too slow, for one of them to tell.
    worked: (u64, Duration),
    /// Whether the streams that are remembered were put among those that are followed.
    has_recalled: bool,
    /// Rounds begun.
    rounds: u64,
    /// Numbers of this round that could not be had.
    holes: u32,
}

/// A stream as the list of heads shows it, and how far it is done.
struct Follow {
    head: u64,
    committed: u64,
    /// First number that is not done.
    next: u64,
    /// End of the last commitment that is done.
    committed_done: u64,
    /// Head and end of commitments at which it was compared with what is remembered.
    compared: Option<(u64, u64)>,
    /// Head when it was first seen: what is below is history.
    first_head: u64,
    /// How many numbers to ask for.
    ask: u32,
    /// The number after one that could not be had.
    hole: Option<u64>,
    /// Nothing more can be done until the next round.
    is_blocked: bool,
    /// When nothing was left to do.
    level_at: Option<Timestamp>,
    /// When the last verified event was sequenced.
    last_time: Option<Timestamp>,
    is_listed: bool,
    begun: u64,
}

impl Follow {
    fn new(head: u64, next: u64) -> Self {
        Self {
            head,
            committed: 0,
            next,
            committed_done: 0,
            compared: None,
            first_head: head,
            ask: FIRST_PAGE,
            hole: None,
            is_blocked: false,
            level_at: None,
            last_time: None,
            is_listed: true,
            begun: 0,
        }
    }

    fn is_behind(&self) -> bool {
        self.next <= self.head
    }

    /// Whether it ends before what is remembered.
    fn is_rolled_back(&self) -> bool {
        self.head + 1 < self.next || self.committed < self.committed_done
    }

    fn is_to_be_compared(&self) -> bool {
        self.compared.is_none()
            || (self.is_rolled_back() && self.compared != Some((self.head, self.committed)))
    }

    fn has_news(&self) -> bool {
        let news = self.is_behind() || self.committed > self.committed_done;
        !self.is_blocked && (self.is_to_be_compared() || news)
    }
}

impl Tail {
    pub(super) fn new(common: Arc<Common>) -> Self {
        let (follows, loaded) = (BTreeMap::new(), HashMap::new());
        Self {
            common,
            follows,
            loaded,
            turn: None,
            speed: 0.0,
            worked: (0, Duration::ZERO),
            has_recalled: false,
            rounds: 0,
            holes: 0,
        }
    }

    /// Follows until it is dropped.
    pub(super) async fn run(&mut self) {
        let interval = self.common.core.config.witness_poll_secs.duration();
        loop {
            let due = Instant::now() + interval;
            self.mark_progress();
            let round = self.round(due).await;
            let problem = round.err().map(|error| match &error {
                Stopped::Call(_) | Stopped::Memory(_) => error.to_string(),
                Stopped::Worker(_) => format!("{error}: the sidecar must be restarted"),
            });
            self.tell(problem);
            tokio::time::sleep_until(due.into()).await;
        }
    }

    async fn round(&mut self, due: Instant) -> Result<(), Stopped> {
        (self.rounds, self.holes) = (self.rounds + 1, 0);
        self.common.ledger.refresh().await;
        self.adopt().await?;
        if !self.has_recalled {
            for (stream, next) in self.common.memory.streams().await? {
                self.follows.entry(stream).or_insert_with(|| Follow::new(0, next));
            }
            self.has_recalled = true;
        }
        self.read_heads().await?;
        let common = Arc::clone(&self.common);
        common.keys.lock().await.refresh(&common).await?;
        self.show();
        self.work(due).await?;
        self.write_old().await
    }

    /// Works through what is new, in turns, until it is done or the next round is due.
    async fn work(&mut self, due: Instant) -> Result<(), Stopped> {
        let (started, before) = (Instant::now(), self.done_events());
        let mut worked = Ok(());
        while let Some(stream) = self.next_turn() {
            self.mark_progress();
            if let Err(error) = self.step(stream).await {
                if !self.is_of_stream(&error) {
                    worked = Err(error);
                    break;
                }
                self.block(stream, &error);
            }
            self.show();
            if Instant::now() >= due {
                break;
            }
        }
        self.reckon(self.done_events().saturating_sub(before), started.elapsed());
        worked
    }

    /// A round that did nothing tells nothing; a few events tell more of the network than of speed.
    fn reckon(&mut self, done: u64, took: Duration) {
        if done == 0 {
            return;
        }
        self.worked = (self.worked.0 + done, self.worked.1 + took);
        let (done, took) = self.worked;
        if done >= u64::from(MAX_PAGE) {
            let now = as_f64(done) / took.as_secs_f64();
            let is_first = self.speed == 0.0;
            self.speed += (now - self.speed) * if is_first { 1.0 } else { SMOOTHING };
            self.worked = (0, Duration::ZERO);
        }
    }

    /// A refusal of one stream is no reason to leave the others.
    fn is_of_stream(&self, error: &Stopped) -> bool {
        let Stopped::Call(error) = error else { return false };
        matches!(error.status(), Some(403 | 404 | 500))
    }

    fn block(&mut self, stream: Stream, error: &Stopped) {
        let Stream { tenant_id, store_id } = stream;
        self.tell(Some(format!("stream {tenant_id}/{store_id}: {error}")));
        if let Some(follow) = self.follows.get_mut(&stream) {
            follow.is_blocked = true;
        }
    }

    /// The next stream with news after the one that had its turn.
    fn next_turn(&mut self) -> Option<Stream> {
        use std::ops::Bound::{Excluded, Unbounded};
        let after = self.turn.map_or(Unbounded, Excluded);
        let later = self.follows.range((after, Unbounded));
        let next = later.chain(&self.follows).find(|(_, follow)| follow.has_news());
        self.turn = next.map(|(stream, _)| *stream);
        self.turn
    }

    fn done_events(&self) -> u64 {
        self.common.core.metrics.witness.verified_events.get()
    }

    /// Begins streams again whose new content somebody has acknowledged.
    async fn adopt(&mut self) -> Result<(), Stopped> {
        for stream in self.common.memory.to_adopt().await? {
            self.common.memory.forget(stream).await?;
            self.loaded.remove(&stream);
            if let Some(follow) = self.follows.get_mut(&stream) {
                let begun = follow.begun + 1;
                *follow = Follow { begun, ..Follow::new(follow.head, 1) };
            }
            self.common.status.now().places.remove(&stream);
            self.common.memory.adopted(stream).await?;
            let Stream { tenant_id, store_id } = stream;
            tracing::warn!(
                %tenant_id, %store_id,
                "acknowledged: the stream as it is now is the new baseline, verified from number 1"
            );
        }
        Ok(())
    }

    /// The stream, ready to go on: from what is held, else from what is remembered.
    async fn load(&mut self, stream: Stream) -> Result<&mut Followed, Stopped> {
        if !self.loaded.contains_key(&stream) {
            self.make_room().await?;
            let standing = match self.common.memory.recall(stream).await? {
                Remembered::Standing(standing) => *standing,
                Remembered::Nothing => super::checkpoint::Standing::new(stream),
                Remembered::Refused(reason) => {
                    let detail = format!(
                        "the checkpoint was set aside, because {reason}; the stream is verified \
                         again from number 1"
                    );
                    self.common.ledger.add(forgot(Some(stream), &detail)).await;
                    super::checkpoint::Standing::new(stream)
                }
            };
            self.loaded.insert(stream, Followed::new(standing));
        }
        let followed = self.loaded.get_mut(&stream);
        // Inserted above, and nobody else removes it.
        Ok(followed.expect("it was just put there"))
    }

    async fn make_room(&mut self) -> Result<(), Stopped> {
        while self.loaded.len() >= MAX_LOADED {
            let idle = self.loaded.keys().find(|stream| Some(**stream) != self.turn);
            let Some(stream) = idle.copied() else { return Ok(()) };
            self.write(stream).await?;
            self.loaded.remove(&stream);
        }
        Ok(())
    }

    /// Writes down what has not been for a while.
    async fn write_old(&mut self) -> Result<(), Stopped> {
        let is_old = |followed: &Followed| {
            followed.unwritten_since.is_some_and(|since| since.elapsed() >= WRITE_EVERY)
        };
        let old = self.loaded.iter().filter(|(_, followed)| is_old(followed));
        let old: Vec<Stream> = old.map(|(stream, _)| *stream).collect();
        for stream in old {
            self.write(stream).await?;
        }
        Ok(())
    }

    async fn write(&mut self, stream: Stream) -> Result<(), Stopped> {
        let Some(followed) = self.loaded.get_mut(&stream) else { return Ok(()) };
        if followed.unwritten_since.is_none() {
            return Ok(());
        }
        let memory = &self.common.memory;
        let stored = memory.sign(&followed.standing);
        let written = memory.save(&stored, &followed.marks, followed.thinned).await;
        let problem = written.as_ref().err();
        let problem = problem.map(|error| format!("what was verified is not written: {error}"));
        self.common.status.now().memory_problem = problem;
        // Without room on the disk it goes on; what is not written is verified again some day.
        if written.is_ok() {
            followed.marks.clear();
            (followed.thinned, followed.unwritten_since) = (false, None);
        }
        Ok(())
    }

    /// Writes down everything, at the end.
    pub(super) async fn save_all(&mut self) {
        let streams: Vec<Stream> = self.loaded.keys().copied().collect();
        for stream in streams {
            let _ = self.write(stream).await;
        }
    }

    fn mark_progress(&self) {
        self.common.core.progress.mark("witness", LONGEST_ROUND);
    }

    /// Puts a stream where the other loop and the view see it.
    fn place(&self, stream: Stream) {
        let (Some(follow), Some(followed)) = (self.follows.get(&stream), self.loaded.get(&stream))
        else {
            return;
        };
        let standing = &followed.standing;
        let last = standing.auditor.last_commitment();
        let until = Until {
            next: standing.next(),
            trail: standing.trail,
            committed: last.map(|last| (last.sequence_end, last.new_state_root)),
        };
        let mut now = self.common.status.now();
        let audited = now.places.get(&stream).map_or(0, |place| place.audited);
        let place = Place {
            head: follow.head,
            committed: follow.committed,
            verified: standing.next() - 1,
            until: Some(until),
            audited,
            begun: follow.begun,
        };
        now.places.insert(stream, place);
    }

    /// Says what keeps it from going on; once, until that changes.
    fn tell(&self, problem: Option<String>) {
        let mut now = self.common.status.now();
        if now.problem == problem {
            return;
        }
        match &problem {
            Some(problem) => tracing::warn!(problem, "the witness cannot follow"),
            None => tracing::info!("the witness follows"),
        }
        now.problem = problem;
    }
}

#[expect(clippy::cast_precision_loss, reason = "figures for people")]
pub(super) fn as_f64(number: u64) -> f64 {
    number as f64
}

/// Seconds from then to now; none before the clock of who wrote it.
fn age_seconds(then: Timestamp) -> f64 {
    let micros = clock::now().as_micros().saturating_sub(then.as_micros()).max(0);
    Duration::from_micros(micros.cast_unsigned()).as_secs_f64()
}
