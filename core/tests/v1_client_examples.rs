//! The examples of chapter 25, frame for frame, from the client's end.

mod v1_client_common;

use everwire_core::engine::Producer;
use everwire_core::frame::Form;
use everwire_core::session::Client;
use everwire_core::session::client::*;
use everwire_core::session::up::{Dropped, Exit, Outgoing};
use everwire_core::{Instant, Ticket};
use v1_client_common::*;

fn hex(text: &str) -> Producer {
    let octet = |at: usize| u8::from_str_radix(&text[2 * at..2 * at + 2], 16).unwrap();
    Producer(core::array::from_fn(octet))
}

const PRODUCER: &str = "5d41402abc4b2a76b9719d911017c592";
const SUCCESSOR: &str = "7d793037a0760186574b0282f2f435e7";

/// What `chapter 25` has between these lines, of this direction.
fn chapter(heading: &str) -> Vec<String> {
    let text = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/PROTOCOL.md")).unwrap();
    let part = text.split_once(&format!("### {heading}\n")).unwrap().1;
    let block = part.split("\n### ").next().unwrap();
    block
        .lines()
        .filter(|line| line.starts_with("C→S ") || line.starts_with("S→C "))
        .map(|line| line.replace('⏎', "\n"))
        .collect()
}

fn sorted(hello: &str) -> serde_json::Value {
    let mut body: serde_json::Value = serde_json::from_str(hello.strip_prefix("hello\n").unwrap()).unwrap();
    body["rooms"].as_array_mut().unwrap().sort_by_key(|room| room["room"].to_string());
    body
}

struct Play {
    host: Host,
    ticket: u32,
    written: usize,
    /// Every handler ends at once.
    quick: bool,
}

impl Play {
    fn new() -> Self {
        let config = Config::default();
        let mut host = Host::new(config);
        host.client = Client::new(config, 3, hex(PRODUCER));
        host.record = Record::new(hex(PRODUCER));
        Self { host, ticket: 0, written: 0, quick: true }
    }

    fn dial(&mut self) {
        match self.host.client.phase() {
            Phase::Idle => self.host.client.handle_connect(self.host.now),
            Phase::Waiting => {
                while self.host.client.phase() == Phase::Waiting {
                    self.host.sleep_to_deadline();
                }
            }
            _ => {}
        }
        self.host.drain();
        let (link, now) = (self.host.client.link(), self.host.now);
        self.host.client.handle_dialled(link, false, [hex(SUCCESSOR), producer(8), producer(9)], now);
        self.host.drain();
        self.host.opens();
        self.written = 0;
    }

    fn rest(&mut self) {
        if self.quick {
            self.host.settle_all();
        }
    }

    /// Plays the lines: what the server writes is given, what the client writes must be what stands there.
    fn play(&mut self, lines: &[String]) {
        for line in lines {
            let (who, frame) = line.split_once(' ').unwrap();
            if who == "S→C" {
                self.host.frame(frame);
                self.rest();
                continue;
            }
            let (head, body) = frame.split_once('\n').unwrap_or((frame, ""));
            match head.split(' ').next().unwrap() {
                "hello" => self.dial(),
                "send" if !body.starts_with("[]") => self.hand_over(body),
                _ => {}
            }
            if self.written == self.host.wire.len() {
                self.host.pass(ms(1000));
            }
            let written = self.host.wire.get(self.written).unwrap_or_else(|| panic!("{line} is not written"));
            self.written += 1;
            if head == "hello" {
                // The host writes the token; rooms come in any order.
                let written = written.replace("\"token\":null", "\"token\":\"tk-1\"");
                assert_eq!(sorted(&written), sorted(frame));
            } else {
                assert_eq!(written.split(" [").next().unwrap(), head);
            }
        }
    }

    /// Hands over the messages of a body, unless they were handed over before.
    fn hand_over(&mut self, body: &str) {
        let values: Vec<serde_json::Value> = serde_json::from_str(body).unwrap();
        if self.host.wire.len() > self.written {
            return;
        }
        for value in values {
            self.ticket += 1;
            let bytes = value.to_string().len() as u32;
            let asks = value["meta"]["request"] == true;
            let answer_by = asks.then_some(self.host.now + secs(30));
            self.host.submit(Outgoing { answer_by, ..Outgoing::new(Ticket(self.ticket), bytes, Form::Text) });
        }
        self.host.drain();
    }
}

/// The stories that follow one another: [HELLO-1] [HELLO-5] [HELLO-11] [WELC-6] [WELC-7] [WELC-8] [SEND-2] [SEND-13]
/// [SEND-14] [POS-4] [ROOM-1] [ROOM-6] [CRED-9] [REQ-14] [LOST-4] [EPOCH-2] [EPOCH-3] [EPOCH-4] [PAGE-1] [AWAY-2] [BYE-1]
#[test]
fn the_stories_of_chapter_25() {
    let mut play = Play::new();
    play.play(&chapter("A first link"));
    assert_eq!((play.host.exit(1), play.host.exit(2)), (Some(&Exit::Settled), Some(&Exit::Settled)));

    // On link 1 it has written 3, 4 and 5, and hears nothing.
    for _ in 3..=5 {
        play.ticket += 1;
        let message = Outgoing::new(Ticket(play.ticket), 80, Form::Text);
        play.host.send_one(message);
    }
    play.host.close(1006);
    play.play(&chapter("A resume with duplicates suppressed"));
    assert_eq!(play.host.exits.len(), 5);

    play.play(&chapter("A refusal"));
    assert_eq!(play.host.exit(7), Some(&Exit::Refused("forbidden".into())));

    let mid = chapter("A join in mid-stream");
    play.host.join("room_456");
    let seen = mid.iter().position(|line| line.starts_with("C→S seen")).unwrap();
    let second = mid.iter().position(|line| line.starts_with("S→C push 1060")).unwrap();
    play.play(&mid[..second]);
    play.written = play.host.wire.len();
    play.quick = false;
    play.play(&mid[second..seen]);
    play.host.pass(ms(20));
    let pages: Vec<_> = mid[seen..].iter().filter(|line| line.contains(" page ")).cloned().collect();
    let ask = PageAsk {
        page: PageId(1),
        subject: subject("room_456"),
        before: Some(("e7Qm".into(), 1063)),
        count: 2,
    };
    play.host.client.page(ask, play.host.now).unwrap();
    play.host.drain();
    let page = play.host.wire.iter().position(|frame| frame.starts_with("page")).unwrap();
    play.written = page;
    play.play(&pages);
    assert_eq!(play.host.did(|action| matches!(action, Action::Paged { .. })), 1);
    play.host.join("café/1");
    play.written = play.host.wire.len() - 1;
    play.play(&mid[mid.len() - 2..]);

    // 1064 is still being processed.
    let request = chapter("A request across a reconnect");
    play.written = play.host.wire.len();
    play.play(&request[..2]);
    play.host.close(1006);
    play.play(&request[2..request.len() - 1]);
    assert_eq!(play.host.did(|action| matches!(action, Action::Answered { n: 9, .. })), 1);
    play.quick = true;
    play.rest();
    play.play(&request[request.len() - 1..]);
    play.host.close(1006);

    let lost = chapter("A lost log");
    let again = lost.iter().rposition(|line| line.starts_with("C→S hello")).unwrap();
    play.play(&lost[..again]);
    assert_eq!(play.host.did(|action| matches!(action, Action::Lost { from: None, .. })), 1);
    // It had written 10 and not heard of it.
    play.ticket += 1;
    play.host.send_one(Outgoing::new(Ticket(play.ticket), 80, Form::Text));
    let ten = play.ticket;
    play.host.close(1006);
    play.host.take();
    play.play(&lost[again..]);
    assert_eq!(play.host.dropped(ten), Some(Dropped::Unknown));
    let unbacked = play.host.done.iter().find_map(|action| match action {
        Action::Unbacked(unbacked) => Some(unbacked.ranges.clone()),
        _ => None,
    });
    assert_eq!(unbacked, Some(vec![Range { first: 1, last: 9 }]));
    let both = [subject("room_456"), subject("user_123")];
    assert!(
        play.host
            .done
            .iter()
            .any(|action| matches!(action, Action::Lost { subjects, .. } if subjects == &both))
    );

    let goaway = chapter("A `goaway`");
    play.host.frame(goaway[0].strip_prefix("S→C ").unwrap());
    let arrived: Instant = play.host.now;
    play.play(&goaway[1..goaway.len() - 1]);
    play.written = play.host.wire.len();
    while play.host.client.phase() == Phase::Leaving {
        play.host.sleep_to_deadline();
    }
    assert_eq!(play.host.wire.last().unwrap(), "bye 2");
    assert!(play.host.now.since(arrived) <= secs(5));
}
