//! `/metrics`, as Prometheus reads it.

use axum::http::header;
use axum::response::{IntoResponse, Response};
use everwire_host::Counts;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;

const FORMAT: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

#[derive(Debug)]
struct Counted(Counts);

impl Collector for Counted {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> Result<(), std::fmt::Error> {
        let Self(counts) = self;
        let gauges = [
            ("links_open", "Connections that are open", counts.links_open),
            ("subjects_read", "Rooms and identities that some connection reads", counts.subjects_read),
        ];
        let counters = [
            ("links", "Connections so far", counts.links),
            ("links_welcomed", "Connections that have been let in", counts.links_welcomed),
            ("closed_broken", "Connections closed for a protocol error", counts.closed_broken),
            (
                "closed_otherwise",
                "Connections that this server has closed for another reason",
                counts.closed_otherwise,
            ),
            ("frames_in", "Frames received", counts.frames_in),
            ("frames_out", "Frames sent", counts.frames_out),
            ("octets_in", "Octets received", counts.octets_in),
            ("octets_out", "Octets sent", counts.octets_out),
            ("messages_in", "Messages and casts received", counts.messages_in),
            ("messages_out", "Messages, casts and replies sent", counts.messages_out),
            ("requests", "Requests whose handlers were run", counts.requests),
        ];
        for (name, help, value) in gauges {
            let metric = ConstGauge::new(i64::try_from(value).unwrap_or(i64::MAX));
            let encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)?;
        }
        for (name, help, value) in counters {
            let metric = ConstCounter::new(value);
            let encoder = encoder.encode_descriptor(name, help, None, metric.metric_type())?;
            metric.encode(encoder)?;
        }
        Ok(())
    }
}

/// The page.
pub(crate) fn response(counts: Counts) -> Response {
    ([(header::CONTENT_TYPE, FORMAT)], text(counts)).into_response()
}

fn text(counts: Counts) -> String {
    let mut registry = Registry::with_prefix("everwire");
    registry.register_collector(Box::new(Counted(counts)));
    let mut text = String::new();
    // Nothing can fail in writing to a string.
    let _ = prometheus_client::encoding::text::encode(&mut text, &registry);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_count_is_told() {
        let text = text(Counts { links_open: 3, messages_in: 7, ..Counts::default() });
        for line in ["everwire_links_open 3", "everwire_messages_in_total 7", "# EOF"] {
            assert!(text.lines().any(|told| told == line), "{line} in\n{text}");
        }
    }
}
