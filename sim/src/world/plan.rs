//! What a seed stands for: a world, and everything that its applications and its bad luck do, drawn beforehand.
//!
//! Rates differ from seed to seed (swarm testing): most schedules see only some kinds of fault, a few see one kind all
//! the time. Because nothing here depends on what the machines do, a happening can be taken out of a plan and all others
//! stay what they were: that is how a failing schedule is shrunk.

use everwire_core::session::up::WINDOW_MESSAGES_MAX;
use everwire_core::{Duration, Instant, Random};

use super::check::Place;

/// When the world begins; a clock that began at zero would hide what goes wrong below zero.
pub(super) const BEGIN: Instant = Instant::from_micros(1_000_000_000);

/// Something that an application does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Act {
    /// Hands over messages, all in one turn.
    Send {
        to: Place,
        count: u8,
        octets: u32,
        binary: bool,
        style: Style,
    },
    /// Gives up the newest message that it has not heard of.
    Abort,
    Join(u8),
    Leave(u8),
    /// Asks for history.
    Page {
        room: u8,
        count: u16,
    },
    Cast(u8),
    /// For good.
    Close,
    Reconnect,
    /// The page is hidden, or seen again.
    Visible(bool),
    /// The page goes into the back/forward cache, and comes back after so long.
    PutAway(Duration),
    /// The browser says that the network is gone, and back after so long; it is not.
    Offline(Duration),
}

/// How a message is handed over.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Style {
    /// Gone if not written by then.
    pub(super) ttl: Option<Duration>,
    /// Only the newest of a key waits.
    pub(super) key: Option<u32>,
    pub(super) priority: u8,
    pub(super) request: bool,
}

impl Style {
    /// It waits as long as it takes, in its turn.
    const PLAIN: Self = Self { ttl: None, key: None, priority: 0, request: false };
}

/// Something that goes wrong.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fault {
    /// The link breaks; of what is on its way each direction keeps this share of frames. The client hears of it after
    /// so long, or never.
    Cut { keep_up: u8, keep_down: u8, told: Option<Duration> },
    /// The client's side breaks, and what it had written goes on to its node, late.
    Zombie { late: Duration },
    /// From now on nothing arrives on this link, and nobody is told.
    Silence,
    /// Nothing moves on this link for so long.
    Stall(Duration),
    /// The link is so slow, in octets a second, for so long.
    Slow(u32, Duration),
    /// From now on nothing arrives on this link, but what is written is taken, by and by; and much is handed over.
    Trickle,
    /// A `push` or `advance` on its way down is eaten and what stands behind it is not: no network does this, a node
    /// that loses its place may.
    Eat,
    /// The client's machine stops for so long: no timer, no frame.
    Sleep(Duration),
    /// The client's timers are late by up to this, for so long.
    LateTimers(Duration, Duration),
    /// The client's instance dies, so many actions from now, and is made anew.
    Trap(u8),
    /// The client's token is no longer good.
    Expire,
    /// A peer that is no right client writes on the client's link.
    HostileUp(u8),
    /// A peer that is no right node writes on the client's link.
    HostileDown(u8),
    /// The client may no longer be in this room, for so long.
    Deny(u8, Duration),
}

/// Something that goes wrong at the server.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Trouble {
    /// The node dies with all its links and work. The next one is up after so long.
    Crash(Duration),
    /// The whole server dies, the engine with it; a durable log survives.
    Blackout(Duration),
    /// The node is to go: `goaway` with these, then it is gone for a moment.
    Drain { leave_in: Duration, window: Duration },
    /// The engine answers no call of this node for so long.
    EngineStall(Duration),
    /// The engine's answers take up to so long, for so long.
    SlowEngine(Duration, Duration),
    /// Of the engine's answers to this node so many in 256 are lost, half of them with the call, for so long.
    Unanswered(u8, Duration),
    /// So many hooks in 256 fail, for so long.
    HooksFail(u8, Duration),
    /// Hooks take up to so long, for so long.
    SlowHooks(Duration, Duration),
    /// Every link is closed right after `welcome`, for so long.
    Flap(Duration),
}

/// What happens, and to whom.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum What {
    Act(u8, Act),
    Fault(u8, Fault),
    Trouble(u8, Trouble),
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Happening {
    pub(super) at: Instant,
    pub(super) what: What,
    /// For the random choices that it makes when it happens.
    pub(super) salt: u64,
}

/// What handlers do with a message, in parts of 256.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Handlers {
    /// End late.
    pub(super) slow: u8,
    /// Never end before the world is healed.
    pub(super) stuck: u8,
    /// Ask the server something and end with its answer.
    pub(super) asking: u8,
    /// Hand over a message of their own.
    pub(super) sending: u8,
    /// Read receipts, leaves and joins.
    pub(super) moving: u8,
}

/// What a seed stands for.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) seed: u64,
    pub(super) clients: u8,
    pub(super) nodes: u8,
    pub(super) rooms: u8,
    pub(super) durable: bool,
    /// How far ahead of the mark a client may write at these nodes.
    pub(super) window: u64,
    /// How many messages the log keeps.
    pub(super) log_max: usize,
    pub(super) outbox_max: u32,
    pub(super) drop_oldest: bool,
    pub(super) latency: Duration,
    /// Of messages in 256 that the server's hook refuses.
    pub(super) refused: u8,
    pub(super) handlers: Handlers,
    pub(super) expires: Option<Duration>,
    pub(super) happenings: Vec<Happening>,
    /// When faults end.
    pub(super) healed: Instant,
}

/// What a plan draws from a generator.
pub(super) trait Draws {
    /// Evenly from 0 to n − 1.
    fn below(&mut self, n: u64) -> u64;
    /// True in so many of 256 cases.
    fn chance(&mut self, of_256: u8) -> bool;
    /// Evenly from both ends, in milliseconds.
    fn millis(&mut self, from: u64, to: u64) -> Duration;
    /// Any of these.
    fn pick<T: Copy>(&mut self, from: &[T]) -> T;
}

impl Draws for Random {
    fn below(&mut self, n: u64) -> u64 {
        ((u128::from(self.next_u64()) * u128::from(n)) >> 64) as u64
    }

    fn chance(&mut self, of_256: u8) -> bool {
        self.below(256) < of_256.into()
    }

    fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from + 1))
    }

    fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}

impl Plan {
    pub(super) fn new(seed: u64) -> Self {
        let mut random = Random::new(seed ^ 0x65_7665_7277_6972);
        let clients = 2 + random.below(3) as u8;
        let nodes = 1 + random.below(3) as u8;
        let rooms = 1 + random.below(3) as u8;
        let active = Duration::from_secs(random.pick(&[15, 40, 40, 90, 240]));
        let handlers = match random.below(7) {
            5 => Handlers { slow: 20, stuck: 180, ..Handlers::default() },
            6 => Handlers { asking: 255, ..Handlers::default() },
            0 | 1 => Handlers::default(),
            2 => Handlers { slow: 60, ..Handlers::default() },
            3 => Handlers { slow: 20, stuck: 8, asking: 20, sending: 8, moving: 8 },
            _ => Handlers { slow: 20, stuck: 2, asking: 60, sending: 4, moving: 4 },
        };
        let mut plan = Self {
            seed,
            clients,
            nodes,
            rooms,
            durable: random.chance(128),
            window: random.pick(&[3, 16, 100, WINDOW_MESSAGES_MAX, WINDOW_MESSAGES_MAX]),
            log_max: random.pick(&[20, 100, 100_000, 100_000, 100_000]),
            outbox_max: random.pick(&[5, 30, 8192, 8192, 8192]),
            drop_oldest: random.chance(128),
            latency: random.millis(1, random.clone().pick(&[5, 50, 300])),
            refused: random.pick(&[0, 0, 10, 60]),
            handlers,
            expires: random.chance(40).then(|| random.millis(2_000, 60_000)),
            happenings: Vec::new(),
            healed: BEGIN + active,
        };
        plan.draw_acts(&mut random, active);
        plan.draw_faults(&mut random, active);
        plan.happenings.sort_by_key(|happening| happening.at);
        plan
    }

    fn add(&mut self, random: &mut Random, at: Instant, what: What) {
        self.happenings.push(Happening { at, what, salt: random.next_u64() });
    }

    fn draw_acts(&mut self, random: &mut Random, active: Duration) {
        for client in 0..self.clients {
            for room in 0..self.rooms {
                if random.chance(200) {
                    self.add(random, BEGIN, What::Act(client, Act::Join(room)));
                }
            }
        }
        // Some worlds are full of small messages, some of long ones, which are fewer.
        // Where nearly all handlers are stuck or wait for answers, long ones soon fill the window.
        let long = random.chance(if self.handlers.stuck.max(self.handlers.asking) > 100 { 128 } else { 40 });
        let (mut messages, longest) =
            if long { (60 + random.below(100), 300_000) } else { (180 + random.below(360), 4_000) };
        let styled = random.chance(100);
        let binary = random.pick(&[0, 20, 128]);
        let asked = random.pick(&[0, 10, 60]);
        while messages > 0 {
            let at = BEGIN + random.within(active);
            let client = random.below(self.clients.into()) as u8;
            let count = (1 + random.below(random.clone().pick(&[1, 3, 12]))).min(messages);
            messages -= count;
            let to = if random.chance(150) {
                Place::Room(random.below(self.rooms.into()) as u8)
            } else {
                Place::User(random.below(self.clients.into()) as u8)
            };
            let octets = if random.chance(60) { random.below(longest) } else { random.below(400) };
            let style = Style {
                ttl: (styled && random.chance(40)).then(|| random.millis(1, 3_000)),
                key: (styled && random.chance(40)).then(|| random.below(3) as u32),
                priority: if styled { random.below(3) as u8 } else { 0 },
                request: random.chance(asked),
            };
            let act = Act::Send {
                to,
                count: count as u8,
                octets: octets as u32 + 40,
                binary: random.chance(binary),
                style,
            };
            self.add(random, at, What::Act(client, act));
        }
        if long && self.expires.is_none() && random.chance(64) {
            // On a slow link one message that takes longer than any deadline that does not reckon with it. Where
            // credentials live shorter than it takes, it never arrives.
            let at = BEGIN + random.within(active);
            let client = random.below(self.clients.into()) as u8;
            let to = Place::User(random.below(self.clients.into()) as u8);
            self.add(random, at, What::Fault(client, Fault::Slow(8_000, Duration::from_secs(1_200))));
            self.add(
                random,
                at,
                What::Act(
                    client,
                    Act::Send { to, count: 1, octets: 900_000, binary: true, style: Style::PLAIN },
                ),
            );
        }
        if long && self.handlers.asking > 100 {
            // After everything is healed as well: whoever asks then must be answered.
            let at = self.healed + Duration::from_secs(18);
            let to = Place::User(random.below(self.clients.into()) as u8);
            let client = random.below(self.clients.into()) as u8;
            self.add(
                random,
                at,
                What::Act(
                    client,
                    Act::Send { to, count: 12, octets: 270_000, binary: true, style: Style::PLAIN },
                ),
            );
        }
        for _ in 0..random.below(30) {
            let at = BEGIN + random.within(active);
            let client = random.below(self.clients.into()) as u8;
            let room = random.below(self.rooms.into()) as u8;
            let act = match random.below(16) {
                0 | 1 => Act::Abort,
                2..=4 => Act::Join(room),
                5 | 6 => Act::Leave(room),
                7 | 8 => Act::Page { room, count: 1 + random.below(60) as u16 },
                9 | 10 => Act::Cast(room),
                11 => Act::Reconnect,
                12 => Act::Visible(random.chance(128)),
                13 => Act::PutAway(random.millis(10, 20_000)),
                14 => Act::Offline(random.millis(100, 20_000)),
                _ if random.chance(60) => Act::Close,
                _ => Act::Visible(false),
            };
            self.add(random, at, What::Act(client, act));
        }
    }

    fn draw_faults(&mut self, random: &mut Random, active: Duration) {
        // Each kind is in about half the worlds, and has its own weight there.
        let weights: Vec<u64> =
            (0..KINDS).map(|_| if random.chance(110) { 1 + random.below(8) } else { 0 }).collect();
        let all: u64 = weights.iter().sum();
        if all == 0 {
            return;
        }
        for _ in 0..4 + random.below(28) {
            let at = BEGIN + random.within(active);
            let mut draw = random.below(all);
            let kind = weights.iter().position(|weight| {
                let hit = draw < *weight;
                draw = draw.saturating_sub(*weight);
                hit
            });
            let what = self.fault(random, kind.unwrap_or(0));
            self.add(random, at, what);
        }
    }

    fn fault(&self, random: &mut Random, kind: usize) -> What {
        let client = random.below(self.clients.into()) as u8;
        let node = random.below(self.nodes.into()) as u8;
        let fault = |fault| What::Fault(client, fault);
        let trouble = |trouble| What::Trouble(node, trouble);
        match kind {
            0 => fault(Fault::Cut {
                keep_up: random.next_u64() as u8,
                keep_down: random.next_u64() as u8,
                told: random.chance(200).then(|| random.millis(0, 2_000)),
            }),
            1 => fault(Fault::Zombie { late: random.millis(1, 30_000) }),
            2 => fault(Fault::Silence),
            3 => fault(Fault::Stall(random.millis(10, 10_000))),
            // Some stay so for as long as the world lasts.
            4 if random.chance(60) => {
                fault(Fault::Slow(random.pick(&[20_000, 8_000]), Duration::from_secs(36_000)))
            }
            4 => fault(Fault::Slow(random.pick(&[8_000, 50_000, 200_000]), random.millis(1_000, 60_000))),
            5 => fault(Fault::Eat),
            6 => fault(Fault::Sleep(random.millis(500, 120_000))),
            7 => fault(Fault::LateTimers(random.millis(100, 60_000), random.millis(1_000, 60_000))),
            8 => fault(Fault::Trap(random.below(24) as u8)),
            9 => fault(Fault::Expire),
            10 => fault(Fault::HostileUp(random.next_u64() as u8)),
            11 => fault(Fault::HostileDown(random.next_u64() as u8)),
            12 => fault(Fault::Deny(random.below(self.rooms.into()) as u8, random.millis(10, 20_000))),
            13 => trouble(Trouble::Crash(random.millis(10, 10_000))),
            14 => trouble(Trouble::Blackout(random.millis(10, 20_000))),
            15 => trouble(Trouble::Drain {
                leave_in: random.millis(0, 10_000),
                window: random.millis(1_000, 40_000),
            }),
            16 => trouble(Trouble::EngineStall(random.millis(10, 20_000))),
            17 => trouble(Trouble::Unanswered(random.next_u64() as u8, random.millis(100, 20_000))),
            18 => trouble(Trouble::HooksFail(random.next_u64() as u8, random.millis(100, 20_000))),
            19 => trouble(Trouble::SlowHooks(random.millis(1, 12_000), random.millis(100, 20_000))),
            20 => trouble(Trouble::SlowEngine(random.millis(1, 3_000), random.millis(100, 30_000))),
            21 => fault(Fault::Trickle),
            _ => trouble(Trouble::Flap(random.millis(5_000, 90_000))),
        }
    }
}

/// How many kinds of fault there are.
pub(super) const KINDS: usize = 23;

impl What {
    /// The kind of fault, for the count; `None` for what an application does.
    pub(super) fn kind(&self) -> Option<&'static str> {
        Some(match self {
            Self::Act(..) => return None,
            Self::Fault(_, fault) => match fault {
                Fault::Cut { told: Some(_), .. } => "cut",
                Fault::Cut { told: None, .. } => "cut, untold",
                Fault::Zombie { .. } => "zombie",
                Fault::Silence => "silence",
                Fault::Stall(_) => "stall",
                Fault::Slow(..) => "slow",
                Fault::Trickle => "trickle",
                Fault::Eat => "frame eaten",
                Fault::Sleep(_) => "sleep",
                Fault::LateTimers(..) => "late timers",
                Fault::Trap(_) => "trap and restore",
                Fault::Expire => "token expired",
                Fault::HostileUp(_) => "hostile client",
                Fault::HostileDown(_) => "hostile node",
                Fault::Deny(..) => "denied",
            },
            Self::Trouble(_, trouble) => match trouble {
                Trouble::Crash(_) => "node crash",
                Trouble::Blackout(_) => "server crash",
                Trouble::Drain { .. } => "goaway",
                Trouble::EngineStall(_) => "engine stall",
                Trouble::SlowEngine(..) => "slow engine",
                Trouble::Unanswered(..) => "engine unanswered",
                Trouble::HooksFail(..) => "hooks fail",
                Trouble::SlowHooks(..) => "slow hooks",
                Trouble::Flap(_) => "flapping",
            },
        })
    }
}
