//! Measures two sides in alternating rounds, so that whatever slows the machine down for a while slows both.

use crate::error::Result;

/// The figures of two sides that do the same work, one of each a round.
pub struct Pair {
    pub ours: Vec<f64>,
    pub baseline: Vec<f64>,
}

/// Runs both sides once unmeasured, and then that many rounds. The side that starts changes with each round.
pub fn interleave(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut baseline: impl FnMut() -> Result<f64>,
) -> Result<Pair> {
    ours()?;
    baseline()?;
    let mut pair = Pair { ours: Vec::new(), baseline: Vec::new() };
    for round in 0..rounds {
        if round % 2 == 0 {
            pair.ours.push(ours()?);
            pair.baseline.push(baseline()?);
        } else {
            pair.baseline.push(baseline()?);
            pair.ours.push(ours()?);
        }
    }
    Ok(pair)
}

impl Pair {
    /// The ratio of the medians.
    pub fn ratio(&self) -> f64 {
        median(&self.ours) / median(&self.baseline)
    }

    /// The smallest and the largest ratio of a round.
    pub fn spread(&self) -> (f64, f64) {
        let ratios = self.ours.iter().zip(&self.baseline).map(|(ours, baseline)| ours / baseline);
        ratios.fold((f64::INFINITY, 0.0), |(least, most), ratio| (least.min(ratio), most.max(ratio)))
    }
}

pub fn median(figures: &[f64]) -> f64 {
    let mut sorted = figures.to_vec();
    sorted.sort_by(f64::total_cmp);
    let middle = sorted.len() / 2;
    if sorted.len() % 2 == 1 { sorted[middle] } else { (sorted[middle - 1] + sorted[middle]) / 2.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_median_of_an_even_number_is_the_mean_of_the_middle_two() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_ratio_is_that_of_the_medians_and_the_spread_that_of_the_rounds() {
        let pair = Pair { ours: vec![1.0, 2.0, 9.0], baseline: vec![2.0, 4.0, 3.0] };
        assert_eq!(pair.ratio(), 2.0 / 3.0);
        assert_eq!(pair.spread(), (0.5, 3.0));
    }

    #[test]
    fn interleave_runs_one_unmeasured_round_and_changes_the_side_that_starts() {
        let order = std::cell::RefCell::new(String::new());
        let run = |side| {
            order.borrow_mut().push(side);
            Ok(1.0)
        };
        let pair = interleave(3, || run('o'), || run('b')).unwrap();
        assert_eq!((pair.ours.len(), pair.baseline.len()), (3, 3));
        assert_eq!(order.take(), "ob ob bo ob".replace(' ', ""));
    }
}
