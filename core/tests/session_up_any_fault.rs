//! Whatever breaks, in whatever order: nothing stored twice, nothing lost without being told, order kept, every receipt
//! true, every ticket leaves once, and once the faults stop everything drains.
//!
//! Links lose a suffix in either direction, and what they still hold arrives late at a node of its own; calls to the
//! engine arrive late too, or their answers never; a `welcome` may be lost; the host restores the client between any two
//! steps; hooks refuse, and another node's hook otherwise; credit is squeezed, and producers are evicted.
mod session_up_common;

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use everwire_core::engine::{
    Appended, Call, Claim, Claimed, Engine as _, Failure, Fence, Identity, Memory, MemoryConfig, Producer,
    RefusalAnswer, Refused,
};
use everwire_core::frame::{Code, Form, FromClient, FromServer, split};
use everwire_core::session::up::*;
use everwire_core::{Instant, OutboxConfig, Ticket};
use proptest::prelude::*;
use session_up_common::{Body, ms, post};

#[derive(Clone, Debug)]
enum Op {
    Submit { bytes: u32, binary: bool },
    Remove(u32),
    Dial,
    Write { cut: u8 },
    Read { cut: u8 },
    Break { keep: u8, end: u8 },
    NodeRead(u8),
    NodeJudge(u8, u8),
    NodeCall(u8),
    NodeAnswer(u8, u8),
    NodeAck(u8),
    Squeeze(u8, u8),
    Evict,
    Pass(u16),
    Hurry,
}

fn op() -> impl Strategy<Value = Op> {
    // The link in use more often than its predecessors.
    let back = || prop_oneof![5 => Just(0u8), 1 => 0u8..4];
    let cut = || prop_oneof![8 => Just(0u8), 1 => 1u8..3];
    prop_oneof![
        8 => (prop_oneof![6 => 2u32..50, 1 => Just(70_000u32), 1 => Just(600_000)], any::<bool>())
            .prop_map(|(bytes, binary)| Op::Submit { bytes, binary }),
        1 => (0u32..30).prop_map(Op::Remove),
        5 => Just(Op::Dial),
        7 => cut().prop_map(|cut| Op::Write { cut }),
        8 => cut().prop_map(|cut| Op::Read { cut }),
        2 => (any::<u8>(), 0u8..12).prop_map(|(keep, end)| Op::Break { keep, end }),
        10 => back().prop_map(Op::NodeRead),
        8 => (back(), 1u8..8).prop_map(|(back, many)| Op::NodeJudge(back, many)),
        8 => back().prop_map(Op::NodeCall),
        8 => (back(), prop_oneof![6 => Just(0u8), 1 => 0u8..4]).prop_map(|(back, mode)| Op::NodeAnswer(back, mode)),
        6 => back().prop_map(Op::NodeAck),
        1 => (back(), 0u8..6).prop_map(|(back, window)| Op::Squeeze(back, window)),
        1 => Just(Op::Evict),
        4 => prop_oneof![0u16..20, 200u16..1200, Just(61_000)].prop_map(Op::Pass),
        3 => Just(Op::Hurry),
    ]
}

enum Up {
    Hello(Hello),
    Send(Form, Vec<u8>, Vec<Numbered>),
}

enum Down {
    Welcome { producing: Producing, born: u64, mark: u64, refused: Vec<Refused>, credit: u64 },
    Ack(Vec<u8>),
    Close(u16),
}

/// One link with the node at its other end.
#[derive(Default)]
struct Link {
    up: VecDeque<Up>,
    down: VecDeque<Down>,
    settling: Option<Settling<Body>>,
    elements: BTreeMap<u64, Numbered>,
    judged: u64,
    on_its_way: Option<Call<Body>>,
    closed: bool,
}

struct World {
    now: Instant,
    engine: Memory<Body>,
    client: Sending,
    record: Record,
    links: BTreeMap<u64, Link>,
    current: Option<u64>,
    last_link: u64,
    producers: u32,
    tickets: u32,
    exits: BTreeMap<Ticket, Exit>,
    numbers: BTreeMap<Ticket, (Producer, u64)>,
    evicted: BTreeSet<Producer>,
    window: u64,
}

impl World {
    fn new() -> Self {
        let client = Sending::new(OutboxConfig::default(), Producer([0; 16]));
        Self {
            now: Instant::default() + ms(1000),
            engine: Memory::new(MemoryConfig::default(), "e1".into()),
            record: client.record(),
            client,
            links: BTreeMap::new(),
            current: None,
            last_link: 0,
            producers: 0,
            tickets: 0,
            exits: BTreeMap::new(),
            numbers: BTreeMap::new(),
            evicted: BTreeSet::new(),
            window: WINDOW_MESSAGES_MAX,
        }
    }

    fn draw(&mut self) -> Producer {
        self.producers += 1;
        let mut octets = [0; 16];
        octets[..4].copy_from_slice(&self.producers.to_be_bytes());
        Producer(octets)
    }

    fn log(&mut self) -> Vec<u32> {
        session_up_common::log(&mut self.engine, self.now)
    }

    /// The host: the record and the reports are one step. [KEEP-6]
    fn keep(&mut self, left: Vec<Exited>) {
        self.record = self.client.record();
        let stored = if left.is_empty() { vec![] } else { self.log() };
        for Exited { ticket, n, exit } in left {
            assert_eq!(n, self.numbers.get(&ticket).map(|(_, n)| *n), "{ticket:?}");
            match &exit {
                Exit::Settled => assert!(stored.contains(&ticket.0), "a false receipt for {ticket:?}"),
                Exit::Refused(_) => assert!(!stored.contains(&ticket.0), "{ticket:?} is stored"),
                Exit::Dropped(Dropped::NeverWritten(_)) => assert_eq!(n, None),
                Exit::Dropped(why) => {
                    assert_eq!(*why, Dropped::Unknown);
                    let (producer, _) = self.numbers[&ticket];
                    assert!(self.evicted.contains(&producer), "{ticket:?} was given up without a need");
                }
            }
            assert_eq!(self.exits.insert(ticket, exit), None, "{ticket:?} left twice");
        }
    }

    /// A fresh instance, from what the host has.
    fn restore(&mut self) {
        self.client = Sending::restore(OutboxConfig::default(), self.record.clone()).unwrap();
        assert_eq!(self.client.record(), self.record);
        self.leave();
    }

    fn leave(&mut self) {
        if let Some(link) = self.current.take().and_then(|link| self.links.get_mut(&link)) {
            link.down.clear();
        }
        while self.links.len() > 4 {
            self.links.pop_first();
        }
    }

    fn dial(&mut self) {
        if self.current.is_some() {
            return;
        }
        let spare = self.draw();
        self.client.set_successor(spare);
        self.keep(vec![]);
        self.last_link += 1;
        let hello = self.client.hello().unwrap();
        let link = Link { up: VecDeque::from([Up::Hello(hello)]), ..Link::default() };
        self.links.insert(self.last_link, link);
        self.current = Some(self.last_link);
    }

    fn write(&mut self, cut: u8) -> bool {
        let Some(written) = self.client.write(self.now) else { return false };
        if cut == 1 {
            self.restore();
            return true;
        }
        self.keep(vec![]);
        let record = &self.record;
        for numbered in &written.messages {
            let number = (record.producer, numbered.n);
            let before = self.numbers.insert(numbered.message.ticket, number);
            assert!(before.is_none_or(|before| before == number), "renumbered: {numbered:?}");
            assert!(record.numbered.contains(numbered), "written and not on record: {numbered:?}");
        }
        if cut == 2 {
            self.restore();
            return true;
        }
        let mut octets = Vec::new();
        written.frame.write(&mut octets);
        octets.extend(if written.form == Form::Binary { &b"{}\n"[..] } else { b"[]" });
        let link = self.links.get_mut(&self.current.unwrap()).unwrap();
        link.up.push_back(Up::Send(written.form, octets, written.messages));
        true
    }

    fn read(&mut self, cut: u8) -> bool {
        let link = self.current.and_then(|link| self.links.get_mut(&link));
        let Some(down) = link.and_then(|link| link.down.pop_front()) else { return false };
        let left = match down {
            Down::Welcome { producing, born, mark, refused, credit } => {
                let refused: Vec<_> = refused
                    .iter()
                    .map(|(n, code)| (*n, Code::new(code.as_str().as_bytes()).unwrap()))
                    .collect();
                let (message_bytes_max, epoch_changed) = (1 << 20, false);
                let refused = &refused;
                let welcome =
                    Welcome { producing, born, mark, refused, credit, message_bytes_max, epoch_changed };
                match self.client.welcome(&welcome, self.now) {
                    Ok(left) => left,
                    Err(NotWelcome::Unknown) => self.unknown(),
                    Err(broken) => panic!("{broken:?} in {welcome:?}"),
                }
            }
            Down::Ack(octets) => {
                let frame = split(Form::Text, &octets);
                let ack = FromServer::parse(frame.head, frame.shape(), 1 << 30).unwrap().unwrap();
                let FromServer::Ack { n, credit, refused } = ack else { panic!() };
                self.client.ack(n, credit, refused, self.now).unwrap()
            }
            Down::Close(4005) => self.unknown(),
            Down::Close(code) => {
                assert_eq!(code, 4004, "the node is at odds with the client");
                self.client.link_ended(LinkEnd::Other);
                self.leave();
                vec![]
            }
        };
        if cut != 1 {
            self.keep(left);
        }
        if cut > 0 {
            self.restore();
        }
        true
    }

    fn unknown(&mut self) -> Vec<Exited> {
        let fresh = (self.draw(), self.draw());
        self.leave();
        self.client.unknown(fresh.0, fresh.1)
    }

    fn break_off(&mut self, keep: u8, end: u8) {
        let Some(link) = self.current.and_then(|link| self.links.get_mut(&link)) else { return };
        link.up.truncate(usize::from(keep) % (link.up.len() + 1));
        let end = match end {
            0 => LinkEnd::TooLong,
            1..=6 => LinkEnd::Broke,
            _ => LinkEnd::Other,
        };
        self.client.link_ended(end);
        self.leave();
        self.keep(vec![]);
    }

    /// The number of the link so many before the newest.
    fn link(&self, back: u8) -> Option<u64> {
        self.links.keys().rev().nth(usize::from(back)).copied()
    }

    fn claim(
        &mut self,
        producer: Producer,
        link: u64,
        oldest: u64,
        written: u64,
        born: Option<u64>,
    ) -> Claimed {
        let inbox = format!("_inbox.{:?}", producer.0).as_str().into();
        let claim = Claim { producer, identity: Identity::named("ann"), inbox, link, oldest, written, born };
        self.engine.claim(&claim, self.now).unwrap()
    }

    fn hello(&mut self, number: u64, hello: Hello) {
        let mut claimed = (Producing::Kept, hello.producer, hello.oldest);
        let mut answer = self.claim(hello.producer, number, hello.oldest, hello.written, hello.born);
        if answer == Claimed::Unknown && hello.written > 0 {
            claimed = (Producing::Successor, hello.successor.unwrap(), 1);
            answer = self.claim(claimed.1, number, 1, 0, None);
        }
        let (producing, producer, oldest) = claimed;
        let link = self.links.get_mut(&number).unwrap();
        let Claimed::Claimed { mark, born, refusals, epoch, .. } = answer else {
            link.closed = true;
            link.down.push_back(Down::Close(4005));
            return;
        };
        let fence = Fence { epoch, producer, link: number, oldest };
        let settling = Settling::new(fence, mark, &refusals, self.now).with_window(self.window);
        let credit = settling.credit();
        link.down.push_back(Down::Welcome { producing, born, mark, refused: refusals, credit });
        link.judged = mark;
        link.settling = Some(settling);
    }

    fn node_read(&mut self, number: u64) -> bool {
        let Some(link) = self.links.get_mut(&number).filter(|link| !link.closed) else { return false };
        match link.up.pop_front() {
            None => return false,
            Some(Up::Hello(hello)) => self.hello(number, hello),
            Some(Up::Send(form, octets, messages)) => {
                let frame = split(form, &octets);
                let send = FromClient::parse(frame.head, frame.shape(), 1 << 30).unwrap().unwrap();
                let FromClient::Send { n, count, oldest } = send else { panic!() };
                assert_eq!(usize::from(count), messages.len());
                let lengths: Vec<_> = messages.iter().map(Numbered::bytes).collect();
                let settling = link.settling.as_mut().expect("a send before the welcome");
                if settling.ended().is_none() {
                    settling.read(n, oldest, &lengths).unwrap();
                }
                link.elements.extend(messages.into_iter().map(|numbered| (numbered.n, numbered)));
            }
        }
        true
    }

    fn node_judge(&mut self, number: u64, many: u64) -> bool {
        let Some(link) = self.links.get_mut(&number) else { return false };
        let Some(settling) = link.settling.as_mut() else { return false };
        let before = link.judged;
        for (n, numbered) in link.elements.range(before + 1..=before + many) {
            let ticket = numbered.message.ticket.0;
            let refused = (u64::from(ticket) + number).is_multiple_of(5);
            settling.judge(
                *n,
                match (numbered.withdrawn, refused) {
                    (true, _) => Judgement::Refuse("withdrawn".into()),
                    (_, true) => Judgement::Refuse("forbidden".into()),
                    _ => Judgement::Store(post(ticket)),
                },
            );
            link.judged = *n;
        }
        link.judged > before
    }

    fn node_call(&mut self, number: u64) -> bool {
        let Some(link) = self.links.get_mut(&number) else { return false };
        if link.on_its_way.is_none() {
            link.on_its_way = link.settling.as_mut().and_then(|settling| settling.call(self.now));
        }
        link.on_its_way.is_some()
    }

    fn node_answer(&mut self, number: u64, mode: u8) -> bool {
        let Some(link) = self.links.get_mut(&number) else { return false };
        let (Some(call), Some(settling)) = (link.on_its_way.take(), link.settling.as_mut()) else {
            return false;
        };
        let mark = settling.pending().start() - 1;
        let now = self.now;
        match call {
            Call::Append { fence, n, batch } => {
                let mut carry_out = || self.engine.append(&fence, n, &batch, now);
                let answer = match mode {
                    0 => carry_out(),
                    1 => Err(Failure::Unanswered),
                    2 => carry_out().and(Err(Failure::Unanswered)),
                    _ => Ok(Appended::Full { mark, numbers: vec![] }),
                };
                settling.appended(answer, now);
            }
            Call::Refuse { fence, n, code } => {
                let mut carry_out = || self.engine.refuse(&fence, n, &code, now);
                let answer = match mode {
                    0 => carry_out(),
                    1 => Err(Failure::Unanswered),
                    2 => carry_out().and(Err(Failure::Unanswered)),
                    _ => Ok(RefusalAnswer::Full { mark }),
                };
                settling.refused(answer, now);
            }
            other => panic!("{other:?}"),
        }
        // A mark beyond what this link has carried, or behind it, is a fence that does not hold. [ENG-6]
        let code = settling.ended().map(|ended| ended.code);
        assert!(matches!(code, None | Some(4005)), "{code:?}: somebody else has moved the mark");
        true
    }

    fn node_ack(&mut self, number: u64) -> bool {
        let current = self.current == Some(number);
        let Some(link) = self.links.get_mut(&number) else { return false };
        let Some(settling) = link.settling.as_mut() else { return false };
        let down = if let Some(ack) = settling.ack(self.now) {
            let mut octets = Vec::new();
            ack.write(&mut octets);
            Down::Ack(octets)
        } else if let Some(ended) = settling.ended().filter(|_| !link.closed) {
            assert_eq!(ended.clause, None, "{ended:?}");
            link.closed = true;
            Down::Close(ended.code)
        } else {
            return false;
        };
        // What a link still has to say that the client has left reaches nobody. [ACK-9]
        if current {
            link.down.push_back(down);
        }
        true
    }

    /// Everything that can happen on a link without a fault.
    fn drive(&mut self, number: u64) {
        for step in 0.. {
            assert!(step < 20_000, "livelock");
            let steps = [
                self.node_read(number),
                self.node_judge(number, 1024),
                self.node_call(number) && self.node_answer(number, 0),
                self.node_ack(number),
                self.current == Some(number) && self.read(0),
                self.current == Some(number) && self.write(0),
            ];
            if steps == [false; 6] {
                return;
            }
        }
    }

    fn carry_out(&mut self, op: Op) {
        let each = |world: &mut Self, back, step: &dyn Fn(&mut Self, u64) -> bool| {
            if let Some(number) = world.link(back) {
                step(world, number);
            }
        };
        match op {
            Op::Submit { bytes, binary } => {
                self.tickets += 1;
                let form = if binary { Form::Binary } else { Form::Text };
                let outgoing = Outgoing::new(Ticket(self.tickets), bytes, form);
                match self.client.submit(outgoing) {
                    Ok(left) => self.keep(left),
                    Err(_) => self.tickets -= 1,
                }
            }
            Op::Remove(ticket) => {
                let left = self.client.remove(Ticket(ticket));
                self.keep(left.into_iter().collect());
            }
            Op::Dial => self.dial(),
            Op::Write { cut } => drop(self.write(cut)),
            Op::Read { cut } => drop(self.read(cut)),
            Op::Break { keep, end } => self.break_off(keep, end),
            Op::NodeRead(back) => each(self, back, &|world, number| world.node_read(number)),
            Op::NodeJudge(back, many) => each(self, back, &|world, n| world.node_judge(n, u64::from(many))),
            Op::NodeCall(back) => each(self, back, &|world, number| world.node_call(number)),
            Op::NodeAnswer(back, mode) => each(self, back, &|world, n| world.node_answer(n, mode)),
            Op::NodeAck(back) => each(self, back, &|world, number| world.node_ack(number)),
            Op::Squeeze(back, window) => {
                self.window = if window == 5 { WINDOW_MESSAGES_MAX } else { u64::from(window) };
                let link = self.link(back).and_then(|link| self.links.get_mut(&link));
                if let Some(settling) = link.and_then(|link| link.settling.as_mut()) {
                    settling.set_window(self.window);
                }
            }
            Op::Evict => {
                let producer = self.record.producer;
                self.engine.forget(&producer, self.now).unwrap();
                self.evicted.insert(producer);
            }
            Op::Pass(millis) => self.now = self.now + ms(u64::from(millis)),
            Op::Hurry => {
                if let Some(number) = self.current {
                    self.drive(number);
                }
            }
        }
    }

    /// No more faults: everything leaves, and what is still on its way arrives too late for anything.
    fn drain(&mut self) {
        self.window = WINDOW_MESSAGES_MAX;
        for round in 0.. {
            assert!(round < 300, "does not drain: {:?}", self.record);
            self.dial();
            let number = self.current.unwrap();
            if let Some(settling) = self.links.get_mut(&number).and_then(|link| link.settling.as_mut()) {
                settling.set_window(self.window);
            }
            self.drive(number);
            if self.client.is_empty() {
                break;
            }
            self.now = self.now + ms(300);
        }
        for number in self.links.keys().copied().collect::<Vec<_>>() {
            self.drive(number);
        }
    }

    fn check(&mut self) {
        let stored = self.log();
        let mut last = BTreeMap::new();
        let mut seen = BTreeSet::new();
        for ticket in stored {
            assert!(seen.insert(ticket), "{ticket} is stored twice");
            let (producer, n) = self.numbers[&Ticket(ticket)];
            assert!(last.insert(producer, n) < Some(n), "{ticket} is out of order");
            let exit = self.exits.get(&Ticket(ticket));
            assert!(
                matches!(exit, None | Some(Exit::Settled | Exit::Dropped(Dropped::Unknown))),
                "{ticket} is stored and left as {exit:?}"
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    /// [SEND-4] [SEND-6] [SEND-22] [REF-7] [ENG-6] [WELC-13] [KEEP-1] [KEEP-6] [NODE-6] [ACK-9] [CRED-6]
    #[test]
    fn nothing_is_stored_twice_or_lost_in_silence(ops in prop::collection::vec(op(), 0..400)) {
        let mut world = World::new();
        for op in ops {
            world.carry_out(op);
        }
        world.check();
        world.drain();
        world.check();
        prop_assert_eq!(world.exits.len(), world.tickets as usize, "not everything has left");
    }
}
