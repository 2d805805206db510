//! Formats measurements: rows of a Markdown table, and the raw figures as JSON.

use serde_json::{Value, json};

use crate::measurement::{Measurement, Unit};

pub const HEAD: &str = "\
| what | ours | baseline | ratio (spread) | target | |
|---|---:|---:|---:|---:|---|";

pub fn row(measurement: &Measurement) -> String {
    let Measurement { what, ours, baseline, figure, unit, .. } = measurement;
    let figure = match (unit, measurement.spread) {
        (Unit::Ratio, Some((least, most))) => {
            format!("{} ({}–{})", unit.show(*figure), unit.show(least), unit.show(most))
        }
        (Unit::Ratio, None) => unit.show(*figure),
        _ => "–".to_owned(),
    };
    let target = measurement.target.map_or_else(|| "–".to_owned(), |target| format!("≤ {}", unit.show(target)));
    let verdict = measurement.is_met().map_or("", |is_met| if is_met { "met" } else { "**missed**" });
    format!("| {what} | {ours} | {baseline} | {figure} | {target} | {verdict} |")
}

pub fn json(machine: Value, rounds: usize, measurements: &[(&str, Measurement)]) -> Value {
    let measurements: Vec<Value> = measurements
        .iter()
        .map(|(benchmark, measurement)| {
            json!({
                "benchmark": benchmark,
                "what": measurement.what,
                "figure": measurement.figure,
                "spread": measurement.spread,
                "target": measurement.target,
                "met": measurement.is_met(),
                "measured": measurement.raw,
            })
        })
        .collect();
    json!({"machine": machine, "rounds": rounds, "measurements": measurements})
}
