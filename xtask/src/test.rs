//! `cargo xtask test`: every runner in turn, each counted from its own output, one true total at the end.

use std::cell::OnceCell;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use crate::Result;
use crate::conform;
use crate::count::{Format, Tally, count};
use crate::demo;
use crate::e2e;
use crate::engines::{self, Others};
use crate::leptos;
use crate::model;
use crate::npm;
use crate::package::{self, Built, Variant};
use crate::proc;
use crate::server;
use crate::setup::{self, Browser};
use crate::simulate;
use crate::size;
use crate::step::{elapsed, say};
use crate::workspace::{self, root};

/// No runner takes this long unless it hangs.
const LIMIT: Duration = Duration::from_secs(55 * 60);
/// The same for `--long`.
const LIMIT_LONG: Duration = Duration::from_secs(3 * 60 * 60);

struct Runner {
    name: &'static str,
    about: &'static str,
    /// Only with `--long`, or when named.
    long: bool,
    run: fn(&mut Session) -> Result<()>,
}

const RUNNERS: &[Runner] = &[
    Runner { name: "fmt", about: "rustfmt has nothing to change", long: false, run: fmt },
    Runner { name: "clippy", about: "no warning, natively and for the browser", long: false, run: clippy },
    Runner { name: "core", about: "the state machines, native", long: false, run: core },
    Runner { name: "bodies", about: "the JSON of the protocol, native", long: false, run: bodies },
    Runner {
        name: "server",
        about: "the servers' common half and everwire-server, native",
        long: false,
        run: servers,
    },
    Runner {
        name: "sim",
        about: "many machines in virtual time: storms, bad luck, known bugs",
        long: false,
        run: sim,
    },
    Runner { name: "model", about: "every order of events, within bounds", long: false, run: model },
    Runner {
        name: "conform",
        about: "the protocol over the wire, put to each of the three servers",
        long: false,
        run: conformance,
    },
    Runner { name: "doc", about: "the examples in the documentation", long: false, run: doc },
    Runner { name: "xtask", about: "this command itself", long: false, run: xtask },
    Runner { name: "wasm", about: "the shell, in Chromium, Firefox and WebKit", long: false, run: wasm },
    Runner { name: "facade", about: "TypeScript: types and unit tests", long: false, run: facade },
    Runner { name: "build", about: "the npm package, its checks and size bounds", long: false, run: build },
    Runner {
        name: "packaging",
        about: "packed, installed, imported, bundled, type-checked",
        long: false,
        run: packaging,
    },
    Runner {
        name: "e2e",
        about: "the built package in Chromium, Firefox and WebKit",
        long: false,
        run: e2e::run,
    },
    Runner { name: "demo", about: "the demo page, every button", long: false, run: demo },
    Runner {
        name: "wasm-pack",
        about: "wasm-pack build and test on the root package",
        long: true,
        run: wasm_pack,
    },
];

/// The runners for `help`.
pub(crate) fn list() -> String {
    let row = |runner: &Runner| {
        let note = if runner.long { " (with --long)" } else { "" };
        format!("  {:<10} {}{note}\n", runner.name, runner.about)
    };
    RUNNERS.iter().map(row).collect()
}

/// Runs the chosen runners; true if every test passed.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let long = args.iter().any(|arg| arg == "--long");
    let names: Vec<&str> = args.iter().map(String::as_str).filter(|arg| *arg != "--long").collect();
    let chosen = choose(&names, long)?;
    let mut session = Session::new(long);
    let mut rows = Vec::new();
    for runner in chosen {
        let (tally, time) = session.turn(runner.name, runner.about, runner.run);
        rows.push((runner.name, tally, time));
    }
    Ok(report(&rows, &session.failures))
}

fn choose(names: &[&str], long: bool) -> Result<Vec<&'static Runner>> {
    if let Some(unknown) = names.iter().find(|name| RUNNERS.iter().all(|runner| runner.name != **name)) {
        return Err(format!("there is no runner `{unknown}`; these are:\n{}", list()));
    }
    let wanted = |runner: &&Runner| match names {
        [] => long || !runner.long,
        _ => names.contains(&runner.name),
    };
    Ok(RUNNERS.iter().filter(wanted).collect())
}

fn report(rows: &[(&str, Tally, Duration)], failures: &[String]) -> bool {
    say(&format!("\n  {:<10} {:>7} {:>7} {:>8} {:>13}", "runner", "passed", "failed", "skipped", "time"));
    let mut total = Tally::default();
    for (name, tally, time) in rows {
        let Tally { passed, failed, skipped } = tally;
        say(&format!("  {name:<10} {passed:>7} {failed:>7} {skipped:>8} {:>13}", elapsed(*time)));
        total += *tally;
    }
    if !failures.is_empty() {
        say("\nfailed:");
    }
    for failure in failures {
        say(&format!("  {}", failure.replace('\n', "\n    ")));
    }
    say(&format!("\n{}", closing_line(total)));
    total.failed == 0 && total.passed > 0
}

/// The last line of all, for people and for CI.
fn closing_line(total: Tally) -> String {
    format!("{} passed, {} failed", total.passed, total.failed)
}

/// What the runners share: set-up is done once, by the first that needs it.
pub(crate) struct Session {
    pub(crate) long: bool,
    tally: Tally,
    failures: Vec<String>,
    browser: OnceCell<Result<Browser>>,
    others: OnceCell<Others>,
    published: OnceCell<Result<Built>>,
    trap: OnceCell<Result<Built>>,
}

impl Session {
    fn new(long: bool) -> Self {
        Session {
            long,
            tally: Tally::default(),
            failures: Vec::new(),
            browser: OnceCell::new(),
            others: OnceCell::new(),
            published: OnceCell::new(),
            trap: OnceCell::new(),
        }
    }

    /// One runner that has a command of its own; true if every test passed.
    pub(crate) fn alone(
        name: &str,
        about: &str,
        long: bool,
        run: impl FnOnce(&mut Self) -> Result<()>,
    ) -> bool {
        let mut session = Self::new(long);
        let (tally, time) = session.turn(name, about, run);
        report(&[(name, tally, time)], &session.failures)
    }

    /// What a runner counted, and how long it took.
    fn turn(
        &mut self,
        name: &str,
        about: &str,
        run: impl FnOnce(&mut Self) -> Result<()>,
    ) -> (Tally, Duration) {
        say(&format!("\n━━ {name} ━━ {about}"));
        let started = Instant::now();
        self.tally = Tally::default();
        if let Err(error) = run(self) {
            self.fail(&error);
        }
        if self.tally == Tally::default() {
            self.fail("no tests found");
        }
        (self.tally, started.elapsed())
    }

    /// Runs one program of a runner and adds what it counted.
    pub(crate) fn tests(&mut self, format: Format, command: &mut Command) {
        let limit = if self.long { LIMIT_LONG } else { LIMIT };
        let ran = proc::tee(command, limit);
        let tally = count(format, &ran);
        if tally.failed > 0 {
            let name = Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy();
            let args: Vec<_> = command.get_args().map(|arg| workspace::shown(Path::new(arg))).collect();
            self.failures.push(format!("{name} {} ({} failed; {})", args.join(" "), tally.failed, ran.end));
        }
        self.tally += tally;
    }

    /// node:test on every `*.test.mjs` of a directory.
    pub(crate) fn node_tests(&mut self, dir: &str, command: &mut Command) -> Result<()> {
        let files = test_files(&root().join(dir))?;
        if files.is_empty() {
            return Err(format!("no tests found in {dir}"));
        }
        self.tests(Format::Node, command.args(files));
        Ok(())
    }

    fn check(&mut self, outcome: Result<()>) {
        match outcome {
            Ok(()) => self.tally += Tally::check(true),
            Err(error) => self.fail(&error),
        }
    }

    fn fail(&mut self, error: &str) {
        say(&format!("failed: {error}"));
        self.failures.push(error.to_owned());
        self.tally += Tally::broken();
    }

    pub(crate) fn browser(&self) -> Result<&Browser> {
        self.browser.get_or_init(setup::browser).as_ref().map_err(Clone::clone)
    }

    pub(crate) fn others(&self) -> &Others {
        self.others.get_or_init(Others::find)
    }

    /// Fails for each engine that is missing where all should be.
    fn complain(&mut self) {
        for error in self.others().missing.clone() {
            self.fail(&error);
        }
    }

    pub(crate) fn package(&self, variant: Variant) -> Result<&Built> {
        let cell = match variant {
            Variant::Published => &self.published,
            Variant::Trap => &self.trap,
        };
        cell.get_or_init(|| package::build(variant)).as_ref().map_err(Clone::clone)
    }
}

fn fmt(session: &mut Session) -> Result<()> {
    setup::component("rustfmt", "fmt")?;
    session.tests(Format::Check, proc::cargo().args(["fmt", "--all", "--check"]));
    session.tests(Format::Check, &mut leptos::fmt());
    Ok(())
}

fn clippy(session: &mut Session) -> Result<()> {
    setup::component("clippy", "clippy")?;
    setup::wasm_target()?;
    let mut lint = |args: &[&str]| {
        let mut command = proc::cargo();
        session.tests(Format::Check, command.arg("clippy").args(args).args(["--", "-D", "warnings"]));
    };
    lint(&["--workspace", "--all-targets"]);
    lint(&["--package", "everwire", "--target", setup::WASM, "--all-targets", "--all-features"]);
    lint(&["--package", "everwire-host-wasm", "--target", setup::WASM, "--all-targets"]);
    // What a Rust application depends on.
    lint(&["--package", "everwire", "--target", setup::WASM, "--no-default-features"]);
    session.tests(Format::Check, &mut leptos::clippy()?);
    Ok(())
}

fn core(session: &mut Session) -> Result<()> {
    session.tests(
        Format::Cargo,
        proc::cargo().args(["test", "--no-fail-fast", "--package", "everwire-core", "--all-targets"]),
    );
    Ok(())
}

fn bodies(session: &mut Session) -> Result<()> {
    session.tests(
        Format::Cargo,
        proc::cargo().args(["test", "--no-fail-fast", "--package", "everwire-bodies", "--all-targets"]),
    );
    Ok(())
}

fn servers(session: &mut Session) -> Result<()> {
    let mut command = proc::cargo();
    command.args(["test", "--no-fail-fast", "--all-targets"]);
    session
        .tests(Format::Cargo, command.args(["--package", "everwire-host", "--package", "everwire-server"]));
    Ok(())
}

fn sim(session: &mut Session) -> Result<()> {
    session.tests(
        Format::Cargo,
        proc::cargo().args(["test", "--no-fail-fast", "--package", "everwire-sim", "--all-targets"]),
    );
    session.tests(Format::Check, &mut simulate::fresh());
    session.tests(Format::Check, &mut simulate::mutants());
    Ok(())
}

fn model(session: &mut Session) -> Result<()> {
    session.tests(Format::Cargo, &mut model::tests());
    Ok(())
}

fn conformance(session: &mut Session) -> Result<()> {
    setup::npm()?;
    session.package(Variant::Published)?;
    let servers = [
        ("examples/node-session-server", npm::node("examples/node-session-server/conform.mjs"), None),
        ("everwire/server", npm::node("tests/conform/npm-server.mjs"), None),
        (
            "everwire-server",
            proc::command(server::conform()?),
            Some(workspace::target()?.join("conform.log")),
        ),
    ];
    for (name, command, log) in servers {
        say(&format!("\n  {name}"));
        let server = conform::Server::start(name, command, log)?;
        session.tests(Format::Conform, &mut conform::suite(&server));
    }
    Ok(())
}

fn doc(session: &mut Session) -> Result<()> {
    session.tests(Format::Cargo, proc::cargo().args(["test", "--no-fail-fast", "--doc", "--workspace"]));
    session.tests(
        Format::Check,
        proc::cargo()
            .args(["doc", "--no-deps", "--workspace", "--document-private-items"])
            .env("RUSTDOCFLAGS", "-D warnings"),
    );
    Ok(())
}

fn xtask(session: &mut Session) -> Result<()> {
    session.tests(Format::Cargo, proc::cargo().args(["test", "--package", "xtask"]));
    Ok(())
}

fn wasm(session: &mut Session) -> Result<()> {
    setup::wasm_target()?;
    let args =
        ["test", "--no-fail-fast", "--package", "everwire", "--target", setup::WASM, "--lib", "--tests"];
    for (name, mut command) in session.others().cargo(session.browser()?, &args)? {
        say(&format!("\n  {name}"));
        session.tests(Format::Cargo, &mut command);
    }
    session.complain();
    Ok(())
}

fn facade(session: &mut Session) -> Result<()> {
    setup::npm()?;
    for project in ["pkg-template", "pkg-template/tsconfig.server.json"] {
        session.tests(Format::Check, npm::tool("tsc").args(["--noEmit", "--project", project]));
    }
    session.node_tests("pkg-template/test", &mut node_test())
}

fn build(session: &mut Session) -> Result<()> {
    let published = session.package(Variant::Published).cloned();
    let trap = session.package(Variant::Trap).map(drop);
    let sizes = published.as_ref().map_err(Clone::clone).and_then(|built| {
        let entries = size::measure(built)?;
        size::print(&entries);
        size::check(&entries)
    });
    session.check(published.map(drop));
    session.check(trap);
    session.check(package::check_library());
    session.check(leptos::check_exports());
    session.check(sizes);
    Ok(())
}

fn packaging(session: &mut Session) -> Result<()> {
    let package = session.package(Variant::Published)?.dir.clone();
    session.node_tests("xtask/js", node_test().env("EVERWIRE_PKG", package))
}

fn demo(session: &mut Session) -> Result<()> {
    let chromium = session.browser()?.chromium.clone();
    session.package(Variant::Published)?;
    let server = server::binary()?;
    session.node_tests("www", node_test().env("CHROMIUM", chromium).env(demo::SERVER, server))
}

fn wasm_pack(session: &mut Session) -> Result<()> {
    setup::wasm_target()?;
    let program = setup::wasm_pack()?;
    // wasm-pack looks for wasm-bindgen on PATH before it would fetch one.
    let path = proc::path_with(&setup::wasm_bindgen()?)?;
    let (driver, capabilities) = {
        let browser = session.browser()?;
        (browser.driver.clone(), engines::chromium_capabilities(browser)?)
    };
    let out = workspace::target()?.join("wasm-pack");
    let mut build = proc::command(&program);
    session.tests(Format::Check, build.arg("build").arg("--out-dir").arg(&out).env("PATH", &path));
    let mut test = proc::command(&program);
    test.args(["test", "--headless", "--chrome", "--chromedriver"]).arg(driver);
    test.env("PATH", &path).env("WASM_BINDGEN_TEST_WEBDRIVER_JSON", capabilities);
    session.tests(Format::Cargo, &mut test);
    Ok(())
}

/// node:test, one file at a time: browsers on two cores disturb each other's clocks.
pub(crate) fn node_test() -> Command {
    let mut command = proc::command("node");
    command.args(["--test", "--test-reporter=spec", "--test-concurrency=1"]);
    // A colour would only be in the way of the count.
    command.env_remove("FORCE_COLOR").env("NO_COLOR", "1");
    if env::var_os("NODE_TEST_CONTEXT").is_some() {
        // Inherited, it would turn the summary off.
        command.env_remove("NODE_TEST_CONTEXT");
    }
    command
}

fn test_files(dir: &Path) -> Result<Vec<PathBuf>> {
    if !dir.is_dir() {
        return Ok(Vec::new());
    }
    let shown = |error| format!("{}: {error}", dir.display());
    let mut files = Vec::new();
    for entry in fs::read_dir(dir).map_err(shown)? {
        let path = entry.map_err(shown)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if path.is_dir() {
            if name != "node_modules" {
                files.extend(test_files(&path)?);
            }
        } else if name.ends_with(".test.mjs") || name.ends_with(".test.js") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn without_a_name_all_but_the_long_ones_run_in_order() {
        let names = |names: &[&str], long| {
            choose(names, long).map(|list| list.iter().map(|one| one.name).collect::<Vec<_>>())
        };
        let usual = names(&[], false).expect("a choice");
        assert_eq!(usual.first(), Some(&"fmt"));
        assert_eq!(usual.last(), Some(&"demo"));
        assert_eq!(names(&[], true).map(|list| list.len()), Ok(RUNNERS.len()));
        assert_eq!(names(&["e2e", "core"], false), Ok(vec!["core", "e2e"]));
        assert_eq!(names(&["wasm-pack"], false), Ok(vec!["wasm-pack"]));
        assert!(names(&["cores"], false).is_err());
    }

    #[test]
    fn the_closing_line_is_plain() {
        assert_eq!(closing_line(Tally { passed: 12, failed: 3, skipped: 1 }), "12 passed, 3 failed");
    }

    #[test]
    fn nothing_run_is_no_success() {
        assert!(!report(&[], &[]));
        assert!(!report(&[("a", Tally { passed: 3, failed: 1, skipped: 0 }, Duration::ZERO)], &[]));
        assert!(report(&[("a", Tally { passed: 3, failed: 0, skipped: 0 }, Duration::ZERO)], &[]));
    }

    #[test]
    fn a_directory_that_is_not_there_holds_no_tests() {
        assert_eq!(test_files(Path::new("/no/such/directory")), Ok(vec![]));
    }
}
