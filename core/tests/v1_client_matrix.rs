//! The whole state × event matrix of the client of `everwire.v1` as a golden file.

use std::fmt::Write as _;

use everwire_core::session::client::{Event, Phase, Step};

/// [STATE-2]
#[test]
fn the_matrix_is_the_golden_file() {
    let mut text = String::new();
    for phase in Phase::ALL {
        for event in Event::ALL {
            let step = match phase.next(event) {
                Step::To(next) => format!("→ {next:?}"),
                Step::Ignored => "ignored".into(),
                Step::Never => "never".into(),
            };
            writeln!(text, "{:<10} {:<14} {step}", format!("{phase:?}"), format!("{event:?}")).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn closed_is_for_good() {
    for event in Event::ALL {
        assert!(!matches!(Phase::Closed.next(event), Step::To(_)), "{event:?}");
    }
}

/// [STATE-1]
#[test]
fn open_is_told_in_two_phases_only() {
    for phase in Phase::ALL {
        let open = matches!(phase, Phase::Open | Phase::Leaving);
        assert_eq!(phase.state(false, false) == everwire_core::State::Open, open, "{phase:?}");
    }
}
