//! The whole state × event matrix as a golden file, and the diagram in the documentation generated from it.

use std::fmt::Write as _;

use everwire_core::{Event, Phase, Step};

fn matrix() -> String {
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
    text
}

fn diagram() -> String {
    let mut text = String::from("```mermaid\nstateDiagram-v2\n    [*] --> Idle\n");
    for phase in Phase::ALL {
        for event in Event::ALL {
            if let Step::To(next) = phase.next(event) {
                writeln!(text, "    {phase:?} --> {next:?}: {event:?}").unwrap();
            }
        }
    }
    text.push_str("    Closed --> [*]\n```\n");
    text
}

#[test]
fn the_matrix_is_the_golden_file() {
    insta::assert_snapshot!(matrix());
}

#[test]
fn the_documented_diagram_is_generated() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/states.md");
    let wanted = format!(
        "# What a wire can be doing\n\nGenerated from the table in `core/src/state.rs` by its test; `UPDATE_VECTORS=1 cargo test -p everwire-core` \
         writes it anew.\n\n{}",
        diagram()
    );
    if std::env::var_os("UPDATE_VECTORS").is_some() {
        std::fs::write(path, &wanted).unwrap();
    }
    assert_eq!(std::fs::read_to_string(path).unwrap(), wanted);
}

#[test]
fn closed_is_for_good() {
    for event in Event::ALL {
        assert!(!matches!(Phase::Closed.next(event), Step::To(_)), "{event:?}");
    }
}
