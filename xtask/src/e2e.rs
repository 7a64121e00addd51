//! `tests/e2e`: the built package in browsers. All of it is a runner of `cargo xtask test`; `cargo xtask liveness` runs what
//! is about knowing, alone, and ends with its tables.

use std::fs;
use std::process::Command;

use crate::Result;
use crate::count::Format;
use crate::leptos;
use crate::package::Variant;
use crate::server;
use crate::step::say;
use crate::test::{Session, node_test};
use crate::workspace::root;

const DIR: &str = "tests/e2e";

/// What is run once more in each of the other browsers.
const ONE_BROWSER: [&str; 5] =
    ["faults.test.mjs", "input.test.mjs", "real-sockets.test.mjs", "servers.test.mjs", "sockets.test.mjs"];

/// How soon a dead link is known, beside the peers; what a page goes through; what it costs to know.
const LIVENESS: [&str; 4] =
    ["liveness.test.mjs", "liveness-peers.test.mjs", "page-life.test.mjs", "vigilance.test.mjs"];
/// What these print, each into a file of its own under `out`.
const TABLES: [&str; 4] = ["liveness.txt", "liveness-peers.txt", "page-life.txt", "vigilance.txt"];
/// As the tests call them.
const BROWSERS: [&str; 3] = ["chromium", "firefox", "webkit"];

/// The runner.
pub(crate) fn run(session: &mut Session) -> Result<()> {
    let mut command = whole(session)?;
    session.node_tests(DIR, &mut command)?;
    // Most files meet all browsers in one run; these take one at a time, Chromium if nobody says otherwise.
    for name in session.others().names() {
        say(&format!("\n  {name}"));
        let mut command = whole(session)?;
        session.tests(Format::Node, files(command.env("BROWSERS", name), &ONE_BROWSER));
    }
    Ok(())
}

/// The command.
pub(crate) fn liveness(args: &[String]) -> Result<bool> {
    let Chosen { long, browsers } = chosen(args)?;
    let out = root().join(DIR).join("out");
    for table in TABLES {
        // It may not be there; what is there is of another run.
        let _ = fs::remove_file(out.join(table));
    }
    let ok =
        Session::alone("liveness", "how soon a dead link is known, and what that costs", long, |session| {
            let mut command = command(session)?;
            if let Some(browsers) = browsers {
                command.env("BROWSERS", browsers);
            }
            session.tests(Format::Node, files(&mut command, &LIVENESS));
            Ok(())
        });
    // Once more, together: between them stands what the tests said.
    for table in TABLES {
        if let Ok(table) = fs::read_to_string(out.join(table)) {
            say(&format!("\n{table}"));
        }
    }
    Ok(ok)
}

#[derive(Debug, PartialEq, Eq)]
struct Chosen {
    long: bool,
    browsers: Option<String>,
}

fn chosen(args: &[String]) -> Result<Chosen> {
    let mut chosen = Chosen { long: false, browsers: None };
    let mut args = args.iter().map(String::as_str);
    while let Some(arg) = args.next() {
        let list = match arg {
            "--long" => {
                chosen.long = true;
                continue;
            }
            "--browsers" => args.next(),
            _ => arg.strip_prefix("--browsers="),
        };
        let known = |list: &&str| list.split(',').all(|name| BROWSERS.contains(&name));
        let list = list.filter(known).ok_or_else(|| {
            format!("`liveness` takes `--long` and `--browsers` with some of {}", BROWSERS.join(","))
        })?;
        chosen.browsers = Some(list.to_owned());
    }
    Ok(chosen)
}

/// node:test with all that any file may need.
fn whole(session: &Session) -> Result<Command> {
    let mut command = command(session)?;
    command
        .env("EVERWIRE_PKG_TRAP", &session.package(Variant::Trap)?.dir)
        .env(leptos::SITE, leptos::site()?)
        .env("EVERWIRE_CONFORM_BIN", server::conform()?);
    Ok(command)
}

/// node:test with the published package, the browsers and `everwire-server`.
fn command(session: &Session) -> Result<Command> {
    let mut command = node_test();
    command
        .env("EVERWIRE_PKG", &session.package(Variant::Published)?.dir)
        .env("CHROMIUM", &session.browser()?.chromium)
        .env("EVERWIRE_SERVER_BIN", server::binary()?);
    session.others().tell(&mut command);
    if session.long {
        command.env("EVERWIRE_LONG", "1");
    }
    Ok(command)
}

fn files<'a>(command: &'a mut Command, names: &[&str]) -> &'a mut Command {
    command.args(names.iter().map(|name| root().join(DIR).join(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn liveness_takes_its_length_and_known_browsers() {
        let ask = |args: &[&str]| chosen(&args.iter().map(ToString::to_string).collect::<Vec<_>>());
        let is = |long, browsers: Option<&str>| Ok(Chosen { long, browsers: browsers.map(str::to_owned) });
        assert_eq!(ask(&[]), is(false, None));
        assert_eq!(ask(&["--long"]), is(true, None));
        assert_eq!(ask(&["--browsers", "webkit,chromium", "--long"]), is(true, Some("webkit,chromium")));
        assert_eq!(ask(&["--browsers=firefox"]), is(false, Some("firefox")));
        for wrong in
            [&["--browsers"][..], &["--browsers", "lynx"], &["--browsers="], &["--short"], &["firefox"]]
        {
            assert!(ask(wrong).is_err(), "{wrong:?}");
        }
    }

    /// A file that was renamed would be missed by nobody: node:test fails, but only in a run that takes minutes.
    #[test]
    fn every_file_that_is_named_is_there() {
        for name in ONE_BROWSER.iter().chain(&LIVENESS) {
            assert!(root().join(DIR).join(name).is_file(), "{name}");
        }
    }
}
