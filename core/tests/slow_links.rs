//! Slow links are not dead: what is under way is given its time, by the rate that was measured.

mod common;

use common::net::Net;
use common::{Harness, ms, secs};
use everwire_core::{Config, Duration, ExpectReply, OutboxConfig, State};

const KIB: u32 = 1 << 10;

fn config() -> Config {
    let mut config = Config::default();
    config.liveness.expect_reply = ExpectReply::Yes;
    config.message_bytes_max = 64 << 20;
    config.outbox = OutboxConfig { bytes_max: 64 << 20, ..config.outbox };
    config
}

fn slow(bytes_a_second: u64) -> Net {
    let mut net = Net::open(config());
    net.rates = (bytes_a_second, bytes_a_second);
    net
}

/// 256 KiB over 50 kB/s and 1 MiB over 200 kB/s take more than five seconds each, and more than ten when they come back
/// the same way. In one piece or in sixteen, with the answers or the echoes of other traffic, a heartbeat due
/// meanwhile, before and after the rate is known: delivered on the first link.
#[test]
fn a_big_message_is_delivered_on_the_first_link() {
    for (bytes, rate) in [(256 * KIB, 50_000), (1024 * KIB, 200_000)] {
        for pieces in [1, 16] {
            for echoes in [true, false] {
                for (own, others) in [(false, false), (true, false), (false, true), (true, true)] {
                    for quiet in [secs(5), ms(28_500), secs(200)] {
                        let mut net = slow(rate);
                        net.echoes = echoes;
                        net.run(quiet);
                        if own {
                            net.every(ms(500), 200, true);
                        }
                        if others {
                            net.every(ms(700), 200, false);
                        }
                        net.run(ms(1_300));
                        for _ in 0..4 {
                            let tickets: Vec<_> = (0..pieces).map(|_| net.send(bytes / pieces)).collect();
                            net.run(secs(15));
                            assert_eq!(
                                net.verdicts(),
                                [],
                                "{bytes}/{pieces} {echoes} {own} {others} {quiet:?}"
                            );
                            assert!(tickets.iter().all(|ticket| net.delivered.contains(ticket)));
                        }
                        assert_eq!(net.harness.client.link(), 1);
                    }
                }
            }
        }
    }
}

/// What was measured is trusted to half: a link that has become so much slower is still given its time.
#[test]
fn a_link_that_slows_to_half_is_not_dead() {
    for echoes in [true, false] {
        let mut net = slow(200_000);
        net.echoes = echoes;
        net.run(secs(100));
        for _ in 0..3 {
            net.send(1024 * KIB);
            net.run(secs(30));
        }
        net.rates = (100_000, 100_000);
        net.send(1024 * KIB);
        net.run(secs(60));
        assert_eq!(net.verdicts(), []);
    }
}

/// A later frame settles by the two-second rule and confirms nothing: what it settled may still stand in the queue.
#[test]
fn settled_by_a_later_frame_is_not_confirmed() {
    let mut net = slow(16_000);
    net.echoes = false;
    net.send(256 * KIB);
    net.run(secs(3));
    net.push(100);
    net.run(secs(1));
    assert_eq!((net.harness.client.in_flight(), net.delivered.len()), (0, 0));
    net.run(secs(40));
    assert_eq!((net.verdicts(), net.delivered.len()), (vec![], 1));
}

/// How long a silence lasts that begins with so many bytes under way.
fn noticed_with(net: &mut Net, bytes: u32) -> Duration {
    net.silence();
    let (silenced_at, before) = (net.now(), net.verdicts().len());
    net.send(bytes);
    net.run(secs(70));
    net.verdicts()[before].since(silenced_at)
}

/// 100,000 bytes are given 6.25 s at 16 kB/s, and 0.4 s once half a megabyte a second has been measured, by answers or
/// by what comes back.
#[test]
fn a_measured_rate_shortens_the_patience() {
    for echoes in [true, false] {
        let mut net = Net::open(config());
        net.run(secs(200));
        assert_eq!(noticed_with(&mut net, 100_000), ms(1_000 + 1_000 + 6_250));

        let mut net = Net::open(config());
        net.echoes = echoes;
        net.run(secs(200));
        net.send(1024 * KIB);
        net.run(secs(20));
        assert_eq!(noticed_with(&mut net, 102_400), ms(1_000 + 1_000 + 400));
        // That verdict doubles the deadline and halves the rate, and the doubling ends with the first confirmation.
        net.run(secs(100));
        assert_eq!(noticed_with(&mut net, 102_400), ms(1_000 + 1_000 + 800));
    }
}

/// The rule where it ends: a link that has become twenty times slower since it was measured costs a verdict for a
/// message in one piece, for nothing is heard while it is under way. Then the rate is halved each time, and it arrives.
#[test]
fn a_link_that_is_misjudged_is_not_misjudged_for_ever() {
    let mut net = Net::open(config());
    net.echoes = false;
    net.send(4096 * KIB);
    net.run(secs(100));
    net.rates = (25_000, 25_000);
    for _ in 0..8 {
        net.send(256 * KIB);
        net.run(secs(60));
    }
    assert!((1..=4).contains(&net.verdicts().len()), "{:?}", net.verdicts());
    let (before, delivered) = (net.verdicts().len(), net.delivered.len());
    for _ in 0..5 {
        net.send(256 * KIB);
        net.run(secs(60));
    }
    assert_eq!((net.verdicts().len(), net.delivered.len()), (before, delivered + 5));
}

#[test]
fn no_patience_is_longer_than_a_minute() {
    let mut net = Net::open(config());
    net.run(secs(200));
    assert_eq!(noticed_with(&mut net, 64 << 20), secs(61));
}

/// A big frame in front of the answer cannot be seen until it is complete. The rule: every frame restarts the clock, and
/// one that takes longer than the deadline with nothing before it is misjudged. 1 s is the edge when the round trip
/// is known, 3 s when it is not.
#[test]
fn a_big_frame_in_front_of_the_answer() {
    for (warm, edge) in [(200, 1_000), (1, 3_000)] {
        for (late, dead) in [(1, true), (0, false)] {
            let mut harness = Harness::open(config());
            for _ in 0..warm / 31 {
                harness.pass(secs(30) - ms(50));
                harness.frame();
                harness.pass(ms(100));
                harness.heartbeat();
            }
            let beats = harness.beats();
            while harness.beats() == beats {
                harness.pass(ms(1));
            }
            harness.pass(ms(edge - 1 + late));
            harness.frame();
            assert_eq!(harness.client.state() != State::Open, dead, "{edge} {late}");
            if !dead {
                harness.pass(ms(edge - 1));
                harness.heartbeat();
                assert_eq!(harness.client.state(), State::Open);
            }
        }
    }
}

/// … so that a history of a megabyte in forty frames is no reason to give up a link on which each takes half a second.
#[test]
fn a_history_in_frames_keeps_the_link() {
    let mut net = slow(50_000);
    net.run(secs(100));
    for _ in 0..40 {
        net.push(25 * KIB);
    }
    net.every(ms(400), 200, true);
    net.run(secs(40));
    assert_eq!(net.verdicts(), []);
    assert!(net.harness.beats() <= 4 + 8, "{}", net.harness.beats());
}

/// What came back, or was answered, behind a queue on either side tells no round trip of five or twenty seconds: the
/// next dead link is noticed as soon as ever.
#[test]
fn a_queue_is_no_round_trip() {
    for (echoes, history) in [(true, 40), (true, 0), (false, 0)] {
        let mut net = slow(50_000);
        net.echoes = echoes;
        net.run(secs(200));
        for _ in 0..history {
            net.push(25 * KIB);
        }
        if history == 0 {
            net.send(256 * KIB);
        }
        net.send(200);
        net.run(secs(40));
        assert_eq!(net.verdicts(), []);
        let noticed = noticed_with(&mut net, 200);
        assert!(noticed <= ms(2_100), "{echoes} {history}: {noticed:?}");
    }
}

/// … but where only answers tell, a busy link must be measured too, with much unsettled at each question.
#[test]
fn a_busy_link_without_echoes_is_measured() {
    let mut net = Net::open(config());
    net.echoes = false;
    net.every(ms(5), 200, true);
    net.run(secs(60));
    net.stop_sources();
    net.run(secs(10));
    let noticed = noticed_with(&mut net, 200);
    assert!(noticed <= ms(2_100), "{noticed:?}");
}

/// The restarted clock counts what stood in front of the question again, and nothing that was written behind it.
#[test]
fn the_restarted_clock_counts_what_stood_in_front() {
    for (in_front, behind, patience) in [(160_000, 1, 11_000), (16, 160_000, 1_001)] {
        let mut net = Net::open(config());
        net.run(secs(200));
        net.silence();
        let harness = &mut net.harness;
        harness.send(in_front);
        harness.pass(secs(1));
        harness.send(behind);
        harness.pass(ms(990));
        harness.frame();
        harness.pass(ms(patience - 1));
        assert_eq!(harness.client.state(), State::Open);
        harness.pass(ms(1));
        assert_ne!(harness.client.state(), State::Open);
    }
}
