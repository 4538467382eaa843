//! Looking keys up, together where many are asked for at the same time: one statement at a time, for all
//! that came while the one before ran. So a crowd with keys that nobody knows costs the database no more
//! than a few callers do, and holds up none of its connections.

use std::mem;
use std::sync::Arc;

use parking_lot::{Mutex, MutexGuard};
use tokio::sync::oneshot;
use waybill_ledger::keys::{ApiKey, KeyStore, KeyStoreError};

use crate::problem::Problem;

/// The most keys of one statement.
const BATCH_SIZE: usize = 1_000;

/// Looks keys up, many in one statement; a clone is the same.
#[derive(Clone, Debug, Default)]
pub(super) struct BatchedLookups(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    waiting: Vec<Lookup>,
    /// Whether somebody serves those who wait.
    is_served: bool,
}

type Found = Result<Option<ApiKey>, Arc<KeyStoreError>>;

#[derive(Debug)]
struct Lookup {
    presented: String,
    answer: oneshot::Sender<Found>,
}

impl BatchedLookups {
    /// Returns the key of a presented secret, as [`KeyStore::find`] does.
    pub(super) async fn find(
        &self,
        keys: &Arc<dyn KeyStore>,
        presented: &str,
    ) -> Result<Option<ApiKey>, Problem> {
        let found = self.ask(keys, presented).await.map_err(Problem::internal)?;
        found.map_err(|error| Problem::keys_are_late().caused_by(error))
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "it ends with the lookups that wait for it, which hear when it dies"
    )]
    fn ask(&self, keys: &Arc<dyn KeyStore>, presented: &str) -> oneshot::Receiver<Found> {
        let (answer, found) = oneshot::channel();
        let mut queue = self.lock();
        queue.waiting.push(Lookup {
            presented: presented.to_owned(),
            answer,
        });
        if !mem::replace(&mut queue.is_served, true) {
            // Beside the request: when its client is gone, others still wait.
            tokio::spawn(self.clone().serve(Arc::clone(keys)));
        }
        found
    }

    async fn serve(self, keys: Arc<dyn KeyStore>) {
        // Also when it panics somebody serves the next one.
        let _ended = Ended(&self);
        while let Some(batch) = self.next_batch() {
            let (presented, answers): (Vec<String>, Vec<_>) = batch
                .into_iter()
                .map(|lookup| (lookup.presented, lookup.answer))
                .unzip();
            match keys.find_many(&presented).await {
                Ok(found) => {
                    for (answer, found) in answers.into_iter().zip(found) {
                        // Who is gone needs no answer.
                        drop(answer.send(found.map_err(Arc::new)));
                    }
                }
                Err(error) => {
                    let error = Arc::new(error);
                    for answer in answers {
                        drop(answer.send(Err(Arc::clone(&error))));
                    }
                }
            }
        }
    }

    /// Takes the next ones, without those whose clients are gone; `None` once nobody waits, and nobody is served
    /// then.
    fn next_batch(&self) -> Option<Vec<Lookup>> {
        let mut queue = self.lock();
        queue.waiting.retain(|lookup| !lookup.answer.is_closed());
        if queue.waiting.is_empty() {
            queue.is_served = false;
            return None;
        }
        let size = queue.waiting.len().min(BATCH_SIZE);
        Some(queue.waiting.drain(..size).collect())
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.0.lock()
    }
}

/// Ends the serving of a queue that is left early.
struct Ended<'l>(&'l BatchedLookups);

impl Drop for Ended<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut queue = self.0.lock();
            queue.is_served = false;
            // Nobody else would wake them.
            queue.waiting.clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use async_trait::async_trait;
    use futures::future::join_all;
    use tokio::sync::Semaphore;
    use waybill_config::Secret;
    use waybill_ledger::keys::NewKey;
    use waybill_report::caller::KeyId;

    use super::*;

    /// A store without any key, which answers as often as it is let.
    struct Slow {
        turns: Semaphore,
        statements: Mutex<Vec<usize>>,
    }

    #[async_trait]
    impl KeyStore for Slow {
        async fn find_many(
            &self,
            presented: &[String],
        ) -> Result<Vec<Result<Option<ApiKey>, KeyStoreError>>, KeyStoreError> {
            self.statements.lock().push(presented.len());
            self.turns.acquire().await.expect("it is open").forget();
            if presented.iter().any(|presented| presented == "outdated") {
                return Err(KeyStoreError::SchemaOutdated);
            }
            Ok(presented.iter().map(|_| Ok(None)).collect())
        }

        async fn find(&self, _: &str) -> Result<Option<ApiKey>, KeyStoreError> {
            unreachable!("one statement for many")
        }

        async fn create(&self, _: NewKey) -> Result<(ApiKey, Secret), KeyStoreError> {
            unreachable!()
        }

        async fn list(&self) -> Result<Vec<ApiKey>, KeyStoreError> {
            unreachable!()
        }

        async fn revoke(&self, _: &KeyId) -> Result<bool, KeyStoreError> {
            unreachable!()
        }

        async fn valid(&self, _: &KeyId) -> Result<Option<ApiKey>, KeyStoreError> {
            unreachable!()
        }

        async fn used(&self, _: &KeyId, _: Duration) -> Result<(), KeyStoreError> {
            unreachable!()
        }
    }

    #[tokio::test]
    #[expect(clippy::disallowed_methods, reason = "a test's own clock and tasks")]
    async fn a_crowd_is_looked_up_in_few_statements() {
        let slow = Arc::new(Slow {
            turns: Semaphore::new(0),
            statements: Mutex::default(),
        });
        let keys: Arc<dyn KeyStore> = slow.clone();
        let lookups = BatchedLookups::default();
        let find = |presented: String| {
            let (lookups, keys) = (lookups.clone(), Arc::clone(&keys));
            async move { lookups.find(&keys, &presented).await }
        };
        let first = tokio::spawn(find("first".to_owned()));
        while slow.statements.lock().is_empty() {
            tokio::task::yield_now().await;
        }
        let crowd = (0..1_500).map(|number| tokio::spawn(find(number.to_string())));
        let crowd: Vec<_> = crowd.collect();
        while lookups.lock().waiting.len() < 1_500 {
            tokio::task::yield_now().await;
        }
        let gone = crowd
            .into_iter()
            .enumerate()
            .filter_map(|(number, lookup)| {
                if number < 100 {
                    lookup.abort();
                    return None;
                }
                Some(lookup)
            });
        let crowd: Vec<_> = gone.collect();
        let closed = || {
            let queue = lookups.lock();
            let closed = queue
                .waiting
                .iter()
                .filter(|lookup| lookup.answer.is_closed());
            closed.count()
        };
        while closed() < 100 {
            tokio::task::yield_now().await;
        }
        slow.turns.add_permits(10);
        for found in join_all(crowd).await {
            assert!(matches!(found, Ok(Ok(None))));
        }
        assert!(matches!(first.await, Ok(Ok(None))));
        assert_eq!(*slow.statements.lock(), [1, 1_000, 400]);

        let refused = find("outdated".to_owned()).await;
        let code = refused.expect_err("no answer").code();
        assert_eq!(code, crate::problem::ProblemCode::DatabaseUnavailable);
        assert!(matches!(find("again".to_owned()).await, Ok(None)));
    }
}
