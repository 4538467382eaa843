//! A query that runs on a thread of its own, and how it is stopped from others.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use parking_lot::Mutex;
use rusqlite::InterruptHandle;

/// Virtual-machine steps between looks at whether a query is still wanted and in time.
pub(super) const STEPS_BETWEEN_CHECKS: i32 = 1_000;

/// The handle by which a running query can be interrupted, for as long as it runs.
#[derive(Default)]
pub(super) struct RunningQuery {
    state: Mutex<State>,
    is_stopped: AtomicBool,
}

#[derive(Default)]
enum State {
    #[default]
    Waiting,
    Running(InterruptHandle),
    Stopped,
}

impl RunningQuery {
    pub(super) fn started(&self, handle: InterruptHandle) {
        let mut state = self.state.lock();
        match *state {
            State::Stopped => handle.interrupt(),
            State::Waiting | State::Running(_) => *state = State::Running(handle),
        }
    }

    pub(super) fn ended(&self) {
        *self.state.lock() = State::Stopped;
    }

    pub(super) fn is_stopped(&self) -> bool {
        self.is_stopped.load(Ordering::Relaxed)
    }

    fn stop(&self) {
        self.is_stopped.store(true, Ordering::Relaxed);
        let mut state = self.state.lock();
        if let State::Running(handle) = &*state {
            handle.interrupt();
        }
        *state = State::Stopped;
    }
}

/// Stops a query when it is dropped.
pub(super) struct StopOnDrop(pub(super) Arc<RunningQuery>);

impl Drop for StopOnDrop {
    fn drop(&mut self) {
        self.0.stop();
    }
}
