//! `cargo xtask simulate`: many clients, several nodes, one engine, and bad luck, in virtual time.

use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use everwire_sim::world::{Counts, Failure, run, shrink};

const USAGE: &str = "\
Usage: simulate [--seeds N] [--from S] [--threads T] [--mutants [NAME…] [--once]] [--trace]

  --seeds N     how many schedules, 10,000 if not said
  --from S      the first seed, 0 if not said; one seed is one schedule
  --threads T   as many as there are processors if not said
  --mutants     switch each known bug on, or those named, and count the schedules that notice
  --once        … and go on to the next when the first has
  --trace       tell everything that happens in schedule S, with the bug that is named, if one is";

struct Args {
    seeds: u64,
    from: u64,
    threads: usize,
    trace: bool,
    once: bool,
    mutants: Option<Vec<String>>,
}

fn main() -> ExitCode {
    let args = match parse(std::env::args().skip(1)) {
        Ok(args) => args,
        Err(error) => {
            eprintln!("error: {error}\n{USAGE}");
            return ExitCode::from(2);
        }
    };
    if args.trace {
        return trace(args.from, args.mutants.as_deref().unwrap_or_default());
    }
    match &args.mutants {
        None => simulate(&args),
        Some(names) => mutants(&args, names),
    }
}

fn parse(mut given: impl Iterator<Item = String>) -> Result<Args, String> {
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut args = Args { seeds: 0, from: 0, threads, trace: false, once: false, mutants: None };
    let number = |flag: &str, value: Option<String>| {
        let value = value.ok_or(format!("`{flag}` takes a number"))?;
        value.parse::<u64>().map_err(|_| format!("`{flag}` takes a number, not `{value}`"))
    };
    while let Some(flag) = given.next() {
        match flag.as_str() {
            "--seeds" => args.seeds = number("--seeds", given.next())?,
            "--from" => args.from = number("--from", given.next())?,
            "--threads" => args.threads = number("--threads", given.next())?.max(1) as usize,
            "--trace" => args.trace = true,
            "--once" => args.once = true,
            "--mutants" => args.mutants = Some(Vec::new()),
            name if args.mutants.is_some() && !name.starts_with('-') => {
                args.mutants.get_or_insert_default().push(name.to_owned());
            }
            unknown => return Err(format!("unknown argument `{unknown}`")),
        }
    }
    if args.seeds == 0 {
        args.seeds = 10_000;
    }
    Ok(args)
}

/// Runs schedules on all threads; stops at the first that fails, if asked to.
fn all(args: &Args, each: impl Fn(u64) -> Option<Counts> + Sync) -> (Counts, Duration) {
    let begun = Instant::now();
    let next = AtomicU64::new(args.from);
    let stop = AtomicBool::new(false);
    let total = Mutex::new(Counts::default());
    let until = args.from.saturating_add(args.seeds);
    thread::scope(|scope| {
        for _ in 0..args.threads {
            scope.spawn(|| {
                let mut own = Counts::default();
                while !stop.load(Ordering::Relaxed) {
                    let seed = next.fetch_add(1, Ordering::Relaxed);
                    if seed >= until {
                        break;
                    }
                    match each(seed) {
                        Some(counts) => own.add(counts),
                        None => stop.store(true, Ordering::Relaxed),
                    }
                    let done = seed - args.from + 1;
                    if done.is_multiple_of(50_000) {
                        eprintln!("  {done} schedules after {:.0} s", begun.elapsed().as_secs_f64());
                    }
                }
                total.lock().unwrap_or_else(PoisonError::into_inner).add(own);
            });
        }
    });
    (total.into_inner().unwrap_or_else(PoisonError::into_inner), begun.elapsed())
}

fn simulate(args: &Args) -> ExitCode {
    println!("seeds {} to {}, {} threads", args.from, args.from + args.seeds - 1, args.threads);
    let failures: Mutex<Vec<Failure>> = Mutex::new(Vec::new());
    let (counts, took) = all(args, |seed| match run(seed) {
        Ok(counts) => Some(counts),
        Err(failure) => {
            failures.lock().unwrap_or_else(PoisonError::into_inner).push(*failure);
            None
        }
    });
    let rate = counts.schedules as f64 / took.as_secs_f64() / args.threads as f64;
    print!("{counts}");
    println!("  {:.1} s, {rate:.0} schedules a second and thread", took.as_secs_f64());
    let mut failures = failures.into_inner().unwrap_or_else(PoisonError::into_inner);
    failures.sort_by_key(|failure| failure.seed);
    let Some(first) = failures.first() else {
        println!("0 violations");
        return ExitCode::SUCCESS;
    };
    println!("\nseed {}: {}", first.seed, first.violation);
    let shrunk = shrink(first);
    println!("{shrunk}");
    println!("replay: cargo xtask simulate --from {} --trace", first.seed);
    println!("{} violations", failures.len());
    ExitCode::FAILURE
}

fn trace(seed: u64, names: &[String]) -> ExitCode {
    #[cfg(feature = "mutants")]
    for mutant in everwire_core::mutant::Mutant::ALL {
        if names.iter().any(|name| name == mutant.name()) {
            everwire_core::mutant::switch(Some(*mutant));
        }
    }
    #[cfg(not(feature = "mutants"))]
    let _ = names;
    let (lines, violation) = everwire_sim::world::trace(seed);
    for line in lines {
        println!("{line}");
    }
    match violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            println!("{violation}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(not(feature = "mutants"))]
fn mutants(_: &Args, _: &[String]) -> ExitCode {
    eprintln!("error: built without the feature `mutants`");
    ExitCode::from(2)
}

#[cfg(feature = "mutants")]
fn mutants(args: &Args, names: &[String]) -> ExitCode {
    use everwire_core::mutant::{Mutant, switch};
    use std::collections::BTreeMap;

    let chosen: Vec<Mutant> = Mutant::ALL
        .iter()
        .copied()
        .filter(|mutant| names.is_empty() || names.iter().any(|name| name == mutant.name()))
        .collect();
    println!("{} schedules each, from seed {}", args.seeds, args.from);
    let mut escaped = 0;
    for mutant in chosen {
        let caught: Mutex<BTreeMap<&'static str, u64>> = Mutex::new(BTreeMap::new());
        let (_, took) = all(args, |seed| {
            switch(Some(mutant));
            // A bug may well end in a panic: that is noticed too.
            let outcome = std::panic::catch_unwind(|| run(seed));
            switch(None);
            let what = match outcome {
                Ok(Ok(_)) => return Some(Counts::default()),
                Ok(Err(failure)) => failure.violation.what,
                Err(_) => "panic",
            };
            *caught.lock().unwrap_or_else(PoisonError::into_inner).entry(what).or_default() += 1;
            (!args.once).then(Counts::default)
        });
        let caught = caught.into_inner().unwrap_or_else(PoisonError::into_inner);
        let all: u64 = caught.values().sum();
        escaped += u32::from(all == 0);
        let kinds: Vec<String> = caught.iter().map(|(what, count)| format!("{what} {count}")).collect();
        println!("  {:<24} {all:>6}  {}  ({:.0} s)", mutant.name(), kinds.join(", "), took.as_secs_f64());
    }
    println!("{escaped} not caught");
    if escaped == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
