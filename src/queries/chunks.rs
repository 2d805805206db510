//! Splits rows into chunks, because a statement holds its rows twice in memory.

/// The maximum number of rows of one statement.
pub const MAX_ROWS: usize = 1000;

/// Splits rows into chunks of at most a megabyte and [`MAX_ROWS`].
///
/// A larger row is a chunk of its own. To write a batch of 50 MB takes 6 MB more memory than to read it; with one
/// statement it took 102 MB more.
pub fn by_the_megabyte<T>(rows: &[T], size: impl Fn(&T) -> usize) -> impl Iterator<Item = &[T]> {
    const MEGABYTE: usize = 1024 * 1024;
    let (mut count, mut sum) = (1, rows.first().map_or(0, &size));
    rows.chunk_by(move |_, next| {
        let next = size(next);
        (count, sum) = (count + 1, sum + next);
        let fits = count <= MAX_ROWS && sum < MEGABYTE;
        if !fits {
            (count, sum) = (1, next);
        }
        fits
    })
}
