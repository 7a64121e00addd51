//! Pages of history: at most four unanswered on a link, the others wait. Chapter 10 of `docs/PROTOCOL.md`.

use crate::engine::{LogEpoch, RefusalCode, Subject};
use crate::frame::{NUMBER_MAX, Numbers, PAGE_MESSAGES_MAX, PageMark, Room};
use crate::gather::{gather, take_at};
use crate::session::Broken;

/// Unanswered pages of a link. [LIM-13]
pub const PAGES_MAX: usize = 4;
/// Pages that wait for their turn: what an application asks for in vain must end somewhere.
pub const PAGES_WAITING_MAX: usize = 256;

/// The host's name for a page that was asked for; unique among those that have not ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PageId(pub u32);

/// A page that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageAsk {
    /// Its name.
    pub page: PageId,
    /// The room.
    pub subject: Subject,
    /// The newest below this position, which was given in this log; `None`: the newest there are. [PAGE-10]
    pub before: Option<(LogEpoch, u64)>,
    /// How many, 1 to [`PAGE_MESSAGES_MAX`].
    pub count: u16,
}

/// Why a page does not come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PageFailure {
    /// The server says so.
    Refused(RefusalCode),
    /// Its link has ended; it may be asked for again. [PAGE-7]
    LinkLost,
    /// The log of its position is gone. [PAGE-10]
    Lost,
    /// The application no longer wants it, or the wire has closed.
    Closed,
}

/// Why a page cannot be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PageUnfit {
    /// The room is no subject [FRM-11], or the count out of range [LIM-14].
    Malformed,
    /// [`PAGES_WAITING_MAX`] wait.
    TooMany,
    /// The wire is closing or closed.
    Closed,
}

impl PageAsk {
    pub(super) fn check(&self) -> Result<(), PageUnfit> {
        let counted = (1..=PAGE_MESSAGES_MAX).contains(&usize::from(self.count));
        let placed = self.before.as_ref().is_none_or(|(_, before)| *before <= NUMBER_MAX);
        let fits = counted && placed && Room::encode(self.subject.as_str()).is_some();
        if fits { Ok(()) } else { Err(PageUnfit::Malformed) }
    }
}

/// One that is unanswered on the link.
#[derive(Clone, Debug)]
struct Asked {
    id: u64,
    page: PageId,
    before: u64,
    /// How many messages may still come.
    left: u64,
    /// The last number that came.
    last: u64,
    /// Nobody waits for it any more; its answer still has to come.
    aborted: bool,
}

/// The pages of a client.
#[derive(Clone, Debug, Default)]
pub(super) struct Pages {
    asked: Vec<Asked>,
    waiting: Vec<PageAsk>,
    next_id: u64,
}

impl Pages {
    pub(super) fn admits(&self, ask: &PageAsk) -> Result<(), PageUnfit> {
        ask.check()?;
        if self.waiting.len() >= PAGES_WAITING_MAX { Err(PageUnfit::TooMany) } else { Ok(()) }
    }

    pub(super) fn ask(&mut self, ask: PageAsk) {
        self.waiting.push(ask);
    }

    /// Whether one could be written.
    pub(super) fn is_ready(&self) -> bool {
        self.asked.len() < PAGES_MAX && !self.waiting.is_empty()
    }

    /// The next to be written in this log, with its id on the link; or one that has to fail.
    pub(super) fn next(&mut self, epoch: &LogEpoch) -> Option<Result<(u64, PageAsk), PageId>> {
        if !self.is_ready() {
            return None;
        }
        let ask = take_at(&mut self.waiting, 0)?;
        if ask.before.as_ref().is_some_and(|(of, _)| of != epoch) {
            return Some(Err(ask.page));
        }
        self.next_id += 1;
        let before = ask.before.as_ref().map_or(NUMBER_MAX, |(_, before)| *before);
        let (id, page, left) = (self.next_id, ask.page, u64::from(ask.count));
        self.asked.push(Asked { id, page, before, left, last: 0, aborted: false });
        Some(Ok((id, ask)))
    }

    /// A frame of an answer; the page, unless nobody waits for it. [PAGE-8]
    pub(super) fn answer(
        &mut self,
        id: u64,
        mark: PageMark,
        numbers: Numbers<'_>,
    ) -> Result<Option<PageId>, Broken> {
        const BROKEN: Broken = Broken { clause: "PAGE-8" };
        let at = self.asked.iter().position(|asked| asked.id == id).ok_or(BROKEN)?;
        let asked = self.asked.get_mut(at).ok_or(BROKEN)?;
        let many = numbers.count() as u64;
        let mut last = asked.last;
        let placed = numbers.iter().all(|s| {
            let fits = s > last && s < asked.before;
            last = s;
            fits
        });
        if !placed || many > asked.left || (many == 0 && mark != PageMark::End) {
            return Err(BROKEN);
        }
        asked.left -= many;
        asked.last = last;
        let page = Some(asked.page).filter(|_| !asked.aborted);
        if mark != PageMark::More {
            take_at(&mut self.asked, at);
        }
        Ok(page)
    }

    /// A page is refused.
    pub(super) fn refuse(&mut self, id: u64) -> Result<Option<PageId>, Broken> {
        let at = self.asked.iter().position(|asked| asked.id == id);
        let asked = at.and_then(|at| take_at(&mut self.asked, at)).ok_or(Broken { clause: "PAGE-8" })?;
        // A refusal is the whole answer, not the end of one that has begun. [PAGE-2]
        if asked.last > 0 {
            return Err(Broken { clause: "PAGE-2" });
        }
        Ok(Some(asked.page).filter(|_| !asked.aborted))
    }

    /// The application no longer wants it; true if that ends it.
    pub(super) fn abort(&mut self, page: PageId) -> bool {
        if let Some(asked) = self.asked.iter_mut().find(|asked| asked.page == page && !asked.aborted) {
            asked.aborted = true;
            return true;
        }
        let many = self.waiting.len();
        self.waiting.retain(|ask| ask.page != page);
        self.waiting.len() < many
    }

    /// The link is gone: those that were asked for on it.
    pub(super) fn link_ended(&mut self) -> Vec<PageId> {
        self.next_id = 0;
        let asked = core::mem::take(&mut self.asked);
        gather(asked.iter().filter(|asked| !asked.aborted).map(|asked| asked.page))
    }

    /// The wire has closed: all others.
    pub(super) fn close(&mut self) -> Vec<PageId> {
        let waiting = core::mem::take(&mut self.waiting);
        gather(waiting.iter().map(|ask| ask.page))
    }

    /// Another log is in force: those that name a position of the one before.
    pub(super) fn epoch_changed(&mut self, epoch: &LogEpoch) -> Vec<PageId> {
        let is_gone = |ask: &PageAsk| ask.before.as_ref().is_some_and(|(of, _)| of != epoch);
        let gone = gather(self.waiting.iter().filter(|ask| is_gone(ask)).map(|ask| ask.page));
        self.waiting.retain(|ask| !is_gone(ask));
        gone
    }
}
