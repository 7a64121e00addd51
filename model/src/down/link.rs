//! A link and its node.

use std::collections::VecDeque;

use everwire_core::engine::{Engine as _, LogEpoch, Subject};
use everwire_core::frame::FromClient;
use everwire_core::session::down::{
    Answer, Asked, Feed, Hello, Opening, Outbound, Place, Standing, Verdict, Welcome, Wish,
};

use super::log::{Body, Server};
use super::{Breach, NOW, own};

#[derive(Clone, Debug)]
pub(crate) enum Up {
    Hello(Hello),
    Seen { s: u64, count: u64, bytes: u64 },
    Wish(Wish),
}

#[derive(Clone, Debug)]
pub(crate) enum Down {
    Welcome(Welcome),
    Frame(Outbound<Body>),
    Close,
}

#[derive(Clone, Debug)]
enum Half {
    Fresh,
    /// The claim has been answered, and what is gone has not been asked for.
    Claimed {
        hello: Hello,
        epoch: LogEpoch,
        head: u64,
    },
    Open {
        feed: Box<Feed>,
        epoch: LogEpoch,
    },
    Closed,
}

#[derive(Clone, Debug)]
pub(crate) struct Link {
    pub(crate) number: u64,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    half: Half,
    /// The engine has answered, and the node has not been told.
    pub(crate) answer: Option<Answer<Body>>,
    /// An answer that the node is told a second time.
    pub(crate) echo: Option<Answer<Body>>,
    /// Joins whose authorisation is under way.
    pub(crate) joining: VecDeque<Subject>,
}

impl Link {
    pub(crate) fn new(number: u64, hello: Hello) -> Self {
        Self {
            number,
            up: [Up::Hello(hello)].into(),
            down: VecDeque::new(),
            half: Half::Fresh,
            answer: None,
            echo: None,
            joining: VecDeque::new(),
        }
    }

    pub(crate) fn write(&mut self, up: Up) {
        if !matches!(self.half, Half::Closed) {
            self.up.push_back(up);
        }
    }

    pub(crate) fn write_seen(&mut self, frame: FromClient<'_>) {
        let FromClient::Seen { s, count, bytes } = frame else { unreachable!("{frame:?}") };
        self.write(Up::Seen { s, count, bytes });
    }

    /// The log has grown.
    pub(crate) fn wake(&mut self) {
        if let Half::Open { feed, .. } = &mut self.half {
            feed.wake();
        }
    }

    pub(crate) fn epoch(&self) -> Option<&LogEpoch> {
        match &self.half {
            Half::Open { epoch, .. } => Some(epoch),
            _ => None,
        }
    }

    pub(crate) fn outstanding(&self) -> Option<u64> {
        match &self.half {
            Half::Open { feed, .. } => Some(feed.outstanding().messages),
            _ => None,
        }
    }

    fn close(&mut self) {
        self.half = Half::Closed;
        self.up.clear();
        (self.answer, self.echo) = (None, None);
        self.joining.clear();
        self.down.push_back(Down::Close);
    }

    /// The node reads a frame.
    pub(crate) fn read(&mut self, server: &mut Server) -> Option<Result<(), Breach>> {
        Some(match (self.up.pop_front()?, &mut self.half) {
            (Up::Hello(hello), Half::Fresh) => {
                match server.claim(self.number) {
                    Some((epoch, head)) => self.half = Half::Claimed { hello, epoch, head },
                    None => self.close(),
                }
                Ok(())
            }
            (Up::Seen { s, count, bytes }, Half::Open { feed, .. }) => {
                feed.handle_seen(s, count, bytes).map_err(|_| Breach::Odds)
            }
            (Up::Wish(Wish::Leave(room)), Half::Open { feed, .. }) => {
                feed.handle_leave(&room);
                Ok(())
            }
            (Up::Wish(Wish::Join(room)), Half::Open { feed, .. }) => match feed.handle_join(room.clone()) {
                Ok(true) => {
                    self.joining.push_back(room);
                    Ok(())
                }
                _ => Err(Breach::Odds),
            },
            _ => Err(Breach::Odds),
        })
    }

    /// The node asks what is gone and says welcome.
    pub(crate) fn open(&mut self, server: &mut Server) -> Option<Result<(), Breach>> {
        let Half::Claimed { hello, epoch, head } = &self.half else { return None };
        let standing = Standing::Allowed { from_holds: true, since: 0 };
        let asked = |(room, seat): &(Subject, everwire_core::session::down::Seat)| Asked {
            subject: room.clone(),
            from: seat.from,
            standing: standing.clone(),
        };
        let rooms: Vec<_> = hello.rooms.iter().map(asked).collect();
        let epoch = epoch.clone();
        let mut opening = Opening {
            epoch: hello.epoch.clone(),
            position: hello.position,
            rooms,
            held: hello.held,
            own: own(),
            engine_epoch: epoch.clone(),
            head: *head,
            trimmed: Vec::new(),
        };
        let Ok(trimmed) = server.engine.trimmed(&epoch, &opening.question(), NOW) else {
            self.close();
            return Some(Ok(()));
        };
        opening.trimmed = trimmed;
        let Ok(opened) = opening.open() else { return Some(Err(Breach::Odds)) };
        if opening.check().is_err() {
            return Some(Err(Breach::Odds));
        }
        let feed = Box::new(Feed::new(epoch.clone(), own(), hello.held, &opened, NOW));
        let place = |(room, from): (&Subject, u64)| Place { subject: room.clone(), from, grant: None };
        self.down.push_back(Down::Welcome(Welcome {
            epoch: epoch.clone(),
            own: own(),
            position: opened.position,
            rooms: opened.filter.iter().map(place).collect(),
            denied: opened.denied,
            lost: opened.lost,
        }));
        self.half = Half::Open { feed, epoch };
        Some(Ok(()))
    }

    /// The node asks the engine, which answers.
    pub(crate) fn ask(&mut self, server: &mut Server) -> Option<()> {
        let Half::Open { feed, .. } = &self.half else { return None };
        if self.answer.is_some() {
            return None;
        }
        match feed.ask(&mut server.engine, feed.look()?, NOW) {
            Ok(answer) => self.answer = Some(answer),
            Err(_) => self.close(),
        }
        Some(())
    }

    /// The node is told the answer.
    pub(crate) fn answer(&mut self, again: bool) -> Option<()> {
        let Half::Open { feed, .. } = &mut self.half else { return None };
        let answer = self.answer.take()?;
        if again {
            self.echo = Some(answer.clone());
        }
        self.down.extend(feed.handle_answer(answer, NOW).into_iter().map(Down::Frame));
        Some(())
    }

    /// The node is told an answer a second time.
    pub(crate) fn echo(&mut self) -> Option<()> {
        let Half::Open { feed, .. } = &mut self.half else { return None };
        let answer = self.echo.take()?;
        self.down.extend(feed.handle_answer(answer, NOW).into_iter().map(Down::Frame));
        Some(())
    }

    /// A room that was to be joined is authorised.
    pub(crate) fn authorise(&mut self, server: &Server) -> Option<()> {
        let room = self.joining.pop_front()?;
        // A call of a link whose epoch is over ends the link. [ENG-30]
        if self.epoch() != Some(server.engine.epoch()) {
            self.close();
            return Some(());
        }
        let Half::Open { feed, .. } = &mut self.half else { return None };
        feed.handle_verdict(&room, Verdict::Allowed { head: server.engine.head() });
        while let Some(answer) = feed.poll_join() {
            self.down.push_back(Down::Frame(answer));
        }
        Some(())
    }

    /// The node tells how far it has looked.
    pub(crate) fn advance(&mut self) -> Option<()> {
        let Half::Open { feed, .. } = &mut self.half else { return None };
        // It may be due at any moment; that it has come is noted as of now, so that the next one may be, too.
        feed.advance_due()?;
        let advance = feed.last_advance(NOW)?;
        self.down.push_back(Down::Frame(advance));
        Some(())
    }
}
