//! A chat in Rust alone: Leptos for the page, `everwire::exactly_once` for the wire.

mod talk;

use leptos::ev::SubmitEvent;
use leptos::prelude::*;

use talk::{Entry, Fate, Talk};

fn main() {
    console_error_panic_hook::set_once();
    mount_to_body(App);
}

#[component]
fn App() -> impl IntoView {
    let chosen = RwSignal::new(None::<(String, String)>);
    view! {
        <main>
            <h1>"Leptos chat"</h1>
            {move || match chosen.get() {
                None => view! { <Entrance chosen /> }.into_any(),
                Some((name, room)) => view! { <Room name room chosen /> }.into_any(),
            }}
        </main>
    }
}

/// Who, and where to.
#[component]
fn Entrance(chosen: RwSignal<Option<(String, String)>>) -> impl IntoView {
    let (name, room) = (RwSignal::new(String::new()), RwSignal::new("lobby".to_owned()));
    let enter = move |event: SubmitEvent| {
        event.prevent_default();
        chosen.set(Some((name.get(), room.get())));
    };
    view! {
        <form class="entrance" on:submit=enter>
            <label for="name">"Name"</label>
            <input id="name" required maxlength="40" autocomplete="nickname" bind:value=name />
            <label for="room">"Room"</label>
            <input id="room" required maxlength="40" bind:value=room />
            <button>"Join"</button>
        </form>
    }
}

#[component]
fn Room(name: String, room: String, chosen: RwSignal<Option<(String, String)>>) -> impl IntoView {
    let title = format!("{room}, as {name}");
    match Talk::open(name, &room) {
        Ok(talk) => view! { <Conversation title talk chosen /> }.into_any(),
        Err(error) => view! {
            <p class="trouble" role="alert">{error.to_string()}</p>
            <button on:click=move |_| chosen.set(None)>"Back"</button>
        }
        .into_any(),
    }
}

#[component]
fn Conversation(title: String, talk: Talk, chosen: RwSignal<Option<(String, String)>>) -> impl IntoView {
    let (entries, state, retry, trouble) = (talk.entries, talk.state, talk.retry, talk.trouble);
    let text = RwSignal::new(String::new());
    let said = talk.clone();
    let send = move |event: SubmitEvent| {
        event.prevent_default();
        let text = std::mem::take(&mut *text.write());
        if !text.is_empty() {
            said.say(text);
        }
    };
    let leave = move |_| {
        talk.leave();
        chosen.set(None);
    };
    let shown = move || match (state.get().name(), retry.get()) {
        ("waiting", Some(attempt)) => format!("retrying (attempt {attempt})"),
        (name, _) => name.to_owned(),
    };
    view! {
        <header>
            <h2>{title}</h2>
            <p id="state" role="status" data-state=move || state.get().name()>{shown}</p>
            <button class="quiet" on:click=leave>"Leave"</button>
        </header>
        <ol id="messages" role="log" aria-live="polite" aria-label="Messages">
            <For each=move || entries.get() key=|entry| entry.key let:entry>
                <Line entry />
            </For>
        </ol>
        <p class="trouble" role="alert">{move || trouble.get()}</p>
        <form class="say" on:submit=send>
            <label for="text" class="unseen">"Message"</label>
            <input id="text" autocomplete="off" placeholder="Message" bind:value=text />
            <button>"Send"</button>
        </form>
    }
}

#[component]
fn Line(entry: Entry) -> impl IntoView {
    let Entry { who, text, at, fate, .. } = entry;
    let own = fate.is_some();
    let fate = fate.map(|fate| {
        let word = move || match fate.get() {
            Fate::Sending => "sending".to_owned(),
            Fate::Stored => "stored".to_owned(),
            Fate::Failed(code) => format!("not sent: {code}"),
        };
        view! { <span class="fate">{word}</span> }
    });
    view! {
        <li class:own=own>
            <span class="who">{who}</span>
            <time>{talk::clock(at)}</time>
            <span class="text">{text}</span>
            {fate}
        </li>
    }
}
