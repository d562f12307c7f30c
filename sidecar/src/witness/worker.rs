//! One thread for all that computes: at a lower priority than anything that serves, and never more
//! than its share of a core.

use std::sync::mpsc::{self, Receiver, Sender};
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use tokio::sync::oneshot;

/// Priority of the thread: below everything of normal priority.
const NICE: i32 = 10;
/// Unused share that is kept, so that waiting for an answer is not lost.
const CREDIT: Duration = Duration::from_secs(1);

type Job = Box<dyn FnOnce() + Send>;

/// The thread.
pub(super) struct Worker {
    jobs: Sender<Job>,
}

/// The thread is gone, which only a panic does.
#[derive(Debug, thiserror::Error)]
#[error("the witness's thread is gone")]
pub(super) struct WorkerGone;

impl Worker {
    /// Starts it with this many cores.
    ///
    /// # Errors
    /// When no thread can be made.
    pub(super) fn start(cores: f64) -> std::io::Result<Self> {
        let (jobs, queue) = mpsc::channel();
        // Not joined: it ends when the queue does, at the latest with the process.
        std::thread::Builder::new()
            .name("witness".to_owned())
            .spawn(move || work(&queue, cores))?;
        Ok(Self { jobs })
    }

    /// Runs this on the thread. Callers wait for each other, so the queue holds one job of each.
    pub(super) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, WorkerGone> {
        let (sender, result) = oneshot::channel();
        // Nobody waits any more when the process stops.
        let job = Box::new(move || drop(sender.send(work())));
        self.jobs.send(job).map_err(|_| WorkerGone)?;
        result.await.map_err(|_| WorkerGone)
    }
}

fn work(queue: &Receiver<Job>, cores: f64) {
    if let Err(error) = rustix::process::setpriority_process(None, NICE) {
        tracing::warn!(error = &error as &dyn std::error::Error, "verifying has normal priority");
    }
    // When the work done so far is within the share.
    let mut free_at = Instant::now();
    while let Ok(job) = queue.recv() {
        let (before, started) = (thread_time(), Instant::now());
        job();
        let used = thread_time().saturating_sub(before);
        let from = started.checked_sub(CREDIT).map_or(free_at, |earliest| free_at.max(earliest));
        free_at = from + used.div_f64(cores);
        std::thread::sleep(free_at.saturating_duration_since(Instant::now()));
    }
}

/// CPU time of this thread.
fn thread_time() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn burn(time: Duration) {
        let until = thread_time() + time;
        while thread_time() < until {}
    }

    #[tokio::test]
    async fn it_takes_no_more_than_its_share() {
        let worker = Worker::start(0.25).unwrap();
        let started = Instant::now();
        for _ in 0..8 {
            worker.run(|| burn(Duration::from_millis(50))).await.unwrap();
        }
        // 0.4 s of work need 1.6 s, less the credit and the pause after the last.
        let took = started.elapsed();
        assert!(took >= Duration::from_millis(380), "{took:?}");
        let started = Instant::now();
        worker.run(|| burn(Duration::from_millis(50))).await.unwrap();
        worker.run(|| ()).await.unwrap();
        assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
    }

    #[tokio::test]
    async fn its_priority_is_lower() {
        let worker = Worker::start(1.0).unwrap();
        let nice = worker.run(|| rustix::process::getpriority_process(None)).await.unwrap();
        assert_eq!(nice, Ok(NICE));
        assert_eq!(rustix::process::getpriority_process(None), Ok(0));
    }
}
