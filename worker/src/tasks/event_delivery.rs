//! Tells listeners what happened to exports: takes events out of the outbox, and removes those that
//! everybody has heard.

use std::sync::Arc;
use std::time::{Duration, Instant};

use async_trait::async_trait;
use tokio::time::timeout;
use waybill_ledger::{LedgerError, Outbox, OutboxEvent};

use super::listener::{ListenError, Listener};
use super::task::{Task, TaskError};
use crate::dependencies::Dependencies;
use crate::verdict::backoff;

/// How long events are this process's before another one may tell them.
const HOLD: Duration = Duration::from_secs(20);
/// How long a listener may take for one event.
const HEARING_TIMEOUT: Duration = Duration::from_secs(5);
/// What was taken and could not be told by then is left to whoever takes it next.
const TELLING_TIMEOUT: Duration = Duration::from_secs(12);
/// Batches of one run: after that many the shutdown is heard of.
const MAX_BATCHES: usize = 20;

pub(super) struct EventDelivery {
    outbox: Arc<dyn Outbox>,
    listeners: Vec<Box<dyn Listener>>,
}

impl EventDelivery {
    pub(super) fn new(with: &Dependencies, listeners: Vec<Box<dyn Listener>>) -> Self {
        Self {
            outbox: Arc::clone(&with.outbox),
            listeners,
        }
    }

    /// Tells a batch of events and removes those that everybody has heard.
    async fn tell_all(&self, events: &[OutboxEvent]) -> Result<(), LedgerError> {
        let taken = Instant::now();
        let mut told = Vec::with_capacity(events.len());
        for event in events {
            if taken.elapsed() > TELLING_TIMEOUT {
                break;
            }
            let (heard, all) = self.tell(event).await;
            if all {
                told.push(event.id);
            } else {
                let delay = backoff(event.attempts);
                self.outbox.postpone_event(event, &heard, delay).await?;
            }
        }
        self.outbox.remove_events(&told).await
    }

    /// Returns who has heard of the event by now, and whether that is everybody who has to.
    async fn tell<'a>(&'a self, event: &'a OutboxEvent) -> (Vec<&'a str>, bool) {
        let mut heard: Vec<&str> = event.heard.iter().map(String::as_str).collect();
        let mut all = true;
        for listener in &self.listeners {
            let name = listener.name();
            if heard.contains(&name) || !listener.hears(event.event) {
                continue;
            }
            let hearing = timeout(HEARING_TIMEOUT, listener.hear(event)).await;
            match hearing.unwrap_or_else(|elapsed| Err(ListenError::from(elapsed))) {
                Ok(()) => heard.push(name),
                Err(error) => {
                    all = false;
                    tracing::warn!(
                        %error, listener = name, event = event.event.name(),
                        export_id = %event.export_id, attempt = event.attempts,
                        "an event could not be told yet"
                    );
                }
            }
        }
        (heard, all)
    }
}

#[async_trait]
impl Task for EventDelivery {
    fn name(&self) -> &'static str {
        "event_delivery"
    }

    async fn run(&mut self) -> Result<(), TaskError> {
        for _ in 0..MAX_BATCHES {
            let events = self.outbox.take_events(HOLD).await?;
            if events.is_empty() {
                break;
            }
            self.tell_all(&events).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use parking_lot::Mutex;
    use tempfile::TempDir;
    use waybill_ledger::Event;
    use waybill_ledger::database::Database;

    use super::*;
    use crate::sample::claimed;

    /// Hears of some events, fails so often before that, and remembers what it was told.
    struct Ear {
        name: &'static str,
        hears: fn(Event) -> bool,
        failures: Mutex<u32>,
        told: Arc<Mutex<Vec<Event>>>,
    }

    impl Ear {
        fn new(name: &'static str, hears: fn(Event) -> bool, failures: u32) -> Self {
            Self {
                name,
                hears,
                failures: Mutex::new(failures),
                told: Arc::default(),
            }
        }
    }

    #[async_trait]
    impl Listener for Ear {
        fn name(&self) -> &'static str {
            self.name
        }

        fn hears(&self, event: Event) -> bool {
            (self.hears)(event)
        }

        async fn hear(&self, event: &OutboxEvent) -> Result<(), ListenError> {
            self.told.lock().push(event.event);
            let mut failures = self.failures.lock();
            if *failures == 0 {
                return Ok(());
            }
            *failures -= 1;
            Err("nobody listens".into())
        }
    }

    #[tokio::test]
    async fn each_listener_is_told_until_it_has_heard_and_no_longer() {
        let folder = TempDir::new().expect("a folder");
        let database = Database::open_file(&folder.path().join("ledger.sqlite")).await;
        let ledger = database.expect("a ledger").ledger;
        let (claim, scope) = claimed(ledger.as_ref()).await;
        let id = claim.lease.export_id();
        ledger.cancel(&scope, id).await.expect("cancelled");

        let everybody = |_| true;
        let ears = [
            Ear::new("first", everybody, 0),
            Ear::new("second", everybody, 2),
            Ear::new("third", |event| event == Event::Deleted, 0),
            Ear::new("last", everybody, 0),
        ];
        let told = ears.each_ref().map(|ear| Arc::clone(&ear.told));
        let ears = ears.map(|ear| Box::new(ear) as Box<dyn Listener>);
        let mut delivery = EventDelivery {
            outbox: ledger.clone(),
            listeners: ears.into(),
        };
        let counts = || told.each_ref().map(|told| told.lock().len());
        let deadline = Instant::now() + Duration::from_secs(30);
        while counts() != [1, 3, 0, 1] {
            assert!(Instant::now() < deadline, "{:?}", counts());
            delivery.run().await.expect("the ledger");
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        let left = ledger.drop_events(Duration::ZERO).await;
        assert_eq!(left.expect("the ledger"), 0, "everybody has heard");
        assert_eq!(*told[0].lock(), [Event::Cancelled]);
    }
}
