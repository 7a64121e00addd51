//! `cargo xtask model`: every order of events within bounds, by stateright.

use std::process::Command;
use std::time::Duration;

use crate::Result;
use crate::proc;

/// The large settings take hours.
const LIMIT: Duration = Duration::from_secs(24 * 60 * 60);

/// Builds it, with the known bugs only if one is asked for, and lets it print. `Ok(false)`: a property is broken.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let mut command = cargo("run");
    command.args(["--quiet", "--bin", "model"]);
    if args.iter().any(|arg| arg == "--bug") {
        command.args(["--features", "mutants"]);
    }
    Ok(proc::tee(command.arg("--").args(args), LIMIT).ok)
}

/// The small settings, and the known bugs in them.
pub(crate) fn tests() -> Command {
    let mut command = cargo("test");
    command.args(["--no-fail-fast", "--features", "mutants", "--all-targets"]);
    command
}

fn cargo(what: &str) -> Command {
    let mut command = proc::cargo();
    command.args([what, "--profile", "simulation", "--package", "everwire-model"]);
    command
}
