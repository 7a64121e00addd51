//! `cargo xtask model`: explores each setting and prints what came of it.

use std::process::ExitCode;

use everwire_core::mutant::Mutant;
use everwire_model::{Bug, LARGE, Order, SMALL, Setting};

struct Options {
    settings: &'static [Setting],
    only: Vec<String>,
    bug: Bug,
    order: Order,
    threads: usize,
}

const USAGE: &str = "these are: --large, --only SETTING (repeatable), --bug NAME, --threads N";

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let mut options =
        Options { settings: SMALL, only: Vec::new(), bug: Bug::NONE, order: Order::Depth, threads };
    while let Some(name) = args.next() {
        let mut value = || args.next().ok_or(format!("`{name}` needs a value"));
        match name.as_str() {
            "--large" => options.settings = LARGE,
            "--only" => options.only.push(value()?),
            "--threads" => {
                let number = value()?.parse().ok().filter(|number| (1..=256).contains(number));
                options.threads = number.ok_or("`--threads` takes a number from 1 to 256")?;
            }
            "--bug" => {
                let name = value()?;
                let bug = Mutant::ALL.iter().find(|bug| bug.name() == name);
                let bug = *bug.ok_or_else(|| format!("no bug is called `{name}`: {}", names()))?;
                options.bug = Bug::of(bug).ok_or("bugs need the feature `mutants`")?;
                // The shortest way to it, which is the same each time.
                (options.order, options.threads) = (Order::Breadth, 1);
            }
            _ => return Err(format!("`{name}`? {USAGE}")),
        }
    }
    let known = |name: &String| options.settings.iter().any(|setting| setting.name() == *name);
    match options.only.iter().find(|name| !known(name)) {
        Some(stranger) => Err(format!("no setting is called `{stranger}`")),
        None => Ok(options),
    }
}

fn names() -> String {
    Mutant::ALL.iter().map(|bug| bug.name()).collect::<Vec<_>>().join(", ")
}

fn main() -> ExitCode {
    let options = match options(std::env::args().skip(1)) {
        Ok(options) => options,
        Err(error) => {
            eprintln!("{error}");
            return ExitCode::from(2);
        }
    };
    let mut broken = Vec::new();
    for setting in options.settings {
        if !options.only.is_empty() && !options.only.iter().any(|name| name == setting.name()) {
            continue;
        }
        println!("{setting}");
        let outcome = setting.explore(options.bug, options.order, options.threads);
        println!("{outcome}");
        if !outcome.holds() {
            broken.push(setting.name());
        }
    }
    if broken.is_empty() {
        println!("every property holds");
        return ExitCode::SUCCESS;
    }
    println!("broken: {}", broken.join(", "));
    ExitCode::FAILURE
}
