//! What goes to the server together: not so much that the answer does not come in time.

/// How many go in one statement, and how many bytes of what they bring along.
pub(super) const MOST: usize = 1000;
pub(super) const MOST_BYTES: usize = 4 << 20;

/// What goes in one statement each. One that is larger goes alone.
pub(super) fn parts<T>(
    mut all: &[T],
    most: usize,
    bytes_of: impl Fn(&T) -> usize,
) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |one: &&T| {
            bytes += bytes_of(one);
            bytes <= MOST_BYTES
        };
        let count = all.iter().take(most).take_while(fits).count().max(1).min(all.len());
        let (part, rest) = all.split_at(count);
        all = rest;
        (count > 0).then_some(part)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_bounded_in_number_and_size_and_nothing_is_left_out() {
        let sizes = |all: &[usize]| -> Vec<Vec<usize>> {
            parts(all, 3, |bytes| *bytes).map(<[usize]>::to_vec).collect()
        };
        assert_eq!(sizes(&[]), Vec::<Vec<usize>>::new());
        assert_eq!(sizes(&[1; 7]), [vec![1; 3], vec![1; 3], vec![1]]);
        let (half, large) = (MOST_BYTES / 2, MOST_BYTES + 1);
        assert_eq!(sizes(&[half, half, half]), [vec![half; 2], vec![half]]);
        assert_eq!(sizes(&[large, 1, large]), [vec![large], vec![1], vec![large]]);
    }
}
