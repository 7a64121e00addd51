//! What may stand in no log line.

mod common;

use common::some_of;
use everwire_bodies::{envelope_line, read_hello, read_token, read_welcome, split};
use everwire_core::frame::Payload;

/// [SEC-1] [SEC-4] Tokens, producers, grants and contents.
#[test]
fn nothing_that_is_read_prints_a_secret() {
    let body = |file: &str, name: &str| {
        some_of(file).into_iter().find(|vector| vector["name"] == name).unwrap()["body"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let hello = body("hello", "hello-later");
    let welcome = body("welcome", "welcome-full");
    let elements = br#"[{"type":"t","content":"c0ntent","meta":{"x":"c0ntent"},"id":"c0ntent"}]"#;
    let elements = split(elements, Payload::Messages(1)).unwrap();
    let line = envelope_line(br#"{"type":"t","meta":"c0ntent"}"#, 0).unwrap();
    for secret in ["tk-1", "5d41402a", "7d793037", "93, 65", "gK3nV"] {
        assert!(hello.contains(secret) || secret == "93, 65");
        let printed = format!("{:?}", read_hello(hello.as_bytes()).unwrap());
        assert!(printed.contains("[redacted]") && !printed.contains(secret), "{printed}");
    }
    for (printed, secret) in [
        (format!("{:?}", read_welcome(welcome.as_bytes()).unwrap()), "gT8wA"),
        (format!("{:?}", read_token(br#"{"token":"tk-2"}"#).unwrap()), "tk-2"),
        (format!("{elements:?}"), "c0ntent"),
        (format!("{:?}", elements[0].judge()), "c0ntent"),
        (format!("{:?}", elements[0].accept()), "c0ntent"),
        (format!("{line:?} {:?}", line.accept()), "c0ntent"),
        (format!("{:?}", read_hello(hello.replace("tk-1", "tk -1").as_bytes())), "tk"),
        (format!("{:?}", read_hello(hello.replace("gK3nV", "g K3nV").as_bytes())), "K3nV"),
        (format!("{:?}", read_hello(hello.replace("5d41402a", "5D41402a").as_bytes())), "5D41"),
    ] {
        assert!(!printed.is_empty() && !printed.contains(secret), "{printed}");
    }
}
