//! The moments at which a proxy can do something, and what a test is told of them.

use std::io;
use std::sync::{Arc, Weak};
use std::time::Duration;

use parking_lot::Mutex;
use tokio::sync::watch;

/// How long a moment may be waited for. Far above what is needed.
const DEADLINE: Duration = Duration::from_secs(60);

/// A moment in what clients send.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Step {
    /// S3: a multipart upload begins.
    UploadBegins,
    /// S3: the first part of an upload.
    FirstPart,
    /// S3: any other part.
    LaterPart,
    /// S3: any part.
    AnyPart,
    /// S3: the parts of an upload are joined to an object.
    UploadCompletes,
    /// S3: any request.
    AnyRequest,
    /// PostgreSQL: a statement that contains this text is executed.
    Statement(&'static str),
}

/// What passes a proxy.
#[derive(Clone, Copy, Debug)]
pub(super) enum Passing<'p> {
    Request { method: &'p str, target: &'p str },
    Statement(&'p str),
}

impl Step {
    fn is(self, passing: &Passing<'_>) -> bool {
        match *passing {
            Passing::Statement(sql) => matches!(self, Self::Statement(text) if sql.contains(text)),
            Passing::Request { method, target } => {
                let query = target.split_once('?').map_or("", |(_, query)| query);
                let value = |name: &str| {
                    let mut pairs = query
                        .split('&')
                        .map(|pair| pair.split_once('=').unwrap_or((pair, "")));
                    pairs.find(|(key, _)| *key == name).map(|(_, value)| value)
                };
                let part = value("partNumber").filter(|_| method == "PUT");
                match self {
                    Self::UploadBegins => method == "POST" && value("uploads").is_some(),
                    Self::FirstPart => part == Some("1"),
                    Self::LaterPart => part.is_some_and(|part| part != "1"),
                    Self::AnyPart => part.is_some(),
                    Self::UploadCompletes => method == "POST" && value("uploadId").is_some(),
                    Self::AnyRequest => true,
                    Self::Statement(_) => false,
                }
            }
        }
    }
}

/// What happens at a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Action {
    HoldRequest,
    HoldAnswer,
    Answer {
        status: u16,
        retry_after: Option<u64>,
    },
    Corrupt,
}

/// The traps of a proxy that still may be met.
#[derive(Debug, Default)]
pub(super) struct Traps(Mutex<Vec<Weak<State>>>);

#[derive(Debug)]
struct State {
    step: Step,
    action: Action,
    /// How often it was met.
    met: watch::Sender<u32>,
    fate: watch::Sender<Option<Fate>>,
}

/// What becomes of what is held.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    GoesOn,
    IsCut,
}

impl Traps {
    pub(super) fn set(&self, step: Step, action: Action) -> Trap {
        let state = Arc::new(State {
            step,
            action,
            met: watch::Sender::new(0),
            fate: watch::Sender::new(None),
        });
        self.0.lock().push(Arc::downgrade(&state));
        Trap { state }
    }

    /// The trap that was set first for what passes, if there is one. Most are met once.
    pub(super) fn meet(&self, passing: &Passing<'_>) -> Option<Watched> {
        let mut list = self.0.lock();
        list.retain(|trap| trap.strong_count() > 0);
        let states = list.iter().filter_map(Weak::upgrade);
        let state = states
            .filter(|state| state.waits())
            .find(|state| state.step.is(passing))?;
        if state.action == Action::HoldAnswer {
            // It is met when the answer is there, and by nobody else until then.
            list.retain(|trap| !std::ptr::eq(trap.as_ptr(), Arc::as_ptr(&state)));
        } else {
            state.met.send_modify(|met| *met += 1);
        }
        Some(Watched { state })
    }
}

impl State {
    fn waits(&self) -> bool {
        let again = matches!(self.action, Action::Answer { .. });
        self.fate.borrow().is_none() && (again || *self.met.borrow() == 0)
    }
}

/// A trap that was met, in the hands of the connection.
pub(super) struct Watched {
    state: Arc<State>,
}

impl Watched {
    pub(super) fn action(&self) -> Action {
        self.state.action
    }

    /// Until the test says what becomes of it.
    pub(super) async fn hold(self) -> io::Result<()> {
        let mut fate = self.state.fate.subscribe();
        if self.state.action == Action::HoldAnswer {
            self.state.met.send_modify(|met| *met += 1);
        }
        let decided = fate.wait_for(Option::is_some).await;
        match decided.map(|fate| *fate) {
            Ok(Some(Fate::GoesOn)) => Ok(()),
            _ => Err(io::Error::from(io::ErrorKind::ConnectionAborted)),
        }
    }
}

/// Something that is to happen at a step. Dropped, it is lifted: what is held goes on.
#[derive(Debug)]
#[must_use = "a trap that is dropped is lifted"]
pub struct Trap {
    state: Arc<State>,
}

impl Trap {
    /// Waits until the step was met.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn met(&self) {
        self.met_times(1).await;
    }

    /// Waits until the step was met so often.
    ///
    /// # Panics
    /// When that takes too long.
    pub async fn met_times(&self, times: u32) {
        let mut met = self.state.met.subscribe();
        let enough = tokio::time::timeout(DEADLINE, met.wait_for(|met| *met >= times)).await;
        let step = self.state.step;
        assert!(enough.is_ok(), "waited {DEADLINE:?} in vain for {step:?}");
    }

    /// How often the step was met so far.
    #[must_use]
    pub fn times(&self) -> u32 {
        *self.state.met.borrow()
    }

    /// Lets go on what is held.
    pub fn go_on(self) {
        drop(self);
    }

    /// Breaks the connection of what is held: a request never arrives, an answer neither.
    pub fn cut(self) {
        self.decide(Fate::IsCut);
    }

    fn decide(&self, fate: Fate) {
        self.state.fate.send_if_modified(|now| {
            let first = now.is_none();
            if first {
                *now = Some(fate);
            }
            first
        });
    }
}

impl Drop for Trap {
    fn drop(&mut self) {
        self.decide(Fate::GoesOn);
    }
}
