//! What goes wrong.

use everwire_core::session::node::Drain;
use everwire_core::{Closed, Duration, Instant};

use super::check::{Checked, Place, Violation, broken};
use super::hostile;
use super::packet::Packet;
use super::plan::{Act, Draws, Fault, Happening, Style, Trouble, What};
use super::run::*;
use super::server::Process;

impl World {
    // ---- what goes wrong ----

    pub(super) fn happen(&mut self, happening: Happening, now: Instant) -> Checked {
        if let Some(kind) = happening.what.kind() {
            self.counts.fault(kind);
        }
        self.note(now, || format!("* {:?}", happening.what));
        match happening.what {
            What::Act(client, act) => self.act(client, act, happening.salt, now),
            What::Fault(client, fault) => self.fault(client, fault, happening.salt, now),
            What::Trouble(process, trouble) => self.trouble(process, trouble, now),
        }
    }

    pub(super) fn fault(&mut self, client: u8, fault: Fault, salt: u64, now: Instant) -> Checked {
        let at = usize::from(client);
        let link = self.hosts[at].socket.and_then(|socket| socket.link);
        match (fault, link) {
            (Fault::Cut { keep_up, keep_down, told }, Some(link)) => {
                let net = &mut self.links[link].net;
                net.up.cut(keep_up);
                net.down.cut(keep_down);
                // The node hears of it in the end, by what its kernel tells or by its own silence.
                let heard = told.map(|after| now + after);
                if let Some(heard) = heard {
                    self.end_lanes(link, heard, now);
                }
                self.links[link].net.cut = true;
            }
            (Fault::Zombie { late }, Some(link)) => {
                // The client's side is gone; what stands in its lane still goes up, late.
                self.links[link].net.stalled = now + late;
                self.links[link].net.down.cut(0);
                let number = self.links[link].net.number;
                self.hosts[at].socket = None;
                let arrives = self.links[link].net.send_up(Packet::Broken, 0, now).unwrap_or(now);
                self.schedule(arrives.max(now + late), Event::ArriveUp(link));
                self.hosts[at].client.handle_link_closed(number, Closed::NONE, "", now);
                self.drain_client(client, now)?;
            }
            (Fault::Silence, link) => {
                if let Some(link) = link {
                    self.links[link].net.silent = true;
                }
                self.hosts[at].unreachable_until = now + Duration::from_millis(salt % 15_000);
            }
            (Fault::Trickle, Some(link)) => {
                let conn = &mut self.links[link];
                conn.net.silent = true;
                conn.net.slow(100, NEVER);
                let style = Style { ttl: None, key: None, priority: 0, request: false };
                let act = Act::Send { to: Place::Room(0), count: 5, octets: 250_000, binary: false, style };
                self.act(client, act, salt, now)?;
            }
            (Fault::Stall(span), Some(link)) => {
                let net = &mut self.links[link].net;
                net.stalled = net.stalled.max(now + span);
            }
            (Fault::Slow(rate, span), link) => {
                self.hosts[at].slow = Some((rate, now + span));
                if let Some(link) = link {
                    self.links[link].net.slow(rate, now + span);
                }
                if now + span > self.plan.healed + REST_MAX {
                    // As much as may be under way: more than the longest patience without the octets would wait for.
                    let style = Style { ttl: None, key: None, priority: 0, request: false };
                    let act =
                        Act::Send { to: Place::Room(0), count: 6, octets: 250_000, binary: false, style };
                    self.act(client, act, salt, now)?;
                }
            }
            (Fault::Eat, Some(link)) => {
                if self.links[link].net.down.eat(Packet::is_interval).is_some() {
                    self.links[link].eaten = true;
                    self.outrages[at] += 1;
                }
            }
            (Fault::Sleep(span), _) => {
                let wakes = self.hosts[at].asleep_until.max(now + span);
                self.hosts[at].asleep_until = wakes;
                self.schedule(wakes, Event::Wake(client));
            }
            (Fault::LateTimers(late, span), link) => {
                self.hosts[at].late = (late, now + span);
                // Something is written, and its answer takes longer than anybody waits: only a timer could tell.
                if let Some(link) = link.filter(|_| salt.is_multiple_of(2)) {
                    let style = Style { ttl: None, key: None, priority: 0, request: false };
                    let act = Act::Send { to: Place::Room(0), count: 1, octets: 50, binary: false, style };
                    self.links[link].net.stalled = now + Duration::from_millis(2_000 + salt % 6_000);
                    self.act(client, act, salt, now)?;
                    self.hosts[at].client.handle_wake(now);
                    self.drain_client(client, now)?;
                }
            }
            (Fault::Trap(after), _) => self.hosts[at].trap = Some(after),
            // Two different tokens refused in a row end a wire, and rightly.
            (Fault::Expire, _) => {
                let known =
                    self.hosts[at].token == self.tokens[at] && self.hosts[at].client.phase().is_open();
                self.tokens[at] += u32::from(known);
            }
            (Fault::HostileUp(pick), Some(link)) => {
                let frame = hostile::up(pick, salt);
                self.links[link].hostile = true;
                self.outrages[at] += 1;
                if let Some(arrives) = self.links[link].net.send_up(frame, 100, now) {
                    self.schedule(arrives, Event::ArriveUp(link));
                }
            }
            (Fault::HostileDown(pick), Some(link)) => {
                let frame = hostile::down(pick, salt);
                self.links[link].hostile = true;
                self.outrages[at] += 1;
                self.send_down(link, frame, now);
            }
            (Fault::Deny(room, span), _) => {
                self.denied.push((client, room, now + span));
                let (Some(link), Some(subject)) = (link, self.names.subject(Place::Room(room))) else {
                    return Ok(());
                };
                if let Some(served) = &mut self.links[link].served {
                    served.node.handle_revoked(&subject, now);
                    self.drain_node(link, now)?;
                }
            }
            (_, None) => {}
        }
        Ok(())
    }

    /// Both ends hear that the connection is broken, behind what still arrives.
    pub(super) fn end_lanes(&mut self, link: usize, heard: Instant, now: Instant) {
        let conn = &mut self.links[link];
        let up = conn.net.send_up(Packet::Broken, 0, now).unwrap_or(now);
        let down = conn.net.send_down(Packet::Broken, 0, now).unwrap_or(now);
        self.schedule(up.max(heard), Event::ArriveUp(link));
        self.schedule(down.max(heard), Event::ArriveDown(link));
    }

    pub(super) fn trouble(&mut self, process: u8, trouble: Trouble, now: Instant) -> Checked {
        let at = usize::from(process);
        match trouble {
            Trouble::Crash(span) => self.crash(process, span, now)?,
            Trouble::Blackout(span) => {
                for process in 0..self.plan.nodes {
                    self.crash(process, span, now)?;
                }
                if !self.plan.durable {
                    self.facts.new_epoch();
                    let epoch = format!("e{}", self.facts.epoch());
                    self.engine.restart(epoch.as_str().into());
                }
            }
            Trouble::Drain { leave_in, window } => {
                let drain = Drain { leave_in, window, reason: "deploy".into(), url: None };
                let gone = now + leave_in + Duration::from_secs(3);
                self.processes[at].draining = Some((drain.clone(), now + leave_in));
                for link in 0..self.links.len() {
                    if self.links[link].net.node != process {
                        continue;
                    }
                    if let Some(served) = &mut self.links[link].served {
                        served.node.handle_drain(drain.clone(), now);
                        self.drain_node(link, now)?;
                    }
                }
                let life = self.processes[at].life;
                self.schedule(gone, Event::Gone(process, life));
            }
            Trouble::EngineStall(span) => {
                self.processes[at].stalled_until = now + span;
                self.schedule(now + span, Event::Unstall(process));
            }
            Trouble::SlowEngine(longest, span) => self.processes[at].slow_engine = (longest, now + span),
            Trouble::Unanswered(often, span) => self.processes[at].unanswered = (often, now + span),
            Trouble::HooksFail(often, span) => self.processes[at].failing = (often, now + span),
            Trouble::SlowHooks(longest, span) => self.processes[at].slow = (longest, now + span),
            Trouble::Flap(span) => {
                for process in &mut self.processes {
                    process.flapping_until = now + span;
                }
            }
        }
        Ok(())
    }

    /// A node dies with everything it holds.
    pub(super) fn crash(&mut self, process: u8, span: Duration, now: Instant) -> Checked {
        let at = usize::from(process);
        let life = self.processes[at].life + 1;
        self.processes[at] = Process::new(life);
        self.processes[at].down_until = now + span;
        for link in 0..self.links.len() {
            if self.links[link].net.node != process || self.links[link].served.take().is_none() {
                continue;
            }
            // Its kernel says so, or the whole machine has gone and nobody does.
            let told = self.random.chance(200);
            let keep = self.random.next_u64() as u8;
            self.links[link].net.down.cut(keep);
            if told {
                let latency = self.links[link].net.latency();
                if let Some(arrives) = self.links[link].net.send_down(Packet::Broken, 0, now) {
                    self.schedule(arrives.max(now + latency), Event::ArriveDown(link));
                }
            }
            self.links[link].net.cut = true;
        }
        Ok(())
    }

    /// The node closes right behind its `welcome`, for no reason that it gives.
    pub(super) fn flap(&mut self, link: usize, now: Instant) -> Checked {
        let client = usize::from(self.links[link].net.client);
        let flaps = &mut self.hosts[client].flaps;
        flaps.push_back(now);
        if flaps.len() > FLAPS_MAX && flaps.pop_front().is_some_and(|first| now.since(first) < FLAPS_WITHIN) {
            return broken!("tight loop", "client {client} was turned away {FLAPS_MAX} times in 30 s");
        }
        if let Some(served) = &mut self.links[link].served {
            served.node.handle_end(1011, "", now);
        }
        Ok(())
    }
}
