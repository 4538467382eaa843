//! Where the lines of the log go: to standard error, through a thread of its own.
//!
//! Whoever logs never waits for whoever reads. A line that cannot be written, because the reader is gone
//! or has stopped reading, is counted and forgotten.
//!
//! By hand, because `tracing-appender` counts no line that could not be written.

use std::io::{self, Write};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::sync::{LazyLock, OnceLock};
use std::thread;
use std::time::{Duration, Instant};

use prometheus_client::metrics::counter::Counter;
use tracing_subscriber::fmt::MakeWriter;

/// Lines that wait to be written at the most.
const MAX_QUEUED_LINES: usize = 4_096;
/// How long the end of a process may wait for them.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);
/// Between two tries to queue behind waiting lines.
const RETRY_DELAY: Duration = Duration::from_millis(5);

static LOST: LazyLock<Counter> = LazyLock::new(Counter::default);
static QUEUE: OnceLock<SyncSender<Step>> = OnceLock::new();

enum Step {
    Line(Vec<u8>),
    /// Answered once everything before it was written.
    Flush(SyncSender<()>),
}

/// Returns the counter of lines that could not be written since this process began.
pub(crate) fn lost() -> Counter {
    LOST.clone()
}

/// Counts a line of other output that could not be written.
pub fn count_lost_line() {
    LOST.inc();
}

/// Waits until what was logged so far is written, for a second at the most. Before a process ends.
pub fn flush() {
    let Some(queue) = QUEUE.get() else { return };
    let until = Instant::now() + FLUSH_TIMEOUT;
    let (written, done) = sync_channel(1);
    let mut step = Step::Flush(written);
    while let Err(TrySendError::Full(again)) = queue.try_send(step) {
        if Instant::now() > until {
            return;
        }
        step = again;
        thread::sleep(RETRY_DELAY);
    }
    // Nobody writes any more, or nobody reads: there is nothing left to wait for.
    let _ = done.recv_timeout(until.saturating_duration_since(Instant::now()));
}

/// The writer of the log.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lines;

impl Lines {
    /// Starts the thread that writes; without one, every line is lost.
    pub(super) fn start() -> Self {
        let (queue, steps) = sync_channel(MAX_QUEUED_LINES);
        let writing = thread::Builder::new().name("log".to_owned());
        if writing.spawn(move || write(&steps, io::stderr())).is_ok() {
            drop(QUEUE.set(queue));
        }
        Self
    }
}

impl<'writer> MakeWriter<'writer> for Lines {
    type Writer = Self;

    fn make_writer(&'writer self) -> Self {
        Self
    }
}

impl Write for Lines {
    /// Takes a whole line, which is how they come.
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let queued = QUEUE
            .get()
            .is_some_and(|queue| queue.try_send(Step::Line(line.to_vec())).is_ok());
        if !queued {
            LOST.inc();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn write(steps: &Receiver<Step>, mut log: impl Write) {
    while let Ok(step) = steps.recv() {
        match step {
            Step::Line(line) => {
                if log.write_all(&line).is_err() {
                    LOST.inc();
                }
            }
            Step::Flush(written) => drop(written.try_send(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes every second line.
    #[derive(Default)]
    struct Unreliable {
        calls: usize,
        written: Vec<u8>,
    }

    impl Write for &mut Unreliable {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            self.calls += 1;
            if self.calls.is_multiple_of(2) {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.written.extend_from_slice(line);
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn a_line_that_cannot_be_written_is_counted_and_the_next_one_is_tried() {
        let (queue, steps) = sync_channel(8);
        for line in ["one\n", "two\n", "three\n"] {
            let sent = queue.send(Step::Line(line.as_bytes().to_vec()));
            sent.expect("there is room");
        }
        let (written, done) = sync_channel(1);
        queue.send(Step::Flush(written)).expect("there is room");
        drop(queue);
        let before = LOST.get();
        let mut log = Unreliable::default();
        write(&steps, &mut log);
        assert_eq!(log.written, b"one\nthree\n");
        assert_eq!(LOST.get() - before, 1);
        done.try_recv().expect("everything was written");
    }
}
