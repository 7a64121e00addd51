//! One schedule: run, told, or shrunk to what it fails by.

use super::check::Violation;
use super::counts::Counts;
use super::plan::{BEGIN, Plan};
use super::run::*;

/// A schedule that has broken a promise.
#[derive(Clone, Debug)]
pub struct Failure {
    /// Its seed.
    pub seed: u64,
    /// What went wrong first.
    pub violation: Violation,
    plan: Plan,
}

/// Runs one schedule.
pub fn run(seed: u64) -> Result<Counts, Box<Failure>> {
    run_plan(Plan::new(seed))
}

fn run_plan(plan: Plan) -> Result<Counts, Box<Failure>> {
    let mut world = World::new(plan.clone(), false);
    match world.run() {
        Err(violation) => Err(Box::new(Failure { seed: plan.seed, violation, plan })),
        Ok(()) => {
            let micros = world.now.since(BEGIN).as_micros();
            world.counts.handlers = world.facts.handlers;
            world.counts.close(world.facts.messages(), micros);
            Ok(world.counts)
        }
    }
}

/// Runs one schedule and tells everything that happens in it.
pub fn trace(seed: u64) -> (Vec<String>, Option<Violation>) {
    trace_plan(Plan::new(seed))
}

fn trace_plan(plan: Plan) -> (Vec<String>, Option<Violation>) {
    let mut world = World::new(plan, true);
    let violation = world.run().err();
    (world.lines.unwrap_or_default(), violation)
}

/// Takes out of a failing schedule what it fails without, and tells the rest.
pub fn shrink(failure: &Failure) -> String {
    let what = failure.violation.what;
    let mut plan = failure.plan.clone();
    let fails = |plan: &Plan| run_plan(plan.clone()).is_err_and(|failure| failure.violation.what == what);
    let mut size = (plan.happenings.len() / 2).max(1);
    loop {
        let mut from = 0;
        let mut shrunk = false;
        while from < plan.happenings.len() {
            let mut candidate = plan.clone();
            let upto = (from + size).min(candidate.happenings.len());
            candidate.happenings.drain(from..upto);
            if fails(&candidate) {
                plan = candidate;
                shrunk = true;
            } else {
                from += size;
            }
        }
        if size == 1 && !shrunk {
            break;
        }
        size = (size / 2).max(1);
    }
    let (lines, violation) = trace_plan(plan);
    let violation = violation.map_or_else(String::new, |violation| violation.to_string());
    format!("{}\n{violation}", lines.join("\n"))
}
