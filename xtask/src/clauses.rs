//! Each clause of the protocol, the tests that cite it, and whether they passed.
//!
//! A test cites a clause by its id in brackets, in the comment above it or anywhere in its body. Vectors cite it in
//! their `clauses`; they belong to the tests that name their file. Nothing is remembered from an earlier run: the
//! command runs the native tests itself and reads what they print.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::proc;
use crate::workspace::{root, shown};

/// The native crates; the shell's tests and the browsers' come with the parts of the protocol that live there.
const CRATES: [&str; 3] = ["bodies", "core", "sim"];

/// One numbered sentence of the specification.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Clause {
    id: String,
    /// The chapter's prefix and the number, to sort by.
    order: (usize, u32),
    standing: Standing,
}

/// Whether a clause is one that tests can prove.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Standing {
    InForce,
    /// "(Advice.)": it binds the operator, and no test can show that he keeps it.
    Advice,
    Withdrawn,
}

impl Standing {
    /// By the words behind the id.
    fn of(said: &str) -> Self {
        let said = said.trim_start_matches([' ', '|', '*', ':']).to_lowercase();
        if said.starts_with("(advice.)") {
            Self::Advice
        } else if said.trim_start_matches('(').starts_with("withdrawn") {
            Self::Withdrawn
        } else {
            Self::InForce
        }
    }
}

/// A test and what it cites.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Test {
    name: String,
    cites: BTreeSet<String>,
    /// The text of the test, to find the data files that it names.
    text: String,
}

/// Prints the table. `Ok(false)`: a clause has no passed test.
pub(crate) fn run(args: &[String]) -> Result<bool> {
    let all = match args {
        [] => false,
        [flag] if flag == "--all" => true,
        _ => return Err("`clauses` takes `--all` or nothing".into()),
    };
    let specification = read(&root().join("docs/PROTOCOL.md"))?;
    let clauses = clauses_in(&specification);
    if clauses.is_empty() {
        return Err("docs/PROTOCOL.md holds no clause".into());
    }
    let tests = tests()?;
    let mut command = proc::cargo();
    command.args(["test", "--no-fail-fast"]);
    for name in CRATES {
        command.args(["--package".to_owned(), format!("everwire-{name}")]);
    }
    let ran = proc::tee(&mut command, std::time::Duration::from_secs(1200));
    let passed = results_in(&ran.text);

    let mut proved = 0;
    println!();
    for clause in in_force(&clauses) {
        let citing: Vec<&str> = tests
            .iter()
            .filter(|test| test.cites.contains(&clause.id))
            .map(|test| test.name.as_str())
            .collect();
        let ok = citing.iter().any(|name| passed.get(*name) == Some(&true))
            && !citing.iter().any(|name| passed.get(*name) == Some(&false));
        proved += usize::from(ok);
        if all || (!ok && !citing.is_empty()) {
            let verdict = match (ok, citing.is_empty()) {
                (true, _) => "passed",
                (false, true) => "no test",
                (false, false) => "not passed",
            };
            println!("  {:<10} {verdict:<10} {}", clause.id, citing.join(", "));
        }
    }
    let known: BTreeSet<&str> = clauses.iter().map(|clause| clause.id.as_str()).collect();
    let mut strangers = false;
    for test in &tests {
        for id in test.cites.iter().filter(|id| !known.contains(id.as_str())) {
            println!("  {id:<10} is cited by {} and is no clause", test.name);
            strangers = true;
        }
    }
    let live = in_force(&clauses).count();
    let advice = clauses.iter().filter(|clause| clause.standing == Standing::Advice).count();
    println!("\n{}", by_chapter(&clauses, &tests, &passed));
    println!("{proved} of {live} clauses have a passed test; {advice} are advice to operators and need none");
    Ok(proved == live && !strangers && ran.ok)
}

/// Those that need a test.
fn in_force(clauses: &[Clause]) -> impl Iterator<Item = &Clause> {
    clauses.iter().filter(|clause| clause.standing == Standing::InForce)
}

/// One line a chapter: how many of its clauses are proved.
fn by_chapter(clauses: &[Clause], tests: &[Test], passed: &BTreeMap<String, bool>) -> String {
    let mut chapters: Vec<(&str, usize, usize)> = Vec::new();
    for clause in in_force(clauses) {
        let prefix = clause.id.split('-').next().unwrap_or_default();
        let ok =
            tests.iter().any(|test| test.cites.contains(&clause.id) && passed.get(&test.name) == Some(&true));
        match chapters.last_mut() {
            Some(last) if last.0 == prefix => {
                last.1 += usize::from(ok);
                last.2 += 1;
            }
            _ => chapters.push((prefix, usize::from(ok), 1)),
        }
    }
    chapters.iter().map(|(prefix, ok, of)| format!("  {prefix:<8} {ok:>3} of {of:>3}\n")).collect()
}

/// The clauses where they are defined: `**[ID-n]**`. In the order of the document.
fn clauses_in(text: &str) -> Vec<Clause> {
    let mut chapters: Vec<String> = Vec::new();
    let mut clauses = Vec::new();
    for (at, _) in text.match_indices("**[") {
        let rest = &text[at + 3..];
        let Some(end) = rest.find("]**") else { continue };
        let Some((prefix, number)) = parse_id(&rest[..end]) else { continue };
        let chapter = chapters.iter().position(|known| known == prefix).unwrap_or_else(|| {
            chapters.push(prefix.to_owned());
            chapters.len() - 1
        });
        let line = rest[end + 3..].lines().next().unwrap_or_default();
        let id = rest[..end].to_owned();
        clauses.push(Clause { id, order: (chapter, number), standing: Standing::of(line) });
    }
    clauses.sort_by_key(|clause| clause.order);
    clauses
}

/// `SEND-13` is the prefix `SEND` and the number 13.
fn parse_id(id: &str) -> Option<(&str, u32)> {
    let (prefix, number) = id.split_once('-')?;
    let shouts = !prefix.is_empty() && prefix.bytes().all(|byte| byte.is_ascii_uppercase());
    if shouts { Some((prefix, number.parse().ok()?)) } else { None }
}

/// Every id in brackets.
fn citations_in(text: &str) -> BTreeSet<String> {
    let bracketed = text.split('[').skip(1).filter_map(|rest| rest.split_once(']')).map(|(id, _)| id);
    bracketed.filter(|id| parse_id(id).is_some()).map(str::to_owned).collect()
}

/// The tests of a formatted Rust file: the comment above, and the body down to the brace that stands below its `fn`.
fn tests_in(text: &str) -> Vec<Test> {
    let mut tests: Vec<Test> = Vec::new();
    let mut above = String::new();
    let mut is_test = false;
    let mut inside: Option<usize> = None;
    for line in text.lines() {
        let bare = line.trim();
        let indent = line.len() - line.trim_start().len();
        if let (Some(depth), Some(test)) = (inside, tests.last_mut()) {
            test.cites.extend(citations_in(bare));
            test.text.push_str(bare);
            test.text.push('\n');
            if indent == depth && bare.starts_with('}') {
                inside = None;
                above.clear();
            }
            continue;
        }
        is_test |= bare == "#[test]";
        let name = bare.strip_prefix("fn ").or_else(|| bare.strip_prefix("async fn "));
        if let (true, Some(name)) = (is_test, name) {
            let name = name.split(['(', '<']).next().unwrap_or_default().to_owned();
            tests.push(Test { name, cites: citations_in(&above), text: String::new() });
            inside = Some(indent);
            is_test = false;
        } else if bare.starts_with("//") || bare.starts_with("#[") {
            above.push_str(bare);
        } else {
            above.clear();
        }
    }
    tests
}

/// What the vectors of one data file cite: `"clauses": ["SEND-8"]`.
fn vector_citations(text: &str) -> BTreeSet<String> {
    let lists =
        text.split("\"clauses\"").skip(1).filter_map(|rest| rest.split_once(']')).map(|(list, _)| list);
    lists.flat_map(|list| list.split('"')).filter(|id| parse_id(id).is_some()).map(str::to_owned).collect()
}

/// `test NAME … ok` of libtest. A name that both passed and failed somewhere has failed.
fn results_in(output: &str) -> BTreeMap<String, bool> {
    let mut results = BTreeMap::new();
    for line in output.lines() {
        let Some((name, verdict)) = line.strip_prefix("test ").and_then(|rest| rest.rsplit_once(" ... "))
        else {
            continue;
        };
        let name = name.split(" - ").next().unwrap_or(name).rsplit("::").next().unwrap_or(name);
        let ok = verdict.trim() == "ok";
        results.entry(name.to_owned()).and_modify(|before| *before &= ok).or_insert(ok);
    }
    results
}

fn tests() -> Result<Vec<Test>> {
    let mut tests = Vec::new();
    for krate in CRATES {
        for file in files(&root().join(krate), "rs")? {
            tests.extend(tests_in(&read(&file)?));
        }
    }
    for file in files(&root().join("tests/vectors"), "json")? {
        let cited = vector_citations(&read(&file)?);
        let name = file.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        for test in tests.iter_mut().filter(|test| test.text.contains(&name)) {
            test.cites.extend(cited.iter().cloned());
        }
    }
    Ok(tests)
}

/// The files with this ending below a directory, if there is one.
fn files(dir: &Path, ending: &str) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let Ok(entries) = fs::read_dir(dir) else { return Ok(found) };
    for entry in entries.flatten() {
        let path = entry.path();
        if path.is_dir() {
            if entry.file_name() != "target" {
                found.extend(files(&path, ending)?);
            }
        } else if path.extension().is_some_and(|extension| extension == ending) {
            found.push(path);
        }
    }
    found.sort();
    Ok(found)
}

fn read(file: &Path) -> Result<String> {
    fs::read_to_string(file).map_err(|error| format!("{}: {error}", shown(file)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clauses_are_found_where_they_are_defined() {
        let text = "- **[SEND-2]** A. See [SEND-1].\n- **[SEND-1]** B.\n| **[ERR-1]** | withdrawn |\n**[no-1]** **[X-y]**";
        let found = clauses_in(text);
        let ids: Vec<(&str, Standing)> =
            found.iter().map(|clause| (clause.id.as_str(), clause.standing)).collect();
        use Standing as S;
        assert_eq!(ids, [("SEND-1", S::InForce), ("SEND-2", S::InForce), ("ERR-1", S::Withdrawn)]);
    }

    #[test]
    fn advice_is_left_out_of_the_count() {
        let text = "- **[TRN-1]** A.\n- **[TRN-2]** (Advice.) B.\n- **[TRN-3]** Advice of (Advice.) C.\n| **[TRN-4]** | (Advice.) D |\n**[TRN-5]** (withdrawn)";
        let clauses = clauses_in(text);
        let counted: Vec<&str> = in_force(&clauses).map(|clause| clause.id.as_str()).collect();
        assert_eq!(counted, ["TRN-1", "TRN-3"]);
        assert_eq!(by_chapter(&clauses, &[], &BTreeMap::new()), "  TRN        0 of   2\n");
    }

    #[test]
    fn a_test_cites_above_and_inside_and_no_further() {
        // Written so that this file cites nothing itself.
        let text = "//! [A-9]\n\n/// [A-1]\n#[test]\nfn one() {\n  // [A-2]\n}\n\n// [A-3]\n#[test]\nasync fn two() {\n}\n// [A-4]\nfn helper() {}\n";
        let found = tests_in(&text.replace("A-", "AB-"));
        let cited: Vec<(&str, Vec<&str>)> = found
            .iter()
            .map(|test| (test.name.as_str(), test.cites.iter().map(String::as_str).collect()))
            .collect();
        assert_eq!(cited, [("one", vec!["AB-1", "AB-2"]), ("two", vec!["AB-3"])]);
    }

    #[test]
    fn vectors_cite_in_their_lists() {
        let text = r#"[{"clauses": ["SEND-8", "LIM-6"], "frame": "x [ERR-1]"}, {"clauses":["FRM-2"]}]"#;
        let cited: Vec<String> = vector_citations(text).into_iter().collect();
        assert_eq!(cited, ["FRM-2", "LIM-6", "SEND-8"]);
    }

    #[test]
    fn a_name_that_failed_once_has_failed() {
        let output = "test a::b::x ... ok\ntest x ... FAILED\ntest y ... ok\ntest result: ok. 1 passed\ntest z ... ignored\n";
        let results = results_in(output);
        assert_eq!(results.get("x"), Some(&false));
        assert_eq!((results.get("y"), results.get("z")), (Some(&true), Some(&false)));
    }
}
