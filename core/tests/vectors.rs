//! The shared vectors of `tests/vectors/frames`: every implementation of `everwire.v1` is held against the same octets.
//! The format is described there.

mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use everwire_core::frame::{Body, End, Form, FrameError, MESSAGE_BYTES_DEFAULT, frame_bytes_max, split};
use serde_json::{Value, json};
use wire::From;

struct Vector {
    name: String,
    clauses: Vec<String>,
    form: Form,
    frame: Vec<u8>,
    frame_bytes_max: u64,
    all: Value,
}

impl Vector {
    fn from(&self) -> From {
        match self.all["from"].as_str() {
            Some("client") => From::Client,
            Some("server") => From::Server,
            other => panic!("{}: from {other:?}", self.name),
        }
    }

    fn read(&self, from: From) -> Result<Option<Value>, FrameError> {
        wire::read(from, self.form, &self.frame, self.frame_bytes_max)
    }
}

/// Octets as the vectors spell them: a string, or a list of strings, `{hex}` and `{repeat, times}`.
fn octets(value: &Value) -> Vec<u8> {
    match value {
        Value::String(text) => text.as_bytes().to_vec(),
        Value::Array(parts) => parts.iter().flat_map(octets).collect(),
        part => match (part["hex"].as_str(), part["repeat"].as_str(), part["times"].as_u64()) {
            (Some(hex), None, None) => (0..hex.len())
                .step_by(2)
                .map(|at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap())
                .collect(),
            (None, Some(text), Some(times)) => text.as_bytes().repeat(usize::try_from(times).unwrap()),
            _ => panic!("no octets: {part}"),
        },
    }
}

fn load(file: &str) -> Vec<Vector> {
    let text = std::fs::read_to_string(wire::vectors("frames").join(file)).unwrap();
    let vectors: Vec<Vector> = serde_json::from_str::<Vec<Value>>(&text)
        .unwrap()
        .into_iter()
        .map(|all| Vector {
            name: all["name"].as_str().unwrap().to_owned(),
            clauses: all["clauses"]
                .as_array()
                .unwrap()
                .iter()
                .map(|id| id.as_str().unwrap().to_owned())
                .collect(),
            form: if all["form"] == "binary" { Form::Binary } else { Form::Text },
            frame: octets(&all["frame"]),
            frame_bytes_max: frame_bytes_max(all["message_limit"].as_u64().unwrap_or(MESSAGE_BYTES_DEFAULT)),
            all,
        })
        .collect();
    assert!(!vectors.is_empty());
    assert_eq!(
        vectors.iter().map(|vector| &vector.name).collect::<BTreeSet<_>>().len(),
        vectors.len(),
        "names"
    );
    vectors
}

// [FRM-1] [FRM-2] [FRM-7] [FRM-10]: octets to fields, and fields to the same octets.
#[test]
fn valid_frames_are_read_and_written() {
    for vector in load("valid.json") {
        let name = &vector.name;
        assert_eq!(vector.read(vector.from()), Ok(Some(vector.all["fields"].clone())), "{name}");
        let parts = split(vector.form, &vector.frame).unwrap();
        let mut body = Vec::new();
        match parts.body {
            Body::None => assert!(vector.all.get("body").is_none(), "{name}"),
            Body::Whole(whole) => {
                assert_eq!(whole, octets(&vector.all["body"]), "{name}");
                body.extend_from_slice(whole);
            }
            Body::Binary { envelope, content } => {
                assert_eq!(envelope, octets(&vector.all["envelope"]), "{name}");
                assert_eq!(content, octets(&vector.all["content"]), "{name}");
                body = [envelope, content].join(&b'\n');
            }
        }
        // What only advises is cut, and then it is no longer what was written. [NUM-4]
        if vector.all.get("clamped").is_none() {
            let mut written = wire::write(vector.from(), &vector.all["fields"]);
            written.extend_from_slice(&body);
            assert!(written == vector.frame, "{name}: {}", String::from_utf8_lossy(&written));
        }
    }
}

// [ERR-1] [ERR-2] [ERR-3] [ERR-5] [CLOSE-2]: the documented error, and the code to close with.
#[test]
fn invalid_frames_fail_as_documented() {
    let mut wrong = String::new();
    for vector in load("invalid.json") {
        let read = vector.read(vector.from());
        let receiver = if vector.from() == From::Client { End::Node } else { End::Client };
        let got = read.as_ref().err().map(|error| (error.name(), u64::from(error.close_code(receiver))));
        if got != vector.all["error"].as_str().zip(vector.all["close"].as_u64()) {
            writeln!(wrong, "{}: {} and not {got:?}", vector.name, vector.all["error"]).unwrap();
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

// [FRM-3] [ERR-4]: extensions, from whichever end.
#[test]
fn extensions_are_ignored() {
    for vector in load("ignored.json") {
        for from in [From::Client, From::Server] {
            assert_eq!(vector.read(from), Ok(None), "{}", vector.name);
        }
    }
    let beyond = [b"x-a\n".as_slice(), &vec![b' '; 1_081_341]].concat();
    let most = frame_bytes_max(MESSAGE_BYTES_DEFAULT);
    assert_eq!(wire::read(From::Client, Form::Text, &beyond, most), Err(FrameError::FrameTooLong), "[LIM-3]");
}

// [FRM-4] [ERR-3]: what one end may write, the other may not, save where both may.
#[test]
fn a_verb_of_the_other_direction_is_an_error() {
    for vector in load("valid.json") {
        let (other, verb) = match vector.from() {
            From::Client => (From::Server, &vector.all["fields"]["verb"]),
            From::Server => (From::Client, &vector.all["fields"]["verb"]),
        };
        match verb.as_str().unwrap() {
            "cast" | "ping" | "pong" | "more" | "auth" => {
                assert!(vector.read(other).is_ok(), "{}", vector.name)
            }
            "page" => assert!(vector.read(other).is_err(), "{}", vector.name),
            _ => assert_eq!(vector.read(other), Err(FrameError::WrongDirection), "{}", vector.name),
        }
    }
}

/// The lines of the document's examples that are whole frames.
fn worked_examples() -> Vec<(From, String)> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md")).unwrap();
    text.lines()
        .filter_map(|line| {
            let client = line.strip_prefix("C→S ").map(|frame| (From::Client, frame));
            client.or_else(|| line.strip_prefix("S→C ").map(|frame| (From::Server, frame)))
        })
        .map(|(from, frame)| (from, frame.replace('⏎', "\n")))
        .collect()
}

// [FRM-1] [FRM-2]: the document's own frames. The file is what other implementations read; UPDATE_VECTORS=1 writes it anew
// from the document, and what has changed is to be read by somebody.
#[test]
fn every_worked_example_is_a_vector() {
    let examples: Vec<String> = worked_examples()
        .into_iter()
        .map(|(from, frame)| {
            let most = frame_bytes_max(MESSAGE_BYTES_DEFAULT);
            let fields = wire::read(from, Form::Text, frame.as_bytes(), most);
            let fields = fields.unwrap_or_else(|error| panic!("{frame:?}: {}", error.name())).unwrap();
            let body = frame.split_once('\n').map_or("", |(_, body)| body);
            assert_eq!([wire::write(from, &fields), body.as_bytes().to_vec()].concat(), frame.as_bytes());
            let from = if from == From::Client { "client" } else { "server" };
            json!({"from": from, "frame": frame, "fields": fields}).to_string()
        })
        .collect();
    assert!(examples.len() > 30, "the examples are where they were");
    let text = format!("[\n  {}\n]\n", examples.join(",\n  "));
    let path = wire::vectors("frames/examples.json");
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(&path, &text).unwrap();
    }
    assert!(
        std::fs::read_to_string(path).unwrap() == text,
        "run with UPDATE_VECTORS=1 and read the difference"
    );
}

// [CRED-8] [LIVE-13]: the two binary frames that the document shows in hexadecimal.
#[test]
fn the_hex_dumps_of_the_document() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md")).unwrap();
    let mut dumps: Vec<Vec<u8>> = Vec::new();
    for line in text.lines() {
        let (Some(at), Some(line)) = (line.get(..4), line.get(6..)) else { continue };
        let Ok(at) = usize::from_str_radix(at, 16) else { continue };
        if at == 0 {
            dumps.push(Vec::new());
        }
        let dump = dumps.last_mut().unwrap();
        assert_eq!(dump.len(), at);
        dump.extend(line.split(' ').map_while(|octet| u8::from_str_radix(octet, 16).ok()));
    }
    let [big, small] = dumps.as_slice() else { panic!("{} dumps", dumps.len()) };
    let most = frame_bytes_max(MESSAGE_BYTES_DEFAULT);
    let parts = split(Form::Binary, big).unwrap();
    let Body::Binary { envelope, content } = parts.body else { panic!() };
    assert_eq!(parts.head, b"send 3 1 3");
    let length = envelope.len() + 1 + 20_000;
    assert_eq!((length, parts.head.len() + 1 + length), (20_072, 20_083));
    assert!(content.starts_with(b"\x89PNG\r\n\x1a\n"));
    assert!(wire::read(From::Client, Form::Binary, big, most).is_ok());

    assert_eq!(
        wire::read(From::Server, Form::Binary, small, most),
        Ok(Some(json!({"verb": "push", "after": 0, "upto": 4, "numbers": [4]})))
    );
    let parts = split(Form::Binary, small).unwrap();
    assert_eq!(parts.body, Body::Binary { envelope: br#"{"id":"c2","type":"file"}"#, content: &[1, 2, 3] });
    assert_eq!(parts.shape().body_bytes, Some(29), "what it counts in `seen`");
}

/// A frame as one readable line.
fn shown(vector: &Vector) -> String {
    let text: String = vector.frame.escape_ascii().to_string();
    match text.char_indices().nth(56) {
        Some((at, _)) => format!("{}… {} octets", &text[..at], vector.frame.len()),
        None => text,
    }
}

// [ERR-1] [ERR-2] [ERR-3] [ERR-5] [SEC-12]: the table of hostile frames; every error has one, and names its clause.
#[test]
fn the_table_of_hostile_frames() {
    let mut table = String::new();
    let mut met: BTreeMap<FrameError, usize> = BTreeMap::new();
    let mut vectors = load("invalid.json");
    vectors.sort_by_key(|vector| vector.read(vector.from()).err());
    for vector in &vectors {
        let error = vector.read(vector.from()).expect_err(&vector.name);
        *met.entry(error).or_default() += 1;
        let (receiver, end) =
            if vector.from() == From::Client { (End::Node, "node") } else { (End::Client, "client") };
        let form = if vector.form == Form::Binary { "b" } else { "t" };
        let code = error.close_code(receiver);
        let (name, clause) = (error.name(), error.clause());
        writeln!(table, "{code} {clause:<8} {name:<20} {end:<6} {form} {}", shown(vector)).unwrap();
    }
    println!("{table}");
    insta::assert_snapshot!(table);
    for error in FrameError::ALL {
        assert!(met.contains_key(error), "no hostile frame for {}", error.name());
    }
    let names: BTreeSet<_> = FrameError::ALL.iter().map(|error| error.name()).collect();
    assert_eq!(names.len(), FrameError::ALL.len());
}

// Every clause that a vector or an error names is one of the document.
#[test]
fn every_clause_named_here_exists() {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md")).unwrap();
    let of_vectors = ["valid.json", "invalid.json", "ignored.json"]
        .into_iter()
        .flat_map(load)
        .flat_map(|vector| vector.clauses);
    let of_errors = FrameError::ALL.iter().map(|error| error.clause().to_owned());
    for clause in of_vectors.chain(of_errors) {
        assert!(text.contains(&format!("**[{clause}]**")), "[{clause}] is not in the document");
    }
}
