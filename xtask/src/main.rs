//! Every developer command of everwire: `cargo xtask help` lists them.
//!
//! Set-up is part of each command: what is missing is installed with one line that says so, or one line says what to install.

mod account;
mod bench;
mod clauses;
mod conform;
mod count;
mod demo;
mod e2e;
mod engines;
mod leptos;
mod model;
mod npm;
mod package;
mod proc;
mod server;
mod setup;
mod shorten;
mod simulate;
mod size;
mod step;
mod storm;
mod test;
mod wasm;
mod workspace;

use std::process::ExitCode;

/// What went wrong, in a sentence a developer can act on.
pub(crate) type Result<T> = std::result::Result<T, String>;

const HELP: &str = "\
Usage: cargo xtask COMMAND

  demo [--port N]            set everything up, build, serve the demo page at a printed address
  test [RUNNER…] [--long]    set everything up, run every test, or only the named runners
  build                      wasm and npm package into pkg/, ready for `npm pack`
  size [--json FILE]         raw, gzip and brotli bytes of what is published, and where the wasm bytes go
  clauses [--all] [--from FILE]
                             each clause of docs/PROTOCOL.md, its tests, and whether they pass; fails while one has none
  conform URL [--filter WORD] [--quick] [--json FILE]
                             each clause of docs/PROTOCOL.md that a wire can show, put to any server: tests/conform/README.md
  simulate [--seeds N] [--from S] [--mutants [NAME…]] [--trace]
                             many clients, nodes and bad luck in virtual time: does every promise hold?
  model [--large] [--only SETTING] [--bug NAME] [--threads N]
                             every order of events within bounds: does every property of the session hold?
  storm [--clients N] [--down SECONDS] [--json FILE]
                             everybody loses one server at once: dials, peaks and times, beside the peers' rules
  bench [--json FILE]        exactly once beside a bare WebSocket in Chromium; everwire-server alone
  liveness [--long] [--browsers chromium,firefox,webkit]
                             how soon a dead link is known in each browser, beside the peers, and what that costs an hour
  leptos-chat                the example in Rust, ready to be served from target/leptos-chat/site
  help                       this text
";

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let (command, rest) = match args.split_first() {
        Some((command, rest)) => (command.as_str(), rest),
        None => ("help", &[][..]),
    };
    let outcome = match command {
        "help" | "--help" | "-h" => {
            println!("{HELP}\nRunners of `test`, in order:\n{}", test::list());
            return ExitCode::SUCCESS;
        }
        "demo" => demo::run(rest).map(|()| true),
        "test" => test::run(rest),
        "build" => build(rest).map(|()| true),
        "clauses" => clauses::run(rest),
        "model" => model::run(rest),
        "conform" => conform::run(rest),
        "simulate" => simulate::run(rest),
        "size" => size::run(rest).map(|()| true),
        "bench" => bench::run(rest),
        "liveness" => e2e::liveness(rest),
        "leptos-chat" => leptos::run(rest).map(|()| true),
        "storm" => storm::run(rest).map(|()| true),
        unknown => {
            eprintln!("unknown command `{unknown}`\n\n{HELP}");
            return ExitCode::from(2);
        }
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::FAILURE
        }
    }
}

fn build(args: &[String]) -> Result<()> {
    if let Some(unknown) = args.first() {
        return Err(format!("`build` takes no argument, not `{unknown}`"));
    }
    let built = package::build(package::Variant::Published)?;
    println!("{} is ready for `npm pack`", workspace::shown(&built.dir));
    Ok(())
}
