//! `cargo xtask conform`: does a server speak the protocol? The suite is `tests/conform`, in Node, over the wire alone.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::Duration;

use crate::Result;
use crate::npm;
use crate::proc;
use crate::setup;

/// The suite takes less than a minute; a server that answers nothing makes every test of it wait.
const LIMIT: Duration = Duration::from_secs(10 * 60);

/// Runs the suite against the server at a URL. `Ok(false)`: a clause is broken.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    if !args.iter().any(|arg| arg.starts_with("ws://") || arg.starts_with("wss://")) {
        return Err("`conform` takes the URL of a server, such as ws://127.0.0.1:8090".into());
    }
    setup::npm()?;
    let mut command = npm::node("tests/conform/run.mjs");
    Ok(proc::tee(command.args(args), LIMIT).ok)
}

/// The suite, for a server; if that has a log, it is looked through for secrets afterwards.
pub(crate) fn suite(server: &Server) -> Command {
    let mut command = npm::node("tests/conform/run.mjs");
    command.arg(&server.url);
    if let Some(log) = &server.log {
        command.arg("--log").arg(log);
    }
    command
}

/// A server under test. It ends with this value.
pub(crate) struct Server {
    child: Child,
    pub(crate) url: String,
    /// Where all that it logs goes.
    log: Option<PathBuf>,
    /// Held open: a server that writes to a closed pipe ends.
    out: BufReader<ChildStdout>,
}

impl Server {
    /// Starts a program that prints its address in its first line.
    pub(crate) fn start(name: &str, mut command: Command, log: Option<PathBuf>) -> Result<Self> {
        let told = |error| format!("{name}: {error}");
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        if let Some(log) = &log {
            // As much as there is.
            command.env("RUST_LOG", "trace").stderr(File::create(log).map_err(told)?);
        }
        let mut child = command.spawn().map_err(told)?;
        let out = child.stdout.take().ok_or_else(|| format!("{name} has no standard output"))?;
        let mut server = Server { child, url: String::new(), log, out: BufReader::new(out) };
        let mut line = String::new();
        server.out.read_line(&mut line).map_err(told)?;
        line.trim().clone_into(&mut server.url);
        if server.url.starts_with("ws://") {
            Ok(server)
        } else {
            Err(format!("{name} printed {line:?} instead of its address"))
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // The last test ends the server; then there is nothing left to end.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
