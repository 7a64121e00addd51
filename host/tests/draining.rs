//! The last word to each client says how far the log has come, whoever it was that has written last. [POS-12]

use std::collections::{BTreeMap, BTreeSet};

use everwire_core::engine::{LogEpoch, Memory, MemoryConfig, Subject};
use everwire_core::frame::Form;
use everwire_core::session::node::Drain;
use everwire_core::{Duration, Instant};
use everwire_host::{
    Asker, Keys, LinkId, Order, Payload, Permit, Process, ProcessConfig, Verdict, Who, carry_out,
};

const READER: LinkId = LinkId(1);
const WRITER: LinkId = LinkId(2);

/// A process with its engine, in virtual time, and an application that lets everybody do everything.
struct Rig {
    process: Process,
    engine: Memory<Payload>,
    grown: BTreeSet<Subject>,
    now: Instant,
    written: BTreeMap<LinkId, Vec<String>>,
    closed: BTreeMap<LinkId, u16>,
}

impl Rig {
    fn new() -> Self {
        let now = Instant::default() + Duration::from_secs(1_000);
        let mut rig = Self {
            process: Process::new(ProcessConfig::default(), Keys::new(&[7; 32]), now),
            engine: Memory::new(MemoryConfig::default(), LogEpoch::from("e1")),
            grown: BTreeSet::new(),
            now,
            written: BTreeMap::new(),
            closed: BTreeMap::new(),
        };
        for link in [READER, WRITER] {
            rig.process.opened(link, now);
            let hello = format!(
                r#"{{"version":1,"token":null,"producer":"{:032x}","successor":null,"link":1,"oldest":1,"written":0,"born":null,
                "logEpoch":null,"position":null,"rooms":[],"pending":[],"held":[0,0],"visible":true,"features":[]}}"#,
                link.0
            );
            rig.reads(link, &format!("hello\n{hello}"));
            assert!(rig.frames(link)[0].starts_with("welcome\n"), "{:?}", rig.frames(link));
        }
        rig
    }

    fn reads(&mut self, link: LinkId, frame: &str) {
        self.process.frame(link, Form::Text, frame.as_bytes(), self.now);
        self.settle_down();
    }

    /// A message for a room that nobody has joined.
    fn store(&mut self, n: u64) {
        self.reads(
            WRITER,
            &format!("send {n} 1 {n}\n[{{\"type\":\"text\",\"receiver\":\"room\",\"content\":0}}]"),
        );
        assert_eq!(self.engine.head(), n);
    }

    fn drain(&mut self, leave_in: Duration) {
        let drain = Drain { leave_in, window: Duration::from_secs(10), reason: "test".into(), url: None };
        self.process.drain(drain, self.now);
        self.settle_down();
    }

    /// Until nothing is left to be done before then.
    fn pass(&mut self, span: Duration) {
        let until = self.now + span;
        while let Some(due) = self.process.next_deadline().filter(|due| *due <= until) {
            self.now = self.now.max(due);
            self.process.timeout(self.now);
            self.settle_down();
        }
        self.now = until;
    }

    fn frames(&self, link: LinkId) -> &[String] {
        self.written.get(&link).map_or(&[], Vec::as_slice)
    }

    fn settle_down(&mut self) {
        loop {
            while let Some(order) = self.process.poll() {
                self.carry_out(order);
            }
            if self.grown.is_empty() {
                return;
            }
            let grown = std::mem::take(&mut self.grown);
            self.process.grown(&grown, self.now);
        }
    }

    fn carry_out(&mut self, order: Order) {
        let now = self.now;
        match order {
            Order::Write { link, octets, .. } => {
                self.written.entry(link).or_default().push(String::from_utf8(octets).unwrap());
            }
            Order::Close { link, code, .. } => assert_eq!(self.closed.insert(link, code), None),
            Order::Authenticate { link, id, .. } => {
                let who = Who::Named { identity: format!("user_{}", link.0), expires: None };
                self.process.authenticated(link, id, Ok(who), now);
            }
            Order::Authorise { link, id, rooms, .. } => {
                self.process.authorised(link, id, Ok(vec![Permit::ALLOWED; rooms.len()]), now);
            }
            Order::Examine { link, id, .. } => self.process.examined(link, id, Verdict::Pass, now),
            Order::Call { asker, id, call } => {
                let answer = carry_out(&call, &mut self.engine, now, &mut self.grown);
                assert!(matches!(asker, Asker::Link(_)));
                self.process.answered(asker, id, answer, now);
            }
            Order::Run { .. } | Order::Draw => panic!("nobody asks for that here"),
            Order::Welcomed { .. } | Order::Reading { .. } | Order::Forget { .. } | Order::Visible { .. } => {
            }
        }
    }
}

#[test]
fn who_is_not_woken_by_others_has_the_whole_log_passed_by_at_the_end_of_a_drain() {
    let mut rig = Rig::new();
    rig.store(1);
    assert_eq!(rig.frames(READER).len(), 1, "others' messages wake nobody");
    rig.drain(Duration::ZERO);
    // Another comes while the links are served for the last time.
    rig.store(2);
    rig.pass(Duration::from_secs(3));
    let frames = rig.frames(READER);
    assert!(frames[1].starts_with("goaway 0 10000\n"), "{frames:?}");
    assert_eq!(frames[2..], ["advance 0 2"]);
    assert_eq!(rig.closed[&READER], 4000);
}

#[test]
fn what_was_stored_before_a_drain_is_in_the_last_word_without_another_message() {
    let mut rig = Rig::new();
    rig.store(1);
    rig.drain(Duration::ZERO);
    rig.reads(READER, "bye 0");
    assert_eq!(rig.frames(READER)[2..], ["advance 0 1"]);
    assert_eq!(rig.closed[&READER], 1000);
}
