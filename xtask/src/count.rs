//! Counts what a runner really ran, from its own output. Nothing is ever assumed to have passed.

use std::ops::AddAssign;

use crate::proc::Ran;

/// How a runner reports its tests.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Format {
    /// One check: passed if the program succeeded.
    Check,
    /// `cargo test` and wasm-bindgen's test runner: one `test result:` line per test binary.
    Cargo,
    /// node:test: `pass N` and `fail N` in its closing summary.
    Node,
    /// `tests/conform`: `N passed, N failed` as its last line.
    Conform,
}

/// How many tests passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    pub(crate) passed: u32,
    pub(crate) failed: u32,
    pub(crate) skipped: u32,
}

impl Tally {
    /// One check that passed, or did not.
    pub(crate) fn check(ok: bool) -> Self {
        Tally { passed: u32::from(ok), failed: u32::from(!ok), skipped: 0 }
    }

    /// A runner that could not even start, or found nothing to run.
    pub(crate) fn broken() -> Self {
        Tally::check(false)
    }

    fn seen(self) -> u32 {
        self.passed + self.failed + self.skipped
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }
}

/// Counts one run. A crash is a failure even when every line before it says ok, and so is a run without a single test.
pub(crate) fn count(format: Format, ran: &Ran) -> Tally {
    let mut tally = match format {
        Format::Check => return Tally::check(ran.ok),
        Format::Cargo => cargo(&ran.text),
        Format::Node => node(&ran.text),
        Format::Conform => conform(&ran.text),
    };
    if tally.failed == 0 && (!ran.ok || tally.passed == 0) {
        tally.failed = 1;
    }
    tally
}

fn cargo(text: &str) -> Tally {
    let mut total = Tally::default();
    let mut announced = 0;
    for line in text.lines().map(str::trim) {
        if let Some(result) = line.strip_prefix("test result: ") {
            total += Tally {
                passed: number_before(result, " passed").unwrap_or(0),
                failed: number_before(result, " failed").unwrap_or(0),
                skipped: number_before(result, " ignored").unwrap_or(0),
            };
        } else if let Some(rest) = line.strip_prefix("running ") {
            announced += rest
                .strip_suffix(" tests")
                .or(rest.strip_suffix(" test"))
                .and_then(|number| number.parse::<u32>().ok())
                .unwrap_or(0);
        }
    }
    // A binary that dies in the middle prints no result line: what it had announced was not run.
    total.failed += announced.saturating_sub(total.seen());
    total
}

fn node(text: &str) -> Tally {
    // The last summary is the runner's own; earlier ones may come from a test that started a runner itself.
    let last = |word: &str| {
        text.lines().rev().find_map(|line| {
            let rest = line.strip_prefix("# ").or(line.strip_prefix("ℹ "))?;
            rest.strip_prefix(word)?.strip_prefix(' ')?.trim().parse::<u32>().ok()
        })
    };
    let number = |word| last(word).unwrap_or(0);
    Tally {
        passed: number("pass"),
        failed: number("fail") + number("cancelled"),
        skipped: number("skipped") + number("todo"),
    }
}

fn conform(text: &str) -> Tally {
    let last = text.lines().map(str::trim).rfind(|line| !line.is_empty()).unwrap_or_default();
    let number = |word| number_before(last, word).unwrap_or(0);
    Tally { passed: number(" passed"), failed: number(" failed"), skipped: 0 }
}

/// The number directly before `word`: `5` in `ok. 5 passed; 0 failed`.
fn number_before(line: &str, word: &str) -> Option<u32> {
    let before = &line[..line.find(word)?];
    before.rsplit(|char: char| !char.is_ascii_digit()).next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ran(text: &str, ok: bool) -> Ran {
        Ran { text: text.to_owned(), ok, end: String::new() }
    }

    fn tally(passed: u32, failed: u32, skipped: u32) -> Tally {
        Tally { passed, failed, skipped }
    }

    const CARGO: &str = "
     Running unittests src/lib.rs (target/debug/deps/everwire_core-1)

running 3 tests
test a ... ok
test b ... ok
test c ... ignored

test result: ok. 2 passed; 0 failed; 1 ignored; 0 measured; 4 filtered out; finished in 0.00s

     Running tests/one.rs (target/debug/deps/one-1)

running 1 test
test d ... ok

test result: ok. 1 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.01s
";

    #[test]
    fn cargo_sums_over_its_binaries() {
        assert_eq!(count(Format::Cargo, &ran(CARGO, true)), tally(3, 0, 1));
    }

    #[test]
    fn cargo_failures_are_counted() {
        let text = "running 3 tests\ntest result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(count(Format::Cargo, &ran(text, false)), tally(1, 2, 0));
    }

    #[test]
    fn tests_announced_but_never_reported_are_failures() {
        let text =
            format!("{CARGO}\nrunning 20 tests\ntest e ... ok\nerror: test failed\nCaused by: SIGABRT\n");
        assert_eq!(count(Format::Cargo, &ran(&text, false)), tally(3, 20, 1));
    }

    #[test]
    fn a_crash_after_good_results_is_a_failure() {
        assert_eq!(count(Format::Cargo, &ran(CARGO, false)), tally(3, 1, 1));
    }

    #[test]
    fn a_run_without_tests_is_a_failure() {
        let text = "running 0 tests\n\ntest result: ok. 0 passed; 0 failed; 0 ignored; 0 measured\n";
        assert_eq!(count(Format::Cargo, &ran(text, true)), tally(0, 1, 0));
        assert_eq!(count(Format::Cargo, &ran("", true)), tally(0, 1, 0));
        assert_eq!(count(Format::Node, &ran("", true)), tally(0, 1, 0));
        assert_eq!(count(Format::Node, &ran("ℹ tests 0\nℹ pass 0\nℹ fail 0\n", true)), tally(0, 1, 0));
    }

    #[test]
    fn a_compile_error_is_a_failure() {
        assert_eq!(count(Format::Cargo, &ran("error[E0425]: cannot find value\n", false)), tally(0, 1, 0));
    }

    #[test]
    fn node_summaries_in_both_reporters() {
        let tap = "ok 1 - a\n1..1\n# tests 7\n# suites 1\n# pass 4\n# fail 1\n# cancelled 1\n# skipped 1\n# todo 0\n";
        assert_eq!(count(Format::Node, &ran(tap, false)), tally(4, 2, 1));
        let spec =
            "✔ a (1ms)\nℹ tests 3\nℹ suites 0\nℹ pass 3\nℹ fail 0\nℹ cancelled 0\nℹ skipped 0\nℹ todo 0\n";
        assert_eq!(count(Format::Node, &ran(spec, true)), tally(3, 0, 0));
    }

    #[test]
    fn the_last_node_summary_counts() {
        let text = "# pass 99\n# fail 0\nnot a summary: # pass 5\n# pass 2\n# fail 0\n";
        assert_eq!(count(Format::Node, &ran(text, true)), tally(2, 0, 0));
    }

    #[test]
    fn a_node_runner_that_died_is_a_failure() {
        assert_eq!(count(Format::Node, &ran("ℹ pass 3\nℹ fail 0\n", false)), tally(3, 1, 0));
    }

    #[test]
    fn the_last_line_of_the_conformance_suite_counts() {
        let text = "  failed: 3 passed, 9 failed by name\n\n824 passed, 2 failed\n";
        assert_eq!(count(Format::Conform, &ran(text, false)), tally(824, 2, 0));
        assert_eq!(count(Format::Conform, &ran("824 passed, 0 failed\n", true)), tally(824, 0, 0));
    }

    #[test]
    fn a_conformance_suite_that_died_is_a_failure() {
        assert_eq!(count(Format::Conform, &ran("824 passed, 0 failed\n", false)), tally(824, 1, 0));
        assert_eq!(count(Format::Conform, &ran("TypeError: x\n", false)), tally(0, 1, 0));
        assert_eq!(count(Format::Conform, &ran("0 passed, 0 failed\n", true)), tally(0, 1, 0));
    }

    #[test]
    fn checks_count_one() {
        assert_eq!(count(Format::Check, &ran("whatever: 12 passed", true)), tally(1, 0, 0));
        assert_eq!(count(Format::Check, &ran("", false)), tally(0, 1, 0));
    }
}
