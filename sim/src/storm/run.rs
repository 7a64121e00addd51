//! The history of one storm.

use everwire_core::{Duration, Instant};

use super::calendar::Calendar;
use super::server::{Answer, Server};
use super::{Crowd, Input, LOST_AT, Outcome, Reaction, Storm};

/// Half of 50 ms: a client on the same continent.
const HALF_TRIP: Duration = Duration::from_millis(25);
/// Rules without jitter can take very long; none is watched for longer than this after the server has come back.
const WATCH_MAX: Duration = Duration::from_secs(4 * 3600);
/// The mark of a client without a timeout in the calendar.
const NEVER: Instant = Instant::from_micros(u64::MAX);

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Happening {
    /// A dial reaches the server.
    Dial {
        link: u32,
    },
    Client(Input),
}

pub(crate) struct Run<'a, C> {
    storm: &'a Storm,
    crowd: C,
    server: Server,
    /// What happens to which client: by time, then by when it was entered, so that a storm has one history.
    calendar: Calendar<(u32, Happening)>,
    /// Per client, the timeout in the calendar that still counts.
    armed: Vec<Instant>,
    /// Dials that reached the server, per second since the loss.
    seconds: Vec<u32>,
    back: u32,
    outcome: Outcome,
}

impl<'a, C: Crowd> Run<'a, C> {
    pub(crate) fn new(storm: &'a Storm, crowd: C) -> Self {
        let outcome = Outcome {
            attempts: 0,
            peak_up: 0,
            peak: 0,
            back_most: None,
            back_all: None,
            gave_up: 0,
            links_max: 0,
            bytes_each: crowd.bytes_each(),
        };
        Self {
            storm,
            crowd,
            server: Server::new(storm.accepts_per_second.into(), storm.up_at()),
            calendar: Calendar::new(LOST_AT),
            armed: vec![NEVER; storm.clients as usize],
            seconds: Vec::new(),
            back: 0,
            outcome,
        }
    }

    /// From the loss until all are back or have given up.
    pub(crate) fn finish(mut self) -> Outcome {
        let mut ahead: Vec<_> = (0..self.storm.clients).map(|client| self.sit_out(client)).collect();
        // In the order of time again. Stable: who came to the same instant stays in the order of the numbers.
        ahead.sort_by_key(|(_, _, now)| *now);
        for (client, reaction, now) in ahead {
            self.follow(client, reaction, now);
        }
        self.come_back()
    }

    /// Takes one client through the outage, up to the reaction whose consequence concerns the server that is back.
    ///
    /// While nobody listens no client can tell that there are others. So each is taken through it by itself: its state
    /// stays in the cache, and nothing has to be brought into order. After ten minutes that is nearly everything.
    fn sit_out(&mut self, client: u32) -> (u32, Reaction, Instant) {
        let (mut now, mut input) = (LOST_AT, Input::Lost);
        loop {
            let reaction = self.react(client, input, now);
            let Some((at, next)) = self.alone(reaction, now) else { return (client, reaction, now) };
            (now, input) = (at, next);
        }
    }

    /// What comes next, if it comes during the outage and is the only thing to wait for.
    fn alone(&mut self, reaction: Reaction, now: Instant) -> Option<(Instant, Input)> {
        debug_assert!(reaction.beat.is_none(), "nobody is connected");
        let up_at = self.storm.up_at();
        let Some(link) = reaction.dial else {
            return Some((reaction.deadline?, Input::Timeout)).filter(|(due, _)| *due < up_at);
        };
        let arrives = now + HALF_TRIP;
        let told = arrives + HALF_TRIP;
        let alone = told < up_at && reaction.deadline.is_none_or(|due| told < due);
        if alone {
            self.count(arrives);
        }
        alone.then_some((told, Input::Refused { link }))
    }

    fn come_back(mut self) -> Outcome {
        let until = self.storm.up_at() + WATCH_MAX;
        while self.back + self.outcome.gave_up < self.storm.clients {
            let Some((now, (client, happening))) = self.calendar.next() else { break };
            if now > until {
                break;
            }
            match happening {
                Happening::Dial { link } => self.dial(client, link, now),
                Happening::Client(Input::Timeout) if self.armed[client as usize] != now => {}
                Happening::Client(input) => self.feed(client, input, now),
            }
        }
        let up = (self.storm.down.as_micros() / 1_000_000) as usize;
        self.outcome.peak = self.seconds.iter().max().copied().unwrap_or(0);
        self.outcome.peak_up = self.seconds.iter().skip(up).max().copied().unwrap_or(0);
        self.outcome.links_max = self.crowd.links_max();
        self.outcome
    }

    fn dial(&mut self, client: u32, link: u32, now: Instant) {
        self.count(now);
        let (at, input) = match self.server.dial(now) {
            Answer::Refused => (now, Input::Refused { link }),
            Answer::Accepted(at) => (at, Input::Opened { link }),
        };
        self.calendar.enter(at + HALF_TRIP, (client, Happening::Client(input)));
    }

    /// A dial reaches the server, or the place where it was.
    fn count(&mut self, now: Instant) {
        let second = (now.since(LOST_AT).as_micros() / 1_000_000) as usize;
        if self.seconds.len() <= second {
            self.seconds.resize(second + 1, 0);
        }
        self.seconds[second] += 1;
    }

    fn feed(&mut self, client: u32, input: Input, now: Instant) {
        if input == Input::Timeout {
            self.armed[client as usize] = NEVER;
        }
        let reaction = self.react(client, input, now);
        self.follow(client, reaction, now);
    }

    fn react(&mut self, client: u32, input: Input, now: Instant) -> Reaction {
        let reaction = self.crowd.handle(client, input, now);
        self.outcome.attempts += u64::from(reaction.dial.is_some());
        self.outcome.gave_up += u32::from(reaction.gave_up);
        if reaction.back {
            self.back += 1;
            let took = now.since(LOST_AT);
            if u64::from(self.back) * 100 >= u64::from(self.storm.clients) * 99 {
                self.outcome.back_most.get_or_insert(took);
            }
            if self.back == self.storm.clients {
                self.outcome.back_all = Some(took);
            }
        }
        reaction
    }

    /// Enters what is to come of a reaction.
    fn follow(&mut self, client: u32, reaction: Reaction, now: Instant) {
        if let Some(link) = reaction.dial {
            self.calendar.enter(now + HALF_TRIP, (client, Happening::Dial { link }));
        }
        if let Some(link) = reaction.beat {
            let answer = Happening::Client(Input::Answer { link });
            self.calendar.enter(now + HALF_TRIP + HALF_TRIP, (client, answer));
        }
        if let Some(due) = reaction.deadline.filter(|due| *due < self.armed[client as usize]) {
            self.armed[client as usize] = due;
            self.calendar.enter(due, (client, Happening::Client(Input::Timeout)));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::everwire::Everwire;
    use super::super::rules::{Followers, Rule};
    use super::super::{Told, Who};
    use super::*;

    /// All clients through the outage together, by the calendar alone.
    fn together<C: Crowd>(mut run: Run<'_, C>) -> Outcome {
        for client in 0..run.storm.clients {
            run.feed(client, Input::Lost, LOST_AT);
        }
        run.come_back()
    }

    #[test]
    fn sitting_an_outage_out_alone_is_the_same_as_together() {
        let window = Duration::from_secs(40);
        let told = [Told::Nothing, Told::Before(window), Told::Restart(window), Told::Instructed(window)];
        for down in [0, 5, 60, 600] {
            for seed in 0..3 {
                let down = Duration::from_secs(down);
                let storm = Storm { clients: 400, accepts_per_second: 10, down, seed };
                for told in told {
                    let crowd = Everwire::new(told, storm.clients, seed, LOST_AT);
                    let all = together(Run::new(&storm, crowd));
                    assert_eq!(storm.run(Who::Everwire(told)), all, "{told:?}, seed {seed}, {down:?}");
                }
                for rule in Rule::ALL.into_iter().chain([Rule::JitterOver(window)]) {
                    let crowd = Followers::new(rule, storm.clients, seed);
                    let all = together(Run::new(&storm, crowd));
                    assert_eq!(storm.run(Who::Rule(rule)), all, "{rule:?}, seed {seed}, {down:?}");
                }
            }
        }
    }
}
