//! A crowd of the machine that ships.

use everwire_core::{Action, Client, Closed, Config, Duration, Frame, Instant, Random, Window, window_in};

use super::{Crowd, Input, Reaction};

/// What the server has told its clients when it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    /// A crash: close code 1006, and no word before it.
    Nothing,
    /// A crash: close code 1006; the window had been advertised.
    Before(Duration),
    /// A restart: close code 1012; the window had been advertised.
    Restart(Duration),
    /// A restart: close code 1012, with the window in its reason.
    Instructed(Duration),
}

impl Told {
    /// Its name in the table.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nothing => "everwire, crash",
            Self::Before(_) => "everwire, crash, W known",
            Self::Restart(_) => "everwire, 1012, W known",
            Self::Instructed(_) => "everwire, 1012 window=W",
        }
    }
}

/// A link is stable after 10 s; before the loss everybody has been connected for longer, not all for equally long.
const CONNECTED_MIN: Duration = Duration::from_secs(12);
const CONNECTED_SPREAD: Duration = Duration::from_secs(60);
/// How long the first dial took, long ago.
const OPENED_AFTER: Duration = Duration::from_millis(50);

/// Clients that were connected when the server went.
#[derive(Debug)]
pub(crate) struct Everwire {
    told: Told,
    members: Vec<Member>,
    links_max: u32,
}

#[derive(Debug)]
struct Member {
    client: Client,
    /// Links that it holds or dials.
    links: u32,
}

impl Everwire {
    pub(crate) fn new(told: Told, clients: u32, seed: u64, lost_at: Instant) -> Self {
        let mut crowd = Self { told, members: Vec::with_capacity(clients as usize), links_max: 0 };
        let mut seeds = Random::new(seed);
        for index in 0..clients {
            let client = Client::new(Config::default(), seeds.next_u64());
            crowd.members.push(Member { client, links: 0 });
            let since = lost_at - CONNECTED_MIN - seeds.within(CONNECTED_SPREAD);
            crowd.connect(index, since, lost_at);
        }
        crowd
    }

    /// Brings one client from its first dial to the moment before the loss.
    fn connect(&mut self, index: u32, since: Instant, until: Instant) {
        let client = &mut self.members[index as usize].client;
        client.handle_connect(since);
        self.drain(index, since);
        let mut now = since + OPENED_AFTER;
        self.handle(index, Input::Opened { link: 1 }, now);
        let client = &mut self.members[index as usize].client;
        if let Told::Before(window) | Told::Restart(window) = self.told {
            client.handle_window(1, Window::Advertised(window), now);
        }
        while let Some(due) = self.members[index as usize].client.next_deadline().filter(|due| *due < until) {
            now = now.max(due);
            if self.handle(index, Input::Timeout, now).beat.is_some() {
                self.handle(index, Input::Answer { link: 1 }, now);
            }
        }
    }

    fn lose(&mut self, index: u32, now: Instant) {
        let client = &mut self.members[index as usize].client;
        let link = client.link();
        let closed = match self.told {
            Told::Nothing | Told::Before(_) => Closed::NONE,
            Told::Restart(_) | Told::Instructed(_) => Closed { code: 1012, clean: true },
        };
        if let Told::Instructed(window) = self.told {
            // As it comes over the wire: six digits of milliseconds hold more than may be asked for.
            let millis = (window.as_micros() / 1000).min(999_999);
            if let Some(window) = window_in(format!("restart window={millis}").bytes().map(u32::from)) {
                client.handle_window(link, Window::Instructed(window), now);
            }
        }
        client.handle_link_closed(link, closed, now);
    }

    fn drain(&mut self, index: u32, now: Instant) -> Reaction {
        let Member { client, links } = &mut self.members[index as usize];
        let mut reaction = Reaction::default();
        while let Some(action) = client.poll() {
            match action {
                Action::Dial { link } => {
                    *links += 1;
                    self.links_max = self.links_max.max(*links);
                    reaction.dial = Some(link);
                    client.handle_dialled(link, false, now);
                }
                Action::DropLink { .. } => *links -= 1,
                Action::Beat => reaction.beat = Some(client.link()),
                Action::Opened { .. } => reaction.back = true,
                Action::Ended { retry: None, .. } => reaction.gave_up = true,
                _ => {}
            }
        }
        reaction.deadline = client.next_deadline();
        reaction
    }
}

impl Crowd for Everwire {
    fn handle(&mut self, index: u32, input: Input, now: Instant) -> Reaction {
        let client = &mut self.members[index as usize].client;
        match input {
            Input::Lost => self.lose(index, now),
            Input::Timeout => client.handle_timeout(now),
            Input::Refused { link } => client.handle_link_closed(link, Closed::NONE, now),
            Input::Opened { link } => {
                client.handle_link_open(link, now);
                client.handle_frame(link, Frame::Message, now);
            }
            Input::Answer { link } => client.handle_frame(link, Frame::Heartbeat, now),
        }
        self.drain(index, now)
    }

    fn links_max(&self) -> u32 {
        self.links_max
    }

    fn bytes_each(&self) -> usize {
        size_of::<Member>()
    }
}
