//! Any schedule of messages, faults, wishes and handlers: each handler once and in order, and nothing in silence.

mod session_down_common;

use everwire_core::Duration;
use everwire_core::engine::MemoryConfig;
use everwire_core::session::down::{Outbound, Report, Started};
use proptest::prelude::*;
use session_down_common::*;

const ROOMS: [&str; 5] = [OWN, "room_a", "room_b", "room_c", "room d/1"];

#[derive(Clone, Debug)]
enum Step {
    Post { room: usize, length: usize, count: usize },
    NodeTurn,
    NodeReads(usize),
    ClientReads(usize),
    Start(usize),
    Settle(usize),
    Connect,
    DropLink,
    Restore,
    Join(usize),
    Leave(usize),
    Forbid(usize),
    Allow(usize),
    NewEpoch,
    Pass(u64),
    Clog(bool),
}

fn step() -> impl Strategy<Value = Step> {
    let room = 1..ROOMS.len();
    prop_oneof![
        8 => (0..ROOMS.len(), 0..4usize, 1..6usize).prop_map(|(room, length, count)| Step::Post { room, length, count }),
        10 => Just(Step::NodeTurn),
        6 => (1..4usize).prop_map(Step::NodeReads),
        10 => (1..6usize).prop_map(Step::ClientReads),
        6 => (1..6usize).prop_map(Step::Start),
        8 => (0..20usize).prop_map(Step::Settle),
        4 => Just(Step::Connect),
        2 => Just(Step::DropLink),
        3 => Just(Step::Restore),
        4 => room.clone().prop_map(Step::Join),
        3 => room.clone().prop_map(Step::Leave),
        1 => room.clone().prop_map(Step::Forbid),
        1 => room.prop_map(Step::Allow),
        1 => Just(Step::NewEpoch),
        5 => prop_oneof![Just(5u64), Just(20), Just(1000), Just(30_000), Just(61_000)].prop_map(Step::Pass),
        1 => any::<bool>().prop_map(Step::Clog),
    ]
}

fn carry_out(world: &mut World, step: Step) {
    match step {
        Step::Post { room, length, count } => {
            for nth in 0..count {
                let octets = [100, 9_000, 40_000, 300_000][length];
                world.post(ROOMS[room], octets, nth % 3 == 2);
            }
        }
        Step::NodeTurn => world.node_turn(),
        Step::NodeReads(count) => (0..count).for_each(|_| world.node_reads()),
        Step::ClientReads(count) => (0..count).for_each(|_| {
            world.client_reads();
            world.check();
        }),
        Step::Start(count) => {
            let _ = (0..count).take_while(|_| world.start_one()).count();
        }
        Step::Settle(index) => {
            if world.running.get(index).is_some_and(ends) {
                world.settle(index);
            }
        }
        Step::Connect => world.connect(),
        Step::DropLink => world.drop_link(),
        Step::Restore => world.restore(),
        Step::Join(room) => {
            world.client.join(subject(ROOMS[room])).unwrap();
            world.put_by();
        }
        Step::Leave(room) => {
            world.client.leave(&subject(ROOMS[room]));
            world.put_by();
        }
        Step::Forbid(room) => {
            world.forbidden.insert(subject(ROOMS[room]));
            if let Some(node) = world.node.as_mut()
                && let Some(denied) = node.feed.revoke::<Body>(&subject(ROOMS[room]))
            {
                assert!(matches!(denied, Outbound::Denied { .. }));
                node.down.push_back(encode(&denied));
            }
        }
        Step::Allow(room) => drop(world.forbidden.remove(&subject(ROOMS[room]))),
        Step::NewEpoch => world.new_epoch(),
        Step::Pass(millis) => {
            world.now = world.now + ms(millis);
            while let Some(report) = world.client.poll_stuck(world.now) {
                assert!(matches!(report, Report::Unsettled(_) | Report::WindowShut(_)));
            }
            world.put_by();
        }
        Step::Clog(clogged) => {
            if let Some(node) = world.node.as_mut() {
                node.feed.handle_transport(clogged);
            }
        }
    }
    world.check();
}

/// Some handlers do not end while there are faults.
fn ends(started: &Started) -> bool {
    started.s % 11 != 3
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    /// [POS-3] [POS-4] [POS-5] [POS-11] [POS-15] [ROOM-6] [LOST-1] [EPOCH-2] [KEEP-1] [HELLO-5] [NODE-4]
    #[test]
    fn each_handler_once_and_in_order(
        steps in prop::collection::vec(step(), 1..120),
        messages_max in prop_oneof![Just(6usize), Just(30), Just(100_000)],
    ) {
        let mut world = World::new(MemoryConfig { messages_max, ..MemoryConfig::default() });
        world.client.join(subject(ROOMS[1])).unwrap();
        world.put_by();
        world.connect();
        for step in steps {
            carry_out(&mut world, step);
        }
        // No more faults: everything drains, with the handlers that never end if they leave the window open.
        world.connect();
        world.rest(ends);
        world.rest(|_| true);
        world.now = world.now + Duration::from_secs(31);
        world.settle_down();
        world.check();
        let head = world.head();
        assert_eq!(world.client.received(), head);
        assert_eq!(world.client.seen(), head);
        assert!(world.client.record().pending.entries.is_empty());
        assert_eq!(world.node.as_ref().unwrap().feed.outstanding().messages, 0);
    }
}
