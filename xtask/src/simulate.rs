//! `cargo xtask simulate`: the deterministic simulator, built for speed.

use std::process::Command;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::Result;
use crate::proc;

/// A million schedules take half an hour on two cores, and every known bug besides as long.
const LIMIT: Duration = Duration::from_secs(6 * 60 * 60);
/// How many schedules `cargo xtask test` runs: half a minute on a slow machine.
const TESTED: u64 = 3_000;
/// From how many schedules one must notice a known bug: the rarest is noticed by one in two thousand.
const NOTICED_WITHIN: u64 = 30_000;

/// Builds it, with the known bugs only if they are asked for, and lets it print. `Ok(false)`: a promise was broken.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    Ok(proc::tee(&mut command(&args), LIMIT).ok)
}

fn command(args: &[&str]) -> Command {
    let mut command = proc::cargo();
    command.args([
        "run",
        "--quiet",
        "--profile",
        "simulation",
        "--package",
        "everwire-sim",
        "--bin",
        "simulate",
    ]);
    if args.contains(&"--mutants") {
        command.args(["--features", "mutants"]);
    }
    command.arg("--").args(args);
    command
}

/// A range of schedules that nobody has run before.
pub(crate) fn fresh() -> Command {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_secs();
    let from = since.saturating_mul(TESTED).to_string();
    command(&["--seeds", &TESTED.to_string(), "--from", &from])
}

/// Every known bug, until a schedule notices.
pub(crate) fn mutants() -> Command {
    command(&["--mutants", "--once", "--seeds", &NOTICED_WITHIN.to_string()])
}
