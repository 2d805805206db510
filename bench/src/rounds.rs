//! Measures two contenders in turns, so that what slows the machine down for a while slows both.

use crate::server::Result;

/// What two contenders took for the same work, round by round.
pub struct Pair {
    pub ours: Vec<f64>,
    pub theirs: Vec<f64>,
}

/// Lets both work once unmeasured, and then so many rounds; every other round the other one begins.
pub fn interleave(
    rounds: usize,
    mut ours: impl FnMut() -> Result<f64>,
    mut theirs: impl FnMut() -> Result<f64>,
) -> Result<Pair> {
    ours()?;
    theirs()?;
    let mut pair = Pair { ours: Vec::new(), theirs: Vec::new() };
    for round in 0..rounds {
        if round % 2 == 0 {
            pair.ours.push(ours()?);
            pair.theirs.push(theirs()?);
        } else {
            pair.theirs.push(theirs()?);
            pair.ours.push(ours()?);
        }
    }
    Ok(pair)
}

impl Pair {
    /// Ratio of the medians.
    pub fn ratio(&self) -> f64 {
        median(&self.ours) / median(&self.theirs)
    }

    /// The smallest and the largest ratio of a round.
    pub fn spread(&self) -> (f64, f64) {
        let ratios = self.ours.iter().zip(&self.theirs).map(|(ours, theirs)| ours / theirs);
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
    fn the_median_is_in_the_middle() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
    }

    #[test]
    fn the_ratio_is_that_of_the_medians_and_the_spread_that_of_the_rounds() {
        let pair = Pair { ours: vec![1.0, 2.0, 9.0], theirs: vec![2.0, 4.0, 3.0] };
        assert_eq!(pair.ratio(), 2.0 / 3.0);
        assert_eq!(pair.spread(), (0.5, 3.0));
    }

    #[test]
    fn one_round_more_than_asked_is_worked_and_every_other_begins_with_the_other() {
        let order = std::cell::RefCell::new(String::new());
        let turn = |name| {
            order.borrow_mut().push(name);
            Ok(1.0)
        };
        let pair = interleave(3, || turn('o'), || turn('t')).unwrap();
        assert_eq!((pair.ours.len(), pair.theirs.len()), (3, 3));
        assert_eq!(order.take(), "ot ot to ot".replace(' ', ""));
    }
}
