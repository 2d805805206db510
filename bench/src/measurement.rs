//! A measured figure and its target: a row of the table.

use serde_json::{Value, json};

use crate::rounds::{Pair, median};

pub struct Measurement {
    pub what: String,
    /// The median, with its unit.
    pub ours: String,
    pub baseline: String,
    pub figure: f64,
    pub unit: Unit,
    /// The smallest and the largest of the rounds.
    pub spread: Option<(f64, f64)>,
    /// The largest figure that meets the target.
    pub target: Option<f64>,
    /// Every figure that was measured.
    pub raw: Value,
}

#[derive(Clone, Copy, PartialEq)]
pub enum Unit {
    Ratio,
    Megabytes,
    Bytes,
    Number,
}

impl Unit {
    pub fn show(self, figure: f64) -> String {
        match self {
            Unit::Ratio => format!("{figure:.2}"),
            Unit::Megabytes => format!("{figure:.1} MB"),
            Unit::Bytes => format!("{figure:.0} B"),
            Unit::Number => format!("{figure:.0}"),
        }
    }
}

impl Measurement {
    /// Compares our time with the baseline's, in microseconds.
    pub fn ratio(what: impl Into<String>, target: impl Into<Option<f64>>, pair: &Pair) -> Self {
        Self {
            what: what.into(),
            ours: microseconds(median(&pair.ours)),
            baseline: microseconds(median(&pair.baseline)),
            figure: pair.ratio(),
            unit: Unit::Ratio,
            spread: Some(pair.spread()),
            target: target.into(),
            raw: json!({"ours_us": pair.ours, "baseline_us": pair.baseline}),
        }
    }

    /// A figure without a baseline.
    pub fn figure(what: impl Into<String>, figure: f64, unit: Unit, target: f64, raw: Value) -> Self {
        let (ours, baseline) = (unit.show(figure), "–".to_owned());
        Self { what: what.into(), ours, baseline, figure, unit, spread: None, target: Some(target), raw }
    }

    pub fn is_met(&self) -> Option<bool> {
        // Rounded as it is shown: what reads 1.00 meets a target of 1.0.
        let shown = if self.unit == Unit::Ratio { (self.figure * 100.0).round() / 100.0 } else { self.figure };
        self.target.map(|target| shown <= target)
    }
}

pub fn microseconds(figure: f64) -> String {
    if figure < 10_000.0 { format!("{figure:.0} µs") } else { format!("{:.1} ms", figure / 1000.0) }
}
