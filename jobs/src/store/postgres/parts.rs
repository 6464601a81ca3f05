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

/// How many go together: fewer after those were asked for in vain, since they may have been too much for the way to the server,
/// and little by little more again.
#[derive(Debug)]
pub(super) struct Portion(usize);

impl Portion {
    pub(super) fn new() -> Self {
        Self(MOST)
    }

    /// The first of all; at most half of what was asked for `in_vain` before.
    pub(super) fn first<'a, T>(
        &mut self,
        all: &'a [T],
        in_vain: &[T],
        bytes_of: impl Fn(&T) -> usize,
    ) -> &'a [T] {
        if !in_vain.is_empty() {
            self.was_too_much(in_vain.len());
        }
        parts(all, self.0, bytes_of).next().unwrap_or_default()
    }

    /// How many go together at most.
    pub(super) fn size(&self) -> usize {
        self.0
    }

    /// So many were asked for in vain.
    pub(super) fn was_too_much(&mut self, count: usize) {
        self.0 = (count / 2).max(1);
    }

    pub(super) fn has_gone(&mut self) {
        self.0 = MOST.min(self.0 + self.0 / 4 + 1);
    }
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

    #[test]
    fn what_was_too_much_goes_in_smaller_portions_and_then_in_larger_ones_again() {
        let (all, mut portion) = ([0_u8; 2500], Portion::new());
        let mut part = portion.first(&all, &[], |_| 0);
        let mut sizes = vec![part.len()];
        while part.len() > 1 {
            part = portion.first(&all, part, |_| 0);
            sizes.push(part.len());
        }
        assert_eq!(sizes, [1000, 500, 250, 125, 62, 31, 15, 7, 3, 1]);
        assert_eq!(portion.first(&all, part, |_| 0).len(), 1);
        let larger: Vec<_> = std::iter::from_fn(|| {
            portion.has_gone();
            let len = portion.first(&all, &[], |_| 0).len();
            (len < MOST).then_some(len)
        })
        .collect();
        assert_eq!(larger[..6], [2, 3, 4, 6, 8, 11]);
        assert_eq!(larger.len(), 25);
        // What there is of it is what was too much.
        portion.first(&all, &all[..40], |_| 0);
        assert_eq!(portion.first(&all[..9], &[], |_| 0).len(), 9);
        assert_eq!(portion.first(&all, &[], |_| 0).len(), 20);
    }
}
