//! Whatever can be known to be wrong is refused before anything is dialled.
#![cfg(target_family = "wasm")]

mod common;

use std::time::Duration;

use common::{connect, install, made, next_server};
use everwire::{Builder, Error, Overflow};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

fn refused(builder: Builder) -> Error {
    builder.build().unwrap_err()
}

#[wasm_bindgen_test]
fn out_of_range() {
    let ms = Duration::from_millis;
    let (before, named) = (made_before(), |error: Error| match error {
        Error::Option { name, .. } => name,
        other => panic!("{other}"),
    });
    assert_eq!(named(refused(connect().heartbeat(ms(999)))), "heartbeat");
    assert_eq!(named(refused(connect().connect_timeout(ms(0)))), "connect_timeout");
    assert_eq!(named(refused(connect().close_timeout(ms(60_001)))), "close_timeout");
    assert_eq!(named(refused(connect().max_message_bytes(0))), "max_message_bytes");
    assert_eq!(named(refused(connect().delays(ms(50), ms(20)))), "delays");
    assert_eq!(named(refused(connect().delays(ms(50), ms(30_001)))), "delays");
    assert_eq!(named(refused(connect().factor(f64::NAN))), "factor");
    assert_eq!(named(refused(connect().outbox(0, 8 << 20, Overflow::Reject))), "outbox messages");
    assert_eq!(named(refused(connect().outbox(1, 1, Overflow::Reject))), "outbox bytes");
    assert_eq!(made(), before);
}

fn made_before() -> u32 {
    install();
    made()
}

#[wasm_bindgen_test]
async fn urls_and_protocols() {
    let before = made_before();
    for url in ["ftp://a.example/", "ws://", "wss://a.example/#part", "wss://[bad/"] {
        let refused = everwire::connect(url).build();
        assert!(matches!(refused, Err(Error::Connect { .. })), "{url}: {refused:?}");
    }
    for protocols in [vec!["a b"], vec![""], vec!["a", "a"], vec!["a,b"]] {
        let refused = connect().protocols(protocols.clone()).build();
        assert!(matches!(refused, Err(Error::Connect { .. })), "{protocols:?}: {refused:?}");
    }
    let error = refused(connect().token("top secret"));
    assert!(!error.to_string().contains("secret"), "{error}");
    assert_eq!(made(), before);

    install();
    let wire = everwire::connect("https://a.example/chat?x=1").build().unwrap();
    assert_eq!(next_server().await.url(), "wss://a.example/chat?x=1");
    drop(wire);
    install();
    let wire = everwire::connect("/relative").build().unwrap();
    let url = next_server().await.url();
    assert!(url.starts_with("ws://") && url.ends_with("/relative"), "{url}");
    drop(wire);
}
