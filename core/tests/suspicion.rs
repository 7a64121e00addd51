//! What is asked when something looks wrong, how soon a dead link is noticed by it, and what it costs a healthy one.

mod common;

use common::net::Net;
use common::{Harness, ms, secs};
use everwire_core::{Action, Config, Duration, ExpectReply, Notice, State, Timer};

fn config(expect_reply: ExpectReply) -> Config {
    let mut config = Config::default();
    config.liveness.expect_reply = expect_reply;
    config
}

/// What goes on, and how long the silence of a link may last until it is noticed, whenever it falls.
fn longest(prepare: impl Fn(&mut Net), warm: Duration) -> Duration {
    let mut longest = Duration::ZERO;
    for phase in 0..45 {
        let mut net = Net::open(config(ExpectReply::Yes));
        net.run(warm);
        prepare(&mut net);
        net.run(secs(6) + ms(777 * phase));
        assert_eq!(net.verdicts(), []);
        net.silence();
        let silenced_at = net.now();
        net.run(secs(120));
        longest = longest.max(net.verdicts()[0].since(silenced_at));
    }
    longest
}

/// The figures of the plan, for a round trip of 50 ms; with heartbeats answered before, and with nothing measured but
/// by the messages themselves.
#[test]
fn a_silenced_link_is_noticed_within_seconds_while_sending() {
    for warm in [Duration::ZERO, secs(200)] {
        let ten = longest(|net| net.every(ms(100), 200, true), warm);
        assert!(ten > secs(2) && ten <= ms(3_500), "10/s: {ten:?}");
        let two_hundred = longest(|net| net.every(ms(5), 200, true), warm);
        assert!(two_hundred <= secs(5), "200/s: {two_hundred:?}");
    }
}

#[test]
fn a_silenced_link_is_noticed_within_seconds_while_listening() {
    let feed = longest(|net| net.every(ms(100), 200, false), secs(200));
    assert!(feed <= secs(5), "{feed:?}");
}

#[test]
fn an_idle_link_is_noticed_by_the_heartbeat() {
    let idle = longest(|_| {}, secs(200));
    assert!(idle > secs(25) && idle <= secs(31), "{idle:?}");
}

#[test]
fn a_learned_server_is_asked_too_and_one_that_never_answers_never() {
    for (answers, noticed) in [(true, 1), (false, 0)] {
        let mut net = Net::open(config(ExpectReply::Learn));
        net.answers = answers;
        net.run(secs(200));
        net.every(ms(5), 200, true);
        net.every(ms(100), 200, false);
        net.run(secs(20));
        net.silence();
        net.stop_sources();
        net.send(200);
        net.run(secs(5));
        assert_eq!(net.verdicts().len(), noticed);
    }
}

/// Frames an hour that a healthy link costs beyond the application's own.
fn beats_an_hour(prepare: impl Fn(&mut Net)) -> usize {
    let mut net = Net::open(config(ExpectReply::Yes));
    prepare(&mut net);
    net.run(secs(3600));
    assert_eq!((net.verdicts(), net.harness.client.link()), (vec![], 1));
    net.harness.beats()
}

#[test]
fn what_a_healthy_link_costs_an_hour() {
    let echoing = |every: Duration| beats_an_hour(|net| net.every(every, 200, true));
    assert_eq!(beats_an_hour(|_| {}), 120, "idle: one every 30 s");
    assert_eq!(echoing(ms(100)), 0, "busy, messages come back");
    assert_eq!(echoing(ms(10)), 0);
    assert_eq!(beats_an_hour(|net| net.every(ms(100), 200, false)), 120, "listening: heartbeats alone");

    let silent = |every: Duration| {
        beats_an_hour(|net| {
            net.echoes = false;
            net.every(every, 200, true);
        })
    };
    // Here a message is settled by an answer alone: one frame in 2 s is what it costs to know.
    assert_eq!(silent(ms(100)), 1_800, "busy, answers alone");
    assert_eq!(silent(secs(60)), 120, "a message a minute: one for it, and one in the pause after it");
}

/// The messages themselves tell the round trip: a far server is not asked again and again.
#[test]
fn a_long_round_trip_is_no_suspicion() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.delay = ms(750);
    net.every(ms(100), 200, true);
    net.run(secs(60));
    let asked = net.harness.beats();
    net.run(secs(3600));
    assert!(asked <= 1 && net.harness.beats() == asked, "{asked}, {}", net.harness.beats());
    assert_eq!(net.verdicts(), []);
}

/// … nor is one that varies: what is measured at each round trip is remembered for a while.
#[test]
fn a_round_trip_that_varies_is_no_suspicion() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.every(ms(5), 200, true);
    for half in 0..100u64 {
        net.delay = ms(400 + half % 2 * 300);
        net.run(secs(2));
    }
    assert_eq!((net.harness.beats(), net.verdicts()), (0, vec![]));
}

/// The browser's word and a long sleep are reasons to ask at once, on a link that nothing else is wrong with.
#[test]
fn the_page_may_be_the_reason() {
    for hint in 0..3 {
        let mut harness = Harness::open(config(ExpectReply::Yes));
        harness.pass(secs(10));
        match hint {
            0 => harness.client.handle_online(harness.now),
            1 => harness.client.handle_offline(harness.now),
            _ => harness.client.handle_wake(harness.now),
        }
        harness.drain();
        assert_eq!(harness.beats(), 1, "{hint}");
    }
}

/// Who is not known to answer is not asked: the answer that stays out would mean nothing.
#[test]
fn who_never_answers_is_not_asked() {
    for expect_reply in [ExpectReply::No, ExpectReply::Learn] {
        let mut harness = Harness::open(config(expect_reply));
        for _ in 0..29 {
            harness.frame();
            harness.pass(secs(1));
        }
        harness.send(10);
        harness.client.handle_online(harness.now);
        harness.pass(ms(900));
        harness.send(10);
        harness.pass(secs(20));
        assert_eq!(harness.beats(), 0);
    }
}

/// A new link is a new beginning: no rhythm has been heard on it, and nothing has been asked.
#[test]
fn nothing_is_suspected_of_a_new_link() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.every(ms(100), 200, false);
    net.run(secs(10));
    net.stop_sources();
    net.harness.reset();
    net.run(secs(20));
    assert_eq!((net.harness.client.state(), net.harness.beats()), (State::Open, 0));

    let mut harness = Harness::open(config(ExpectReply::Yes));
    for beats in 1..=2 {
        harness.client.handle_online(harness.now);
        harness.drain();
        assert_eq!(harness.beats(), beats);
        harness.reset();
        harness.pass_until_dial();
        harness.open_link();
        harness.frame();
    }
}

/// Traffic that comes and goes costs a question a pause, and no more.
#[test]
fn the_end_of_a_rhythm_is_asked_about_once() {
    let mut config = config(ExpectReply::Yes);
    config.liveness.interval = secs(600);
    let mut net = Net::open(config);
    net.every(ms(100), 200, false);
    net.run(secs(10));
    net.stop_sources();
    net.run(secs(3));
    assert_eq!(net.harness.beats(), 1);
    net.run(secs(29));
    assert_eq!(net.harness.beats(), 1);
    // A few frames are no rhythm, nor is what was asked for.
    net.every(ms(100), 200, false);
    net.run(secs(3));
    net.stop_sources();
    net.every(ms(100), 200, true);
    net.run(secs(20));
    net.stop_sources();
    net.run(secs(29));
    assert_eq!(net.harness.beats(), 1);
    assert_eq!(net.verdicts(), []);

    net.echoes = false;
    net.every(ms(50), 200, true);
    net.run(secs(100));
    net.stop_sources();
    net.run(secs(10));
    let asked = net.harness.beats();
    net.run(secs(100));
    assert!(asked > 16 && net.harness.beats() == asked, "answers are no rhythm");
}

/// The oldest unsettled message sets the time; those behind it do not put it off.
#[test]
fn the_clock_of_a_suspicion_starts_with_the_oldest_message() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.run(secs(200));
    let beats = net.harness.beats();
    net.silence();
    net.every(ms(300), 200, true);
    net.run(ms(300 + 999));
    assert_eq!(net.harness.beats(), beats);
    net.run(ms(1));
    assert_eq!(net.harness.beats(), beats + 1);
}

#[test]
fn one_probe_in_two_seconds() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.echoes = false;
    net.every(ms(50), 200, true);
    for _ in 0..50 {
        net.run(secs(1));
        net.harness.client.handle_offline(net.harness.now);
        net.harness.client.handle_online(net.harness.now);
        net.harness.drain();
    }
    let beats: Vec<_> =
        net.harness.log.iter().filter(|(_, action)| *action == Action::Beat).map(|(at, _)| *at).collect();
    assert!(beats.len() >= 15, "{}", beats.len());
    assert!(beats.windows(2).all(|pair| pair[1].since(pair[0]) >= secs(2)), "{beats:?}");
}

/// While the answer is awaited nothing else is asked: each new question would put the verdict off.
#[test]
fn the_clock_of_a_question_starts_once() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.send(10);
    harness.pass(secs(3));
    assert_eq!(harness.beats(), 1);
    harness.pass(ms(2_500));
    harness.client.handle_online(harness.now);
    harness.client.handle_offline(harness.now);
    harness.send(10);
    harness.pass(ms(501));
    assert_eq!((harness.beats(), harness.client.state() == State::Open), (1, false));
}

/// Asleep, a message may have waited for hours: that is asked about, not judged.
#[test]
fn a_late_suspicion_asks() {
    let mut harness = Harness::open(config(ExpectReply::Yes));
    harness.send(10);
    harness.now = harness.now + secs(3600);
    harness.client.handle_timeout(harness.now);
    harness.drain();
    assert_eq!((harness.client.state(), harness.beats()), (State::Open, 1));
    harness.heartbeat();
    assert_eq!(harness.settled().len(), 1);
}

/// Nothing ticks while nothing is suspicious: the next deadline is the heartbeat's.
#[test]
fn an_idle_link_sleeps_until_the_heartbeat() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.every(ms(100), 200, true);
    net.run(secs(20));
    net.stop_sources();
    net.run(secs(1));
    assert!(net.harness.client.next_deadline().unwrap().since(net.now()) > secs(28));
    assert_eq!(Timer::ALL.len(), 13);
    assert!(Timer::ALL.iter().enumerate().all(|(at, timer)| *timer as usize == at));
}

/// A server that sends messages back and never answers heartbeats, taken for one that answers (heartbeats of others):
/// what comes back is progress for the patience and none for what was learned, or it would cost links for ever.
#[test]
fn echoes_do_not_keep_a_wrong_lesson_alive() {
    let mut net = Net::open(config(ExpectReply::Learn));
    net.run(secs(200));
    net.answers = false;
    for _ in 0..20 {
        net.send(200);
        net.run(secs(40));
    }
    assert_eq!(net.verdicts().len(), 2);
    assert_eq!(net.harness.count(|action| *action == Action::Notice(Notice::ReplyUnlearned)), 1);
}

/// … and a verdict that was followed by progress leaves the next one as quick.
#[test]
fn what_comes_back_ends_the_doubling() {
    let mut net = Net::open(config(ExpectReply::Yes));
    net.every(ms(100), 200, true);
    for _ in 0..5 {
        net.run(secs(70));
        net.silence();
        let (silenced_at, before) = (net.now(), net.verdicts().len());
        net.run(secs(20));
        let noticed = net.verdicts()[before].since(silenced_at);
        assert!(noticed <= ms(3_500), "{noticed:?}");
    }
}

/// Browsers hold dials back by seconds without a word: what that took is no round trip.
#[test]
fn a_dial_that_was_held_back_puts_no_question_off() {
    let mut net = Net::open_after(config(ExpectReply::Yes), secs(8));
    net.echoes = false;
    net.every(ms(100), 200, true);
    net.run(ms(3_500));
    assert_eq!(net.harness.beats(), 1, "asked after 3 s");
    net.silence();
    let silenced_at = net.now();
    net.run(secs(30));
    let noticed = net.verdicts()[0].since(silenced_at);
    assert!(noticed <= ms(3_500), "and answered: {noticed:?}");
}
