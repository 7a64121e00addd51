//! One room of one wire, as signals that a page shows.

use everwire::exactly_once::{self, Event, Message, Position, Wire};
use everwire::{Error, State};
use futures_util::StreamExt;
use leptos::prelude::*;
use leptos::task::spawn_local;
use serde::{Deserialize, Serialize};

/// Messages that a newcomer is shown of what was said before.
const HISTORY: u16 = 50;

/// What a message says. The server vouches for the sender's identity, not for the name that is shown here.
#[derive(Serialize, Deserialize)]
struct Text {
    name: String,
    text: String,
}

/// What has become of an own message.
#[derive(Clone, PartialEq)]
pub(crate) enum Fate {
    /// Waiting, or written: only the server can say that it has it.
    Sending,
    Stored,
    Failed(&'static str),
}

/// A line of the conversation.
#[derive(Clone)]
pub(crate) struct Entry {
    /// Its own for as long as the page lives: an own message has no place in the log when it is first shown.
    pub(crate) key: usize,
    pub(crate) who: String,
    pub(crate) text: String,
    /// In milliseconds since 1970, by the sender's clock.
    pub(crate) at: f64,
    /// Of own messages alone.
    pub(crate) fate: Option<RwSignal<Fate>>,
    id: Option<String>,
    place: Option<Position>,
}

#[derive(Clone)]
pub(crate) struct Talk {
    pub(crate) entries: RwSignal<Vec<Entry>>,
    pub(crate) state: RwSignal<State>,
    /// Which dial since the last stable link is next.
    pub(crate) retry: RwSignal<Option<u32>>,
    pub(crate) trouble: RwSignal<Option<String>>,
    name: String,
    wire: Wire,
    room: exactly_once::Room,
}

impl Talk {
    /// Connects and joins; from now on the signals follow what happens.
    pub(crate) fn open(name: String, room: &str) -> Result<Self, Error> {
        // Own messages come back: then everybody shows one order, that of the log.
        let wire = exactly_once::connect(server()).echo(true).build()?;
        let room = wire.join(room)?;
        let talk = Self {
            entries: RwSignal::new(Vec::new()),
            state: RwSignal::new(wire.state()),
            retry: RwSignal::new(None),
            trouble: RwSignal::new(None),
            name,
            wire,
            room,
        };
        talk.follow();
        Ok(talk)
    }

    fn follow(&self) {
        let (entries, state, retry, trouble) = (self.entries, self.state, self.retry, self.trouble);
        let mut states = self.wire.states();
        spawn_local(async move {
            while let Some(now) = states.next().await {
                state.set(now);
            }
        });
        let mut texts = self.room.messages::<Text>("text");
        self.wire
            .on_event(move |event| match event {
                Event::Reconnecting { attempt, .. } => retry.set(Some(*attempt)),
                Event::Open { .. } => retry.set(None),
                Event::Lost { .. } => trouble.set(Some("Messages are gone from the server's log.".into())),
                Event::Error(error) => trouble.set(Some(error.to_string())),
                _ => {}
            })
            .keep();
        spawn_local(async move {
            while let Some(text) = texts.next().await {
                // Of another shape: from some other program, and not for this page.
                if let Ok(text) = text {
                    entries.update(|list| place(list, &text.message, text.content));
                }
            }
        });
        let room = self.room.clone();
        spawn_local(async move {
            if let Err(error) = room.joined().await {
                trouble.set(Some(format!("You cannot enter {}: {error}", room.name())));
                return;
            }
            // A link that ends takes the page with it, and it may be asked for again.
            let page = loop {
                match room.history(HISTORY, None).await {
                    Err(Error::LinkLost) => {}
                    other => break other,
                }
            };
            match page {
                Ok(page) => entries.update(|list| {
                    for message in page.messages.iter().filter(|message| message.kind() == "text") {
                        if let Ok(text) = message.content() {
                            place(list, message, text);
                        }
                    }
                }),
                Err(Error::Closed) => {}
                Err(error) => trouble.set(Some(format!("What was said before is missing: {error}"))),
            }
        });
    }

    /// Sends a text; it is shown at once, at the end, until the log has a place for it.
    pub(crate) fn say(&self, text: String) {
        let (entries, trouble) = (self.entries, self.trouble);
        let content = Text { name: self.name.clone(), text };
        let sending = self.room.send("text", &content);
        let fate = RwSignal::new(Fate::Sending);
        entries.update(|list| {
            list.push(Entry {
                key: list.len(),
                who: content.name,
                text: content.text,
                at: js_sys::Date::now(),
                fate: Some(fate),
                id: Some(sending.id().to_owned()),
                place: None,
            });
        });
        spawn_local(async move {
            match sending.await {
                Ok(_) => fate.set(Fate::Stored),
                Err(error) => {
                    fate.set(Fate::Failed(error.code()));
                    trouble.set(Some(format!("A message was not sent: {error}")));
                }
            }
        });
    }

    /// What waits is still written; the page need not wait for it.
    pub(crate) fn leave(&self) {
        drop(self.wire.close());
    }
}

/// Puts a message where the log has it, once: history and the stream overlap.
fn place(list: &mut Vec<Entry>, message: &Message, content: Text) {
    let Some(position) = message.position() else { return };
    if list.iter().any(|entry| entry.place.as_ref() == Some(position)) {
        return;
    }
    let key = list.len();
    // What carries the id of a message that waits here is that message: ids are random, and nobody has seen it before.
    let waiting =
        |entry: &Entry| entry.place.is_none() && entry.id.is_some() && entry.id.as_deref() == message.id();
    let mut entry = match list.iter().position(waiting) {
        Some(at) => list.remove(at),
        None => Entry {
            key,
            who: content.name,
            text: content.text,
            at: sent_at(message),
            fate: None,
            id: None,
            place: None,
        },
    };
    entry.place = Some(position.clone());
    // Behind all that are before it; those of an earlier life of the log are.
    let before = |entry: &Entry| {
        entry.place.as_ref().is_some_and(|one| one.log_epoch != position.log_epoch || one.s < position.s)
    };
    let at = list.iter().rposition(before).map_or(0, |at| at + 1);
    list.insert(at, entry);
}

fn sent_at(message: &Message) -> f64 {
    #[derive(Deserialize)]
    struct Sent {
        timestamp: f64,
    }
    message.envelope::<Sent>().map_or_else(|_| js_sys::Date::now(), |sent| sent.timestamp)
}

/// Hours and minutes where the reader is.
pub(crate) fn clock(at: f64) -> String {
    let date = js_sys::Date::new(&at.into());
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// `?server=…`, or the server that the page came from.
fn server() -> String {
    let search = window().location().search().unwrap_or_default();
    let asked = web_sys::UrlSearchParams::new_with_str(&search).ok().and_then(|query| query.get("server"));
    asked.unwrap_or_else(|| "/ws".to_owned())
}
