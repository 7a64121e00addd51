//! Running other programs: quietly, or streamed and kept for counting.

use std::env;
use std::ffi::OsString;
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::Result;
use crate::step::{elapsed, pass_on, say};
use crate::workspace;

/// How long a finished program's pipes may stay open: a daemon it left behind inherits them.
const PIPE_GRACE: Duration = Duration::from_secs(5);

/// A program that ran to its end, or to its time limit.
pub(crate) struct Ran {
    /// Both output streams, in the order of arrival, terminal colours removed.
    pub(crate) text: String,
    /// It ended by itself with exit status 0.
    pub(crate) ok: bool,
    /// How it ended, for the table.
    pub(crate) end: String,
}

/// A program that is run in the repository's root.
pub(crate) fn command(program: impl AsRef<Path>) -> Command {
    let mut command = Command::new(program.as_ref());
    command.current_dir(workspace::root());
    command
}

/// The cargo that started this command.
pub(crate) fn cargo() -> Command {
    command(env::var_os("CARGO").map_or_else(|| PathBuf::from("cargo"), PathBuf::from))
}

/// Runs with output hidden; a failure carries all of it.
pub(crate) fn quiet(command: &mut Command) -> Result<()> {
    read(command).map(drop)
}

/// What the program writes to standard output; a failure carries everything it wrote.
pub(crate) fn read(command: &mut Command) -> Result<String> {
    let shown = shown(command);
    let output = command.stdin(Stdio::null()).output().map_err(|error| format!("{shown}: {error}"))?;
    let out = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        return Ok(out.into_owned());
    }
    let err = String::from_utf8_lossy(&output.stderr);
    Err(format!("{shown}: {}\n{out}{err}", how(output.status)))
}

/// Streams the output while keeping it. A program that outlives `limit` is ended with all its descendants.
pub(crate) fn tee(command: &mut Command, limit: Duration) -> Ran {
    let shown = shown(command);
    say(&format!("$ {shown}"));
    let spawned = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let mut child = match spawned {
        Ok(child) => child,
        Err(error) => return Ran { text: String::new(), ok: false, end: format!("not started: {error}") },
    };
    let (lines, arrived) = mpsc::channel();
    forward(child.stdout.take(), lines.clone());
    forward(child.stderr.take(), lines);

    let started = Instant::now();
    let mut text = String::new();
    let mut status = None;
    let mut timed_out = false;
    let mut pipes_close_by = None;
    loop {
        match arrived.recv_timeout(Duration::from_millis(200)) {
            Ok(line) => echo(&line, &mut text),
            Err(mpsc::RecvTimeoutError::Disconnected) => break,
            Err(mpsc::RecvTimeoutError::Timeout) => {}
        }
        if status.is_none() {
            // An error here means that the child is gone already; `wait` below tells how.
            status = child.try_wait().ok().flatten();
        }
        if status.is_none() && !timed_out && started.elapsed() > limit {
            timed_out = true;
            end_tree(child.id());
        }
        if status.is_some() {
            let by = *pipes_close_by.get_or_insert_with(|| Instant::now() + PIPE_GRACE);
            if Instant::now() > by {
                break;
            }
        }
    }
    let status = match status {
        Some(status) => Ok(status),
        None => child.wait(),
    };
    let (ok, end) = match status {
        _ if timed_out => (false, format!("ended after {}", elapsed(limit))),
        Ok(status) => (status.success(), how(status)),
        Err(error) => (false, error.to_string()),
    };
    Ran { text, ok, end }
}

/// Where a program is found on PATH.
pub(crate) fn which(name: &str) -> Option<PathBuf> {
    env::split_paths(&env::var_os("PATH")?).map(|dir| dir.join(name)).find(|path| path.is_file())
}

/// PATH with one more directory in front.
pub(crate) fn path_with(dir: &Path) -> Result<OsString> {
    let old = env::var_os("PATH").unwrap_or_default();
    let dirs = std::iter::once(dir.to_path_buf()).chain(env::split_paths(&old));
    env::join_paths(dirs).map_err(|error| error.to_string())
}

fn forward(pipe: Option<impl Read + Send + 'static>, lines: mpsc::Sender<Vec<u8>>) {
    let Some(pipe) = pipe else { return };
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        loop {
            let mut line = Vec::new();
            match reader.read_until(b'\n', &mut line) {
                Ok(0) | Err(_) => return,
                Ok(_) => {
                    if lines.send(line).is_err() {
                        return;
                    }
                }
            }
        }
    });
}

fn echo(line: &[u8], text: &mut String) {
    pass_on(line);
    text.push_str(&without_colours(&String::from_utf8_lossy(line)));
}

/// Removes terminal escape sequences (`ESC [ … letter`).
fn without_colours(line: &str) -> String {
    let mut plain = String::with_capacity(line.len());
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        if char != '\u{1b}' {
            plain.push(char);
        } else if chars.next() == Some('[') {
            for char in chars.by_ref() {
                if char.is_ascii_alphabetic() {
                    break;
                }
            }
        }
    }
    plain
}

/// Ends a program and everything it started: cargo leaves its test runner, and that its driver and browser, behind.
fn end_tree(id: u32) {
    let table = read(Command::new("ps").args(["-A", "-o", "pid=,ppid="])).unwrap_or_default();
    for id in descendants(&table, id).into_iter().rev() {
        // It may have ended by itself in the meantime.
        let _ = quiet(Command::new("kill").args(["-KILL", &id.to_string()]));
    }
}

/// The process and all below it, parents first, from lines of `pid ppid`.
fn descendants(table: &str, id: u32) -> Vec<u32> {
    let pairs: Vec<(u32, u32)> = table
        .lines()
        .filter_map(|line| {
            let mut words = line.split_whitespace().map(str::parse);
            Some((words.next()?.ok()?, words.next()?.ok()?))
        })
        .collect();
    let mut found = vec![id];
    let mut next = 0;
    while let Some(&parent) = found.get(next) {
        found.extend(pairs.iter().filter(|pair| pair.1 == parent && pair.0 != parent).map(|pair| pair.0));
        next += 1;
    }
    found
}

fn how(status: ExitStatus) -> String {
    if status.success() { "ok".to_owned() } else { status.to_string() }
}

fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program());
    let name = program.file_name().unwrap_or(program.as_os_str()).to_string_lossy().into_owned();
    command.get_args().fold(name, |line, arg| line + " " + &workspace::shown(Path::new(arg)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_removed_and_nothing_else() {
        assert_eq!(
            without_colours("\u{1b}[32mtest\u{1b}[0m result: \u{1b}[1;31mok\u{1b}[0m.\n"),
            "test result: ok.\n"
        );
        assert_eq!(without_colours("plain [1m text"), "plain [1m text");
    }

    #[test]
    fn descendants_are_found_through_generations() {
        let table = "  1 0\n 10 1\n 11 10\n 12 11\n 20 1\n 13 10\n";
        assert_eq!(descendants(table, 10), [10, 11, 13, 12]);
    }

    #[test]
    fn output_is_kept_and_the_end_is_told() {
        let ran =
            tee(Command::new("sh").args(["-c", "echo out; echo err >&2; exit 3"]), Duration::from_secs(60));
        assert!(ran.text.contains("out\n") && ran.text.contains("err\n"), "{}", ran.text);
        assert!(!ran.ok);
        assert!(ran.end.contains('3'), "{}", ran.end);
    }

    #[test]
    fn a_program_that_hangs_is_ended_with_its_children() {
        let ran = tee(Command::new("sh").args(["-c", "sh -c 'echo begun; exec sleep 600'"]), Duration::ZERO);
        assert!(!ran.ok);
        assert!(ran.end.starts_with("ended after"), "{}", ran.end);
    }

    #[test]
    fn a_program_that_is_not_there_is_no_success() {
        let ran = tee(&mut Command::new("no-such-program-here"), Duration::from_secs(60));
        assert!(!ran.ok);
    }
}
