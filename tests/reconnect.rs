//! A wire survives its links.
#![cfg(target_family = "wasm")]

mod common;

use common::{Log, connect, greet, next_server, open, until};
use everwire::{Cause, Error, Event, Overflow, Reason, State};
use wasm_bindgen_test::{wasm_bindgen_test, wasm_bindgen_test_configure};

wasm_bindgen_test_configure!(run_in_browser);

#[wasm_bindgen_test]
async fn what_is_sent_meanwhile_waits_and_goes_first() {
    let (wire, first) = open().await;
    let log = Log::of(&wire);
    let doubtful = wire.send("text", "written", None).await.unwrap();
    first.end(1006, "", false);
    assert_eq!(wire.state(), State::Waiting);
    let waiting: Vec<_> = ["a", "b", "c"].iter().map(|text| wire.send("text", *text, None)).collect();
    assert_eq!(wire.queued().0, 3);

    let second = greet().await;
    assert_eq!(wire.state(), State::Open);
    wire.send("text", "d", None).await.unwrap();
    for sending in waiting {
        sending.await.unwrap();
    }
    assert_eq!(second.contents(), ["a", "b", "c", "d"]);
    assert!(log.has(
        |event| matches!(event, Event::Undelivered { id, reason: Reason::InDoubt, .. } if *id == doubtful.id)
    ));
    assert!(log.has(|event| matches!(
        event,
        Event::Close { cause: Cause::Lost, code: 1006, clean: false, retry_in: Some(_), .. }
    )));
    assert!(log.has(|event| matches!(event, Event::Open { link: 2, attempts: 1 })));
}

#[wasm_bindgen_test]
async fn the_true_code_and_reason_are_told() {
    let (wire, server) = open().await;
    let log = Log::of(&wire);
    server.end(4001, "kicked", true);
    let told = log.has(|event| {
        matches!(event, Event::Close { cause: Cause::ClosedByServer, code: 4001, reason, clean: true, .. } if reason == "kicked")
    });
    assert!(told, "{:?}", log.all());
    let second = greet().await;
    wire.reconnect();
    assert_eq!(second.close_calls(), [(None, None)], "a link given up is closed without a code");
    let last = log.all().into_iter().rev().find(|event| matches!(event, Event::Close { .. }));
    assert!(
        matches!(&last, Some(Event::Close { cause: Cause::Reconnect, reason, .. }) if reason.is_empty()),
        "the reason of the link before: {last:?}"
    );
}

/// Of its own accord such a wire would wait up to 30 s.
#[wasm_bindgen_test]
async fn a_window_at_the_end_of_a_close_reason_is_followed() {
    use std::time::Duration;
    let (least, most) = (Duration::from_millis(1), Duration::from_secs(30));
    let wire = connect().delays(most, most).build().unwrap();
    let first = greet().await;
    let log = Log::of(&wire);
    first.end(1012, "à bientôt 🦀 window=1", true);
    let told = log.has(|event| {
        matches!(event, Event::Close { code: 1012, retry_in: Some(delay), reason, .. }
            if *delay < least && reason == "à bientôt 🦀 window=1")
    });
    assert!(told, "{:?}", log.all());
    greet().await;
    assert_eq!(wire.state(), State::Open);
}

/// Not every constructor's event has all that a browser's has.
#[wasm_bindgen_test]
async fn a_close_event_without_a_reason_is_one_too() {
    let (wire, first) = open().await;
    let log = Log::of(&wire);
    first.dispatch(
        &js_sys::eval("Object.assign(new Event('close'), { code: 1006, wasClean: false })").unwrap(),
    );
    assert_eq!(wire.state(), State::Waiting);
    assert!(log.has(|event| matches!(event, Event::Close { code: 1006, reason, .. } if reason.is_empty())));
    greet().await;
    assert_eq!(wire.state(), State::Open);
}

#[wasm_bindgen_test]
async fn a_socket_that_takes_nothing_loses_nothing() {
    let (wire, first) = open().await;
    first.set_refusing(true);
    let sending = wire.send("text", "kept", None);
    // It may know already why it takes nothing: its close event is waited for before it is given up.
    assert_eq!((wire.state(), first.close_calls().len()), (State::Open, 0));
    let second = greet().await;
    assert_eq!(first.close_calls().len(), 1);
    sending.await.unwrap();
    assert_eq!((first.contents().len(), second.contents()), (0, vec![String::from("kept")]));
}

#[wasm_bindgen_test]
async fn the_limit_of_attempts_is_the_end() {
    let wire = connect().max_attempts(2).build().unwrap();
    let log = Log::of(&wire);
    let sending = wire.send("text", "never", None);
    for _ in 0..3 {
        next_server().await.end(1006, "", false);
    }
    assert_eq!(wire.state(), State::Closed);
    assert_eq!(sending.await, Err(Error::Closed));
    assert!(log.all().contains(&Event::Error(Error::MaxAttempts)));
    assert_eq!(wire.send("text", "late", None).await, Err(Error::Closed));
}

#[wasm_bindgen_test]
async fn a_full_outbox_refuses_or_lets_the_oldest_go() {
    let wire = connect().outbox(2, 8 << 20, Overflow::Reject).build().unwrap();
    let kept = [wire.send("text", "a", None), wire.send("text", "b", None)];
    assert_eq!(wire.send("text", "c", None).await, Err(Error::OutboxFull));
    assert!(kept[0].abort() && !kept[0].abort());
    let third = wire.send("text", "d", None);
    let server = greet().await;
    third.await.unwrap();
    assert_eq!(server.contents(), ["b", "d"]);
    let [first, _second] = kept;
    assert_eq!(first.await, Err(Error::Aborted));

    let wire = connect().outbox(2, 8 << 20, Overflow::DropOldest).build().unwrap();
    let oldest = wire.send("text", "a", None);
    drop((wire.send("text", "b", None), wire.send("text", "c", None)));
    assert_eq!(oldest.await, Err(Error::OutboxFull));
    let server = greet().await;
    assert_eq!(server.contents(), ["b", "c"]);
}

#[wasm_bindgen_test]
async fn a_heartbeat_is_sent_and_a_missing_answer_noticed() {
    use std::time::Duration;
    let wire =
        connect().heartbeat(Duration::from_secs(1)).expect_reply(everwire::ExpectReply::Yes).build().unwrap();
    let server = greet().await;
    let log = Log::of(&wire);
    until(|| log.has(|event| matches!(event, Event::Close { cause: Cause::NoReply, .. }))).await;
    assert!(server.frames().iter().any(|frame| frame.kind == "heartbeat"));
}
