//! How a node turns intervals of the log into frames.

mod session_down_common;

use everwire_core::engine::*;
use everwire_core::session::down::{Answer, *};
use session_down_common::*;

fn turn(world: &mut World) -> Vec<Outbound<Body>> {
    let node = world.node.as_mut().unwrap();
    let Some(look) = node.feed.look() else { return Vec::new() };
    let answer = node.feed.ask(&mut world.engine, look, world.now).unwrap();
    node.feed.handle_answer(answer, world.now)
}

fn pushes(out: &[Outbound<Body>]) -> Vec<(u64, u64, usize)> {
    let push = |out: &Outbound<Body>| match out {
        Outbound::Push { after, upto, messages } => Some((*after, *upto, messages.len())),
        _ => None,
    };
    out.iter().filter_map(push).collect()
}

/// [POS-8] [POS-10] [NODE-2] [FRM-8] [LIM-4]: adjacent frames, each binary message alone.
#[test]
fn frames_are_adjacent_and_within_their_limits() {
    let mut world = World::open(&["room_a"]);
    for (to, octets, binary) in [
        ("elsewhere", 9, false),
        ("room_a", 9, false),
        (OWN, 9, false),
        ("elsewhere", 9, false),
        ("room_a", 9, true),
        ("room_a", 40_000, false),
        ("room_a", 17_342, false),
        ("elsewhere", 9, false),
    ] {
        world.post(to, octets, binary);
    }
    let mut out = turn(&mut world);
    out.extend(turn(&mut world));
    out.extend(turn(&mut world));
    // 40,000 and 17,342 with two brackets and a comma are one octet too many.
    assert_eq!(pushes(&out), [(0, 4, 2), (4, 5, 1), (5, 6, 1), (6, 8, 1)]);
}

/// What a frame has no room for goes first in the next one, not into a small frame between two long ones.
#[test]
fn a_long_backlog_comes_in_full_frames() {
    let mut world = World::open(&["room_a"]);
    for _ in 0..1000 {
        world.post("room_a", 300, false);
    }
    let mut out = Vec::new();
    while let more @ [_, ..] = &*turn(&mut world) {
        out.extend_from_slice(more);
    }
    let frames = pushes(&out);
    assert_eq!(frames.iter().map(|(_, _, many)| many).sum::<usize>(), 1000);
    assert!(frames.windows(2).all(|pair| pair[0].1 == pair[1].0), "{frames:?}");
    let full = 57_344 / 301;
    assert!(frames.iter().rev().skip(1).all(|(_, _, many)| *many == full), "{frames:?}");
}

/// [POS-12]: never for each message, and at the latest before 30 s are over.
#[test]
fn an_advance_comes_when_the_scan_has_been_ahead_for_long() {
    let mut world = World::open(&[]);
    let begun = world.now;
    for nth in 0..2_000 {
        world.post("elsewhere", 9, false);
        world.now = begun + ms(10 * nth);
        assert_eq!(turn(&mut world), []);
        assert_eq!(world.node.as_mut().unwrap().feed.poll_advance::<Body>(world.now), None);
    }
    let feed = &mut world.node.as_mut().unwrap().feed;
    let due = feed.advance_due().unwrap();
    assert!(due.since(begun) <= ms(30_000));
    assert_eq!(feed.poll_advance::<Body>(due), Some(Outbound::Advance { after: 0, upto: 2_000 }));
    assert_eq!((feed.poll_advance::<Body>(due), feed.advance_due()), (None, None));
    world.post("elsewhere", 9, false);
    world.post(OWN, 9, false);
    // What lay between is part of the push.
    assert_eq!(pushes(&turn(&mut world)), [(2_000, 2_002, 1)]);
    world.post("elsewhere", 9, false);
    turn(&mut world);
    let last = world.node.as_mut().unwrap().feed.last_advance::<Body>(due);
    assert_eq!(last, Some(Outbound::Advance { after: 2_002, upto: 2_003 }));
}

/// An engine of which each tail skips a message, as one of two replicas might.
struct Holes(Memory<Body>);

impl Holes {
    fn tail(&mut self, feed: &Feed, look: Look, now: everwire_core::Instant) -> Answer<Body> {
        feed.ask(self, look, now).unwrap()
    }
}

impl Engine<Body> for Holes {
    fn claim(&mut self, claim: &Claim, now: everwire_core::Instant) -> Result<Claimed, Failure> {
        self.0.claim(claim, now)
    }
    fn append(
        &mut self,
        fence: &Fence,
        n: u64,
        batch: &[Post<Body>],
        now: everwire_core::Instant,
    ) -> Result<Appended, Failure> {
        self.0.append(fence, n, batch, now)
    }
    fn refuse(
        &mut self,
        fence: &Fence,
        n: u64,
        code: &RefusalCode,
        now: everwire_core::Instant,
    ) -> Result<RefusalAnswer, Failure> {
        self.0.refuse(fence, n, code, now)
    }
    fn read(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        span: Span,
        limit: Limit,
        direction: Direction,
        now: everwire_core::Instant,
    ) -> Result<Read<Body>, Failure> {
        self.0.read(epoch, filter, span, limit, direction, now)
    }
    fn tail(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        cursor: &mut Cursor,
        limit: Limit,
        now: everwire_core::Instant,
    ) -> Result<Tailed<Body>, Failure> {
        cursor.position += 1;
        self.0.tail(epoch, filter, cursor, limit, now)
    }
    fn trimmed(
        &mut self,
        epoch: &LogEpoch,
        filter: &Filter,
        now: everwire_core::Instant,
    ) -> Result<Vec<(Subject, u64)>, Failure> {
        self.0.trimmed(epoch, filter, now)
    }
    fn publish(
        &mut self,
        epoch: &LogEpoch,
        cast: Post<Body>,
        now: everwire_core::Instant,
    ) -> Result<(), Failure> {
        self.0.publish(epoch, cast, now)
    }
    fn forget(&mut self, producer: &Producer, now: everwire_core::Instant) -> Result<(), Failure> {
        self.0.forget(producer, now)
    }
}

/// [NODE-2] [NODE-4]
#[test]
fn intervals_with_a_hole_between_them_are_not_merged() {
    let mut world = World::open(&[]);
    world.post(OWN, 9, false);
    world.post(OWN, 9, false);
    let now = world.now;
    let node = world.node.as_mut().unwrap();
    let mut holes = Holes(world.engine);
    let answer = holes.tail(&node.feed, node.feed.look().unwrap(), now);
    assert_eq!(node.feed.handle_answer(answer, now), []);
    world.engine = holes.0;
    assert_eq!(pushes(&turn(&mut world)), [(0, 2, 2)]);
}

/// [CAST-4] [CAST-3] [ENG-30]
#[test]
fn casts_pass_beside_and_never_late() {
    let mut world = World::open(&["room_a"]);
    let epoch = world.engine.epoch().clone();
    let cast = |to: &str| Post::new(subject(to), Body { id: 0, octets: 9, binary: false });
    let publish = |world: &mut World| {
        for to in ["room_a", "elsewhere"] {
            world.engine.publish(&epoch, cast(to), world.now).unwrap();
        }
        world.node.as_mut().unwrap().feed.wake();
    };
    publish(&mut world);
    assert_eq!(turn(&mut world), [Outbound::Cast(cast("room_a"))]);
    world.node.as_mut().unwrap().feed.handle_transport(true);
    publish(&mut world);
    assert_eq!(world.node.as_ref().unwrap().feed.look(), None);
    world.node.as_mut().unwrap().feed.handle_transport(false);
    assert_eq!(turn(&mut world), []);
    for _ in 0..4 {
        world.post(OWN, 1 << 20, true);
    }
    world.node_turn();
    publish(&mut world);
    assert_eq!(turn(&mut world), []);
    let node = world.node.as_mut().unwrap();
    world.engine.restart("e9".into());
    node.feed.wake();
    let look = node.feed.look().unwrap();
    assert_eq!(node.feed.ask(&mut world.engine, look, world.now), Err(Failure::EpochChanged));
}
