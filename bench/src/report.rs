//! The table of all findings, in Markdown, and the raw figures as JSON.

use serde_json::{Value, json};

use crate::finding::{Finding, Unit};

pub const HEAD: &str = "\
| what | ours | baseline | ratio (spread) | target | |
|---|---:|---:|---:|---:|---|";

pub fn row(finding: &Finding) -> String {
    let Finding { what, ours, baseline, figure, unit, .. } = finding;
    let figure = match (unit, finding.spread) {
        (Unit::Ratio, Some((least, most))) => {
            format!("{} ({}–{})", unit.show(*figure), unit.show(least), unit.show(most))
        }
        (Unit::Ratio, None) => unit.show(*figure),
        _ => "–".to_owned(),
    };
    let target = finding.target.map_or_else(|| "–".to_owned(), |target| format!("≤ {}", unit.show(target)));
    let verdict = finding.is_met().map_or("", |is_met| if is_met { "met" } else { "**missed**" });
    format!("| {what} | {ours} | {baseline} | {figure} | {target} | {verdict} |")
}

pub fn json(machine: Value, rounds: usize, findings: &[(&str, Finding)]) -> Value {
    let findings: Vec<Value> = findings
        .iter()
        .map(|(question, finding)| {
            json!({
                "question": question,
                "what": finding.what,
                "figure": finding.figure,
                "spread": finding.spread,
                "target": finding.target,
                "met": finding.is_met(),
                "measured": finding.raw,
            })
        })
        .collect();
    json!({"machine": machine, "rounds": rounds, "findings": findings})
}
