//! Work that asks the kernel and may hang, as a dead network disk does.

use std::sync::Arc;

use tokio::sync::Mutex;

/// One place for such work: on a thread of its own, and never on a second one.
#[derive(Default)]
pub(crate) struct Blocking {
    /// Held by the thread at work, however long it hangs.
    busy: Arc<Mutex<()>>,
}

impl Blocking {
    /// Does the work; nothing when the last one still hangs, or when it breaks.
    pub(crate) async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Option<T> {
        let busy = Arc::clone(&self.busy).try_lock_owned().ok()?;
        let done = tokio::task::spawn_blocking(move || {
            let result = work();
            drop(busy);
            result
        });
        done.await.ok()
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn what_hangs_is_not_begun_again_and_what_breaks_is() {
        let (blocking, (finish, wait)) = (Blocking::default(), mpsc::channel::<()>());
        let hangs = blocking.run(move || wait.recv().is_err());
        assert!(tokio::time::timeout(Duration::from_millis(50), hangs).await.is_err());
        assert_eq!(blocking.run(|| 1).await, None, "the first one still hangs");
        drop(finish);
        while blocking.run(|| 2).await != Some(2) {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert_eq!(blocking.run(|| -> u8 { panic!("on purpose") }).await, None);
        assert_eq!(blocking.run(|| 3).await, Some(3));
    }
}
