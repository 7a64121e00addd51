//! Each known bug gives a counterexample, and this is the property that it breaks.
#![cfg(feature = "mutants")]

use everwire_core::mutant::Mutant;
use everwire_model::{Bug, Order, SMALL};

/// Explores a setting breadth first, so that the way to the bug is as short as any.
#[track_caller]
fn breaks(mutant: Mutant, name: &str, property: &str) {
    let setting = SMALL.iter().find(|setting| setting.name() == name).expect("a setting");
    let bug = Bug::of(mutant).expect("bugs are compiled");
    let outcome = setting.explore(bug, Order::Breadth, 1);
    println!("{} in {setting}\n{outcome}", mutant.name());
    assert!(outcome.steps_to(property).is_some(), "broken: {:?}", outcome.broken());
}

const TWICE: &str = "no message is stored twice in one log";
const UNKNOWN: &str = "unknown is told only of what the server has lost";
const LOG: &str = "what is told settled is in the log of its epoch";
const ACK: &str = "an ack tells nothing that the engine has not settled";
const MARK: &str = "nobody but the link in force moves a mark";
const ODDS: &str = "no end finds the other at fault";
const REST: &str = "at rest every ticket has left";
const ORDER: &str = "each handler starts once, in the order of the log";
const PASSED: &str = "no message of the filter is passed over";
const BELOW: &str = "nothing comes from below a room's from";
const NEEDLESS: &str = "what is told as lost is missing";
const WINDOW: &str = "what is processed has come, and what has come fits the window";

macro_rules! breaks {
    ($($test:ident: $mutant:ident, $setting:literal, $property:ident;)*) => {
        $(#[test] fn $test() { breaks(Mutant::$mutant, $setting, $property); })*
    };
}

breaks! {
    a_number_that_is_not_on_record: NumberUnrecorded, "slow", TWICE;
    links_that_are_numbered_anew: LinkRestarts, "lone", UNKNOWN;
    an_engine_without_dedupe: NoDedupe, "lone", TWICE;
    an_engine_without_a_fence: NoFence, "gone", MARK;
    a_number_that_is_given_too_early: NumberAtSubmit, "lone", ODDS;
    fresh_numbers_for_what_was_unsettled: Renumber, "gone", TWICE;
    a_refusal_that_is_not_recorded: RefusalUnrecorded, "lone", ACK;
    a_refusal_that_does_not_move_the_mark: RefusalBlocks, "lone", REST;
    what_was_unconfirmed_is_let_go: DropOnDisconnect, "lone", LOG;
    an_ack_before_the_append: AckBeforeAppend, "lone", ACK;
    credit_that_is_added_up: CreditIncrement, "slow", ODDS;
    what_has_come_counts_as_processed: SeenOnReceipt, "window", WINDOW;
    an_upto_that_is_reckoned: UptoComputed, "room", PASSED;
    a_room_that_is_read_from_when_the_reader_attaches: HistoryBeforeAttach, "room", PASSED;
    a_room_that_is_pushed_whatever_its_from: NoFrom, "room", BELOW;
    a_position_that_outlives_its_log: PositionAcrossEpochs, "epoch", PASSED;
    what_was_seen_in_hello: SeenInHello, "window", ORDER;
    a_loss_by_the_logs_first_number: LostByFirst, "trim", NEEDLESS;
}
