//! One link: what is on its way, and the node at its other end.

use std::collections::VecDeque;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use everwire_core::engine::{Answer, Call, Claimed, Failure, Fence, Post, Refused};
use everwire_core::session::up::{Ack, Hello, Judgement, Numbered, Producing, Settling};

use super::server::{Body, Server, claim, room};
use super::{Breach, LATER, NOW, Setting, place_of};
use crate::digest::Digested;

/// On its way up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Up {
    Hello(Hello),
    Send { n: u64, oldest: u64, messages: Vec<Numbered> },
}

/// On its way down.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Down {
    Welcome { producing: Producing, born: u64, mark: u64, refused: Vec<Refused>, credit: u64, epoch: u8 },
    Ack(Ack),
    Close(u16),
}

/// What the node has of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    /// No `hello` has come.
    Fresh,
    /// A claim is under way; of the second producer, if the first was unknown.
    Claiming(Hello, Producing),
    /// Welcome was said.
    Open(Box<Digested<Settling<Body>>>, Fence),
    /// Nothing is read any more.
    Closed,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Link {
    pub(crate) number: u64,
    /// Which node: the hook of the first one refuses a message, that of the second does not.
    node: u8,
    pub(crate) up: VecDeque<Up>,
    pub(crate) down: VecDeque<Down>,
    half: Half,
    /// Read, and the hook has not answered.
    unjudged: VecDeque<Numbered>,
    /// Issued, and not carried out.
    pub(crate) call: Option<Call<Body>>,
}

impl Hash for Up {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Hello(hello) => hash_hello(hello, state),
            Self::Send { n, oldest, messages } => {
                (n, oldest, messages.len()).hash(state);
                messages.iter().for_each(|numbered| hash_numbered(numbered, state));
            }
        }
    }
}

fn hash_hello(hello: &Hello, state: &mut impl Hasher) {
    let Hello { producer, successor, oldest, written, born } = hello;
    (producer, successor, oldest, written, born).hash(state);
}

/// A ticket says all else that there is of a message.
fn hash_numbered(numbered: &Numbered, state: &mut impl Hasher) {
    (numbered.n, numbered.message.ticket.0, numbered.withdrawn).hash(state);
}

impl Hash for Down {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Welcome { producing, born, mark, refused, credit, epoch } => {
                (*producing == Producing::Kept, born, mark, refused, credit, epoch).hash(state);
            }
            Self::Ack(Ack { n, credit, refused }) => (n, credit, refused).hash(state),
            Self::Close(code) => code.hash(state),
        }
    }
}

impl Hash for Half {
    fn hash<H: Hasher>(&self, state: &mut H) {
        core::mem::discriminant(self).hash(state);
        match self {
            Self::Fresh | Self::Closed => {}
            Self::Claiming(hello, producing) => {
                hash_hello(hello, state);
                (*producing == Producing::Kept).hash(state);
            }
            Self::Open(settling, fence) => (settling, fence).hash(state),
        }
    }
}

impl Hash for Link {
    fn hash<H: Hasher>(&self, state: &mut H) {
        let Self { number, node, up, down, half, unjudged, call } = self;
        (number, node, up, down, half, unjudged.len(), call).hash(state);
        unjudged.iter().for_each(|numbered| hash_numbered(numbered, state));
    }
}

impl Link {
    pub(crate) fn new(number: u64, node: u8, hello: Hello) -> Self {
        let up = VecDeque::from([Up::Hello(hello)]);
        let (down, unjudged) = (VecDeque::new(), VecDeque::new());
        Self { number, node, up, down, half: Half::Fresh, unjudged, call: None }
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.half == Half::Closed
    }

    /// Whether nothing can come of it without its client.
    pub(crate) fn is_spent(&self) -> bool {
        let still = self.call.is_none() && self.up.is_empty() && self.unjudged.is_empty();
        match &self.half {
            Half::Closed => true,
            Half::Fresh | Half::Claiming(..) => still,
            Half::Open(settling, _) => {
                settling.ended().is_some() || (still && settling.clone().call(LATER).is_none())
            }
        }
    }

    fn close(&mut self, code: u16) {
        self.half = Half::Closed;
        self.call = None;
        self.up.clear();
        self.unjudged.clear();
        self.down.push_back(Down::Close(code));
    }

    /// The node reads a frame.
    pub(crate) fn read(&mut self, setting: &Setting) -> Option<Result<(), Breach>> {
        match (self.up.pop_front()?, &mut self.half) {
            (Up::Hello(hello), half @ Half::Fresh) => {
                let Hello { producer, oldest, written, born, .. } = hello;
                self.call = Some(Call::Claim(claim(producer, self.number, oldest, written, born)));
                *half = Half::Claiming(hello, Producing::Kept);
            }
            (Up::Send { n, oldest, messages }, Half::Open(settling, _)) => {
                let lengths: Vec<_> = messages.iter().map(Numbered::bytes).collect();
                if settling.read(n, oldest, &lengths).is_err() {
                    let over = settling.ended().is_some_and(|ended| ended.code != 4002);
                    return Some(if over { Ok(()) } else { Err(Breach::Odds) });
                }
                self.unjudged.extend(messages);
                while !setting.slow_hooks && self.judge(setting).is_some() {}
            }
            _ => return Some(Err(Breach::Odds)),
        }
        Some(Ok(()))
    }

    /// The node's hook answers for the next message.
    pub(crate) fn judge(&mut self, setting: &Setting) -> Option<()> {
        let Numbered { n, message, withdrawn } = self.unjudged.pop_front()?;
        let Half::Open(settling, _) = &mut self.half else { return None };
        let refused = self.node == 0 && place_of(message.ticket) == setting.refused;
        settling.judge(
            n,
            match (withdrawn, refused) {
                (true, _) => Judgement::Refuse("withdrawn".into()),
                (_, true) => Judgement::Refuse("forbidden".into()),
                _ => Judgement::Store(Post::new(room(), Body(message.ticket.0))),
            },
        );
        Some(())
    }

    /// The node issues its next call.
    pub(crate) fn issue(&mut self) -> Option<()> {
        let Half::Open(settling, _) = &mut self.half else { return None };
        if self.call.is_some() {
            return None;
        }
        self.call = Some(settling.call(LATER)?);
        Some(())
    }

    /// The node is answered.
    pub(crate) fn answer(
        &mut self,
        answer: Answer<Body>,
        server: &Server,
        window: u64,
    ) -> Result<(), Breach> {
        self.call = None;
        match (answer, &mut self.half) {
            (Answer::Claim(answer), Half::Claiming(hello, producing)) => {
                let (hello, producing) = (*hello, *producing);
                self.claimed(answer, hello, producing, server, window);
            }
            (Answer::Append(answer), Half::Open(settling, _)) => settling.appended(answer, NOW),
            (Answer::Refuse(answer), Half::Open(settling, _)) => settling.refused(answer, NOW),
            _ => return Err(Breach::Odds),
        }
        let Half::Open(settling, _) = &self.half else { return Ok(()) };
        match settling.ended().map(|ended| ended.code) {
            None | Some(4005 | 4006) => Ok(()),
            // A mark where this link has not brought it, or a hole: a fence does not hold.
            Some(_) => Err(Breach::Mark),
        }
    }

    fn claimed(
        &mut self,
        answer: Result<Claimed, Failure>,
        hello: Hello,
        producing: Producing,
        server: &Server,
        window: u64,
    ) {
        let kept = producing == Producing::Kept;
        let (producer, oldest) = match (kept, hello.successor) {
            (false, Some(successor)) => (successor, 1),
            _ => (hello.producer, hello.oldest),
        };
        match answer {
            Ok(Claimed::Claimed { mark, born, refusals, epoch, .. }) => {
                let at = server.epoch_of(&epoch);
                let fence = Fence { epoch, producer, link: self.number, oldest };
                let settling = Settling::new(fence.clone(), mark, &refusals, NOW).with_window(window);
                let (refused, credit) = (refusals, settling.credit());
                self.down.push_back(Down::Welcome { producing, born, mark, refused, credit, epoch: at });
                self.half = Half::Open(Box::new(Digested::new(settling)), fence);
            }
            Ok(Claimed::Unknown) if kept && hello.written > 0 => {
                let Some(successor) = hello.successor else { return self.close(4002) };
                self.call = Some(Call::Claim(claim(successor, self.number, 1, 0, None)));
                self.half = Half::Claiming(hello, Producing::Successor);
            }
            Ok(Claimed::Unknown | Claimed::Fenced) => self.close(4005),
            Ok(Claimed::Full) => self.close(1013),
            Err(_) => self.close(4004),
        }
    }

    /// The node gives a call up as unanswered; it may be carried out all the same.
    pub(crate) fn give_up(
        &mut self,
        server: &Server,
        window: u64,
    ) -> Option<(Call<Body>, Result<(), Breach>)> {
        let call = self.call.take()?;
        let given_up = self.answer(call.unanswered(), server, window);
        Some((call, given_up))
    }

    /// The node tells what is settled, or that the link is over.
    pub(crate) fn tell(&mut self, server: &Server) -> Option<Result<(), Breach>> {
        let Half::Open(settling, fence) = &mut self.half else { return None };
        if let Some(ack) = settling.ack(LATER) {
            // Nobody but the engine settles. [ACK-1]
            let true_word = ack.n <= server.mark(server.epoch_of(&fence.epoch), &fence.producer);
            self.down.push_back(Down::Ack(ack));
            return Some(if true_word { Ok(()) } else { Err(Breach::Ack) });
        }
        let ended = settling.ended()?;
        self.close(ended.code);
        Some(Ok(()))
    }

    /// The client has gone: what it wrote last is lost, and what it was told reaches nobody. [TRN-7] [ACK-9]
    pub(crate) fn leave(&mut self, keep: usize) {
        self.up.truncate(keep);
        self.down.clear();
    }

    /// Whether frames, calls or hooks are under way.
    pub(crate) fn is_still(&self) -> bool {
        self.up.is_empty() && self.down.is_empty() && self.call.is_none() && self.unjudged.is_empty()
    }

    pub(crate) fn has_unjudged(&self) -> bool {
        !self.unjudged.is_empty()
    }
}

/// Links change one at a time: what does not is shared by the states.
pub(crate) type Shared = Arc<Link>;
