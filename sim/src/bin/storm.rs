//! `cargo xtask storm`: measures and prints, row by row.

use std::process::ExitCode;
use std::time::Instant;

use everwire_core::Duration;
use everwire_sim::storm::{Rule, Storm, Table, Told, Who};

/// How many clients, and how long an outage in seconds, if nothing else is asked for.
const CLIENTS: [u32; 2] = [10_000, 1_000_000];
const DOWNS: [u64; 3] = [5, 60, 600];
/// A server that is sized for its clients has everybody back in so many seconds, whatever their number.
const WINDOW_SECS: u32 = 40;

struct Options {
    clients: Vec<u32>,
    accepts: Option<u32>,
    downs: Vec<u64>,
    seed: u64,
    json: Option<String>,
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let mut options = Options { clients: Vec::new(), accepts: None, downs: Vec::new(), seed: 1, json: None };
    while let Some(name) = args.next() {
        let value = args.next().ok_or(format!("`{name}` needs a value"))?;
        let number = |range: std::ops::RangeInclusive<u64>| {
            let said = || format!("`{name}` takes a number from {} to {}", range.start(), range.end());
            value.parse().ok().filter(|number| range.contains(number)).ok_or_else(said)
        };
        match name.as_str() {
            "--clients" => options.clients.push(number(1..=10_000_000)? as u32),
            "--accepts" => options.accepts = Some(number(1..=10_000_000)? as u32),
            "--down" => options.downs.push(number(0..=86_400)?),
            "--seed" => options.seed = number(0..=u64::MAX)?,
            "--json" => options.json = Some(value),
            _ => {
                return Err(format!(
                    "`{name}`? These are: --clients N and --down SECONDS, both repeatable, \
                     --accepts PER_SECOND --seed N --json FILE"
                ));
            }
        }
    }
    if options.clients.is_empty() {
        options.clients = CLIENTS.to_vec();
    }
    if options.downs.is_empty() {
        options.downs = DOWNS.to_vec();
    }
    Ok(options)
}

fn run(options: &Options) -> Result<(), String> {
    let mut table = Table::default();
    for clients in &options.clients {
        for (at, down) in options.downs.iter().enumerate() {
            let storm = Storm {
                clients: *clients,
                accepts_per_second: options.accepts.unwrap_or_else(|| clients.div_ceil(WINDOW_SECS)),
                down: Duration::from_secs(*down),
                seed: options.seed,
            };
            println!("{}", if at == 0 { Table::heading(&storm) } else { String::new() });
            for who in everybody(storm.window()) {
                let started = Instant::now();
                let outcome = storm.run(who);
                println!("{}", table.add(storm, who, outcome, started.elapsed().as_secs_f64()));
            }
        }
        println!();
    }
    let each = size_of::<everwire_core::Client>();
    match memory_peak() {
        Some(peak) => {
            println!("One machine is {each} bytes, its heap apart; this process took {peak} MiB at its peak.")
        }
        None => println!("One machine is {each} bytes, its heap apart."),
    }
    if let Some(file) = &options.json {
        std::fs::write(file, table.json()).map_err(|error| format!("{file}: {error}"))?;
        println!("written to {file}");
    }
    Ok(())
}

/// Those who are told W; full jitter with the same knowledge; those who are told nothing.
fn everybody(window: Duration) -> impl Iterator<Item = Who> {
    let told = [Told::Instructed(window), Told::Restart(window), Told::Before(window), Told::Nothing];
    let over = Who::Rule(Rule::JitterOver(window));
    told.map(Who::Everwire).into_iter().chain([over]).chain(Rule::ALL.map(Who::Rule))
}

/// The most memory that this process has had, in MiB, where the system tells.
fn memory_peak() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    let kib: u64 = line.trim().strip_suffix(" kB")?.trim().parse().ok()?;
    Some(kib / 1024)
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(|options| run(&options)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}
