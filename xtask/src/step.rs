//! Progress: one line when something is done, the elapsed time when it took long.

use std::io::Write;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;

/// Below this a step needs no second line.
const SHORT: Duration = Duration::from_secs(2);
/// A silent terminal for longer than this makes people press Ctrl-C.
const REMIND: Duration = Duration::from_secs(30);

/// Says what is being done, then does it, and tells the elapsed time of a long step while and after it runs.
pub(crate) fn step<T>(what: &str, work: impl FnOnce() -> Result<T>) -> Result<T> {
    say(&format!("· {what}"));
    let started = Instant::now();
    let (finished, wait) = mpsc::channel::<()>();
    let reminder = thread::spawn(move || {
        while wait.recv_timeout(REMIND) == Err(mpsc::RecvTimeoutError::Timeout) {
            say(&format!("  … {}", elapsed(started.elapsed())));
        }
    });
    let outcome = work();
    drop(finished);
    // The reminder only ever waits for the channel that was just closed.
    let _ = reminder.join();
    if started.elapsed() >= SHORT {
        let word = if outcome.is_ok() { "done" } else { "failed" };
        say(&format!("  {word} in {}", elapsed(started.elapsed())));
    }
    outcome
}

/// A line on standard output.
pub(crate) fn say(line: &str) {
    pass_on(format!("{line}\n").as_bytes());
}

/// Bytes to standard output, flushed: a pipe would otherwise hold them back behind the output of a child.
pub(crate) fn pass_on(bytes: &[u8]) {
    // What unit tests say is not for the terminal: a made-up closing line could be taken for the real one.
    if cfg!(test) {
        return;
    }
    let mut out = std::io::stdout().lock();
    // A closed pipe is no reason to stop the work, nor to leave the tests uncounted.
    let _ = out.write_all(bytes).and_then(|()| out.flush());
}

/// A duration as people say it.
pub(crate) fn elapsed(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 60 {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        format!("{} min {:02} s", seconds / 60, seconds % 60)
    }
}
