//! The reconnect rules that others publish, each as its source says, with its own defaults; and one that nobody does.

use everwire_core::{Duration, Instant, Random};

use super::{Crowd, Input, Reaction};

/// A rule that is known in full: every wait follows from the number of dials before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// Full jitter that has been told W: every wait is drawn anew from [0, W). No published rule. It knows what
    /// everwire is told, which the others do not, and so shows what knowing W brings, and what keeping one's place.
    JitterOver(Duration),
    /// "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), *full jitter*: random between 0 and
    /// min(cap, base · 2ⁿ). With everwire's own base of 1 s and cap of 30 s.
    FullJitter,
    /// socketio/socket.io, `packages/socket.io-client/lib/contrib/backo2.ts` (`duration`), with the defaults of
    /// `lib/manager.ts`: 1 s · 2ⁿ, ± up to 50 % (the sign is the parity of the first decimal), **then** the cap of 5 s:
    /// from the fifth attempt on everybody waits exactly 5 s.
    SocketIo,
    /// dotnet/aspnetcore, `src/SignalR/clients/ts/signalr/src/DefaultReconnectPolicy.ts`: 0, 2, 10, 30 s, then never
    /// again. No jitter.
    SignalR,
    /// phoenixframework/phoenix, `assets/js/phoenix/socket.js`, `reconnectAfterMs`: 10, 50, 100, 150, 200, 250, 500,
    /// 1000, 2000 ms, then 5 s for ever. No jitter.
    Phoenix,
    /// centrifugal/centrifuge-js, `src/utils.ts`, `backoff`, with the defaults `minReconnectDelay` 500 ms and
    /// `maxReconnectDelay` 20 s: min(max, min + random(0 … min(max, min · 2ⁿ))). The sum meets the cap once more.
    Centrifuge,
    /// grpc/grpc, `doc/connection-backoff.md`: at once, then 1 s, × 1.6 up to 120 s, ± 20 %, counted from the
    /// beginning of the dial before.
    Grpc,
}

const PHOENIX_MS: [u64; 9] = [10, 50, 100, 150, 200, 250, 500, 1000, 2000];
const SIGNALR_SECS: [u64; 4] = [0, 2, 10, 30];

impl Rule {
    /// Every published rule, in the order of the table.
    pub const ALL: [Self; 6] =
        [Self::FullJitter, Self::SocketIo, Self::Centrifuge, Self::Grpc, Self::Phoenix, Self::SignalR];

    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::JitterOver(_) => "full jitter over W",
            Self::FullJitter => "full jitter 1-30 s",
            Self::SocketIo => "Socket.IO",
            Self::SignalR => "SignalR",
            Self::Phoenix => "Phoenix",
            Self::Centrifuge => "centrifuge-js",
            Self::Grpc => "gRPC",
        }
    }

    /// The wait after so many dials since the loss; `None`: it gives up.
    fn wait(self, dials: u32, random: &mut Random) -> Option<Duration> {
        let doubled = |base: f64| base * f64::from(2u32.pow(dials.min(31)));
        let millis = match self {
            Self::JitterOver(window) => unit(random) * window.as_millis_f64(),
            Self::FullJitter => unit(random) * doubled(1000.0).min(30_000.0),
            Self::SocketIo => {
                let (millis, drawn) = (doubled(1000.0), unit(random));
                let deviation = (drawn * 0.5 * millis).floor();
                let less = ((drawn * 10.0).floor() as u32).is_multiple_of(2);
                (if less { millis - deviation } else { millis + deviation }).min(5000.0).floor()
            }
            Self::SignalR => return SIGNALR_SECS.get(dials as usize).copied().map(Duration::from_secs),
            Self::Phoenix => PHOENIX_MS.get(dials as usize).map_or(5000.0, |millis| *millis as f64),
            Self::Centrifuge => {
                let window = doubled(500.0).min(20_000.0);
                (500.0 + (unit(random) * (window + 1.0)).floor()).min(20_000.0)
            }
            Self::Grpc if dials == 0 => 0.0,
            Self::Grpc => {
                let millis = (1000.0 * 1.6f64.powi(dials as i32 - 1)).min(120_000.0);
                // The first wait is the bare second, without jitter.
                let jitter = if dials == 1 { 0.0 } else { 0.2 * (2.0 * unit(random) - 1.0) };
                millis * (1.0 + jitter)
            }
        };
        Some(Duration::from_millis_f64(millis))
    }
}

/// As `Math.random()`: evenly from [0, 1).
fn unit(random: &mut Random) -> f64 {
    (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

/// A crowd that follows a rule.
#[derive(Clone, Debug)]
pub(crate) struct Followers {
    rule: Rule,
    members: Vec<Follower>,
}

#[derive(Clone, Debug)]
struct Follower {
    random: Random,
    dials: u32,
    dialled_at: Instant,
    due: Option<Instant>,
}

impl Followers {
    pub(crate) fn new(rule: Rule, clients: u32, seed: u64) -> Self {
        let mut seeds = Random::new(seed);
        let follower = |_| Follower {
            random: Random::new(seeds.next_u64()),
            dials: 0,
            dialled_at: Instant::default(),
            due: None,
        };
        Self { rule, members: (0..clients).map(follower).collect() }
    }
}

impl Crowd for Followers {
    fn handle(&mut self, client: u32, input: Input, now: Instant) -> Reaction {
        let Follower { random, dials, dialled_at, due } = &mut self.members[client as usize];
        let mut reaction = Reaction::default();
        match input {
            Input::Lost | Input::Refused { .. } => {
                let from = if self.rule == Rule::Grpc && *dials > 0 { *dialled_at } else { now };
                *due = self.rule.wait(*dials, random).map(|wait| (from + wait).max(now));
                reaction.gave_up = due.is_none();
            }
            Input::Timeout if due.is_some_and(|due| due <= now) => {
                *due = None;
                *dials += 1;
                *dialled_at = now;
                reaction.dial = Some(*dials);
            }
            Input::Opened { .. } => reaction.back = true,
            Input::Timeout | Input::Answer { .. } => {}
        }
        reaction.deadline = *due;
        reaction
    }

    fn links_max(&self) -> u32 {
        // One timer or one dial: the rule has no links to mix up.
        1
    }

    fn bytes_each(&self) -> usize {
        size_of::<Follower>()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn waits(rule: Rule, seed: u64) -> Vec<f64> {
        let mut random = Random::new(seed);
        (0..40).map_while(|dials| Some(rule.wait(dials, &mut random)?.as_millis_f64())).collect()
    }

    /// Each rule against what its source says of the first, a middle and the last wait.
    #[test]
    fn every_rule_waits_as_published() {
        assert_eq!(waits(Rule::SignalR, 1), [0.0, 2000.0, 10_000.0, 30_000.0]);
        assert_eq!(waits(Rule::Phoenix, 1)[..3], [10.0, 50.0, 100.0]);
        assert_eq!(waits(Rule::Phoenix, 1)[8..11], [2000.0, 5000.0, 5000.0]);
        for seed in 0..1000 {
            let socket_io = waits(Rule::SocketIo, seed);
            assert!((500.0..=1500.0).contains(&socket_io[0]));
            assert!(socket_io[4..].iter().all(|wait| *wait == 5000.0), "jitter before the cap is lost");
            let centrifuge = waits(Rule::Centrifuge, seed);
            assert!((500.0..=1000.0).contains(&centrifuge[0]));
            assert!(centrifuge[8..].iter().all(|wait| (500.0..=20_000.0).contains(wait)));
            let grpc = waits(Rule::Grpc, seed);
            assert_eq!(grpc[..2], [0.0, 1000.0]);
            assert!((1280.0..=1920.0).contains(&grpc[2]));
            assert!(grpc[20..].iter().all(|wait| (96_000.0..=144_000.0).contains(wait)));
            let jitter = waits(Rule::FullJitter, seed);
            assert!(jitter[0] <= 1000.0 && jitter[5..].iter().all(|wait| *wait <= 30_000.0));
        }
        let over = Rule::JitterOver(Duration::from_secs(40));
        // All of a window is used, at both ends.
        let spread = |rule, dial: usize| {
            let all = (0..1000).map(|seed| waits(rule, seed)[dial]);
            all.fold((f64::MAX, 0.0f64), |(low, high), wait| (low.min(wait), high.max(wait)))
        };
        let (low, high) = spread(Rule::FullJitter, 20);
        assert!(low < 300.0 && high > 29_700.0);
        for dial in [0, 1, 20] {
            let (low, high) = spread(over, dial);
            assert!(low < 400.0 && high > 39_600.0 && high < 40_000.0);
        }
        let (low, high) = spread(Rule::SocketIo, 0);
        // The same draw gives size and sign: even tenths are taken away, the largest of them below 0.45.
        assert!((550.0..560.0).contains(&low) && high > 1450.0);
        let (low, high) = spread(Rule::Grpc, 30);
        assert!(low < 97_000.0 && high > 143_000.0);
    }
}
