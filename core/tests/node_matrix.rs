//! The whole state × event matrix of a link at its node as a golden file. [§20]

use std::fmt::Write as _;

use everwire_core::session::node::{NodeEvent, NodePhase, NodeStep};

#[test]
fn the_matrix_is_the_golden_file() {
    let mut text = String::new();
    for phase in NodePhase::ALL {
        for event in NodeEvent::ALL {
            let step = match phase.next(event) {
                NodeStep::To(next) => format!("→ {next:?}"),
                NodeStep::Ignored => "ignored".into(),
                NodeStep::Never => "never".into(),
            };
            writeln!(text, "{:<10} {:<10} {step}", format!("{phase:?}"), format!("{event:?}")).unwrap();
        }
    }
    insta::assert_snapshot!(text);
}

#[test]
fn ended_is_for_good() {
    for event in NodeEvent::ALL {
        assert!(!matches!(NodePhase::Ended.next(event), NodeStep::To(_)), "{event:?}");
    }
}
