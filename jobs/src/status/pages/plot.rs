//! The frame of a chart: a scale beside it and words below it, so that its bars can be read off.
//!
//! The bars are stretched to the width of the page, which letters would not bear: what is written stands around the
//! drawing and not in it.

use std::time::Duration;

use maud::{Markup, html};

use crate::status::format;

/// The height of the drawing, in units of its own.
pub(super) const HEIGHT: u64 = 80;
/// The height of what there is little of, so that it is seen.
pub(super) const LEAST: u64 = 3;

/// What the height of a bar means: from nothing to a round value that none exceeds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Scale {
    top: u128,
    /// At the top, and at half the height.
    marks: [String; 2],
}

const TENTHS: [u128; 5] = [2, 4, 6, 8, 10];

/// Nanoseconds of a unit, its sign, and how many of it make a scale: even numbers, so that the half is whole too.
const UNITS: [(u128, &str, &[u128]); 7] = [
    (1, "ns", &TENTHS),
    (1_000, "µs", &TENTHS),
    (1_000_000, "ms", &TENTHS),
    (1_000_000_000, "s", &[2, 4, 6, 10, 20, 30, 60]),
    (60_000_000_000, "min", &[2, 4, 6, 10, 20, 30, 60]),
    (3_600_000_000_000, "h", &[2, 4, 6, 12, 24]),
    (86_400_000_000_000, "d", &TENTHS),
];

impl Scale {
    /// For numbers of things, of which half a one would be odd.
    pub(super) fn of_counts(most: usize) -> Self {
        let top = round_up(most as u128, &TENTHS);
        let mark = |count: u128| format::count(usize::try_from(count).unwrap_or(usize::MAX));
        Self { top, marks: [mark(top), mark(top / 2)] }
    }

    pub(super) fn of_durations(longest: Duration) -> Self {
        let nanos = longest.as_nanos();
        let unit = UNITS.iter().rev().find(|(unit, ..)| *unit <= nanos).unwrap_or(&UNITS[1]);
        let top = round_up(nanos.div_ceil(unit.0), unit.2) * unit.0;
        Self { top, marks: [exactly(top), exactly(top / 2)] }
    }

    /// The height of a bar; what there is at all is seen.
    pub(super) fn height(&self, value: u128) -> u64 {
        let height = value.saturating_mul(u128::from(HEIGHT)).checked_div(self.top).unwrap_or(0);
        u64::try_from(height).unwrap_or(HEIGHT).clamp(LEAST, HEIGHT)
    }
}

/// The least of some steps, or of these times a power of ten, that a value does not exceed.
fn round_up(value: u128, steps: &[u128]) -> u128 {
    let mut tens = 1_u128;
    loop {
        if let Some(step) = steps.iter().find(|step| **step * tens >= value) {
            return step * tens;
        }
        tens = tens.saturating_mul(10);
    }
}

/// A duration in the greatest unit that it is a whole number of.
fn exactly(nanos: u128) -> String {
    let unit = UNITS.iter().rev().find(|(unit, ..)| nanos.is_multiple_of(*unit));
    unit.map(|(unit, sign, _)| format!("{} {sign}", nanos / unit)).unwrap_or_default()
}

/// A drawing `width` units wide, with its scale and with what stands below it from left to right. `says` is the same in
/// words, for who does not see it.
pub(super) fn framed(
    caption: &str,
    says: &str,
    scale: &Scale,
    width: usize,
    bars: &Markup,
    below: &[Markup],
) -> Markup {
    html! {
        figure.plot {
            figcaption { (caption) }
            div.scale aria-hidden="true" {
                @for mark in &scale.marks { span { (mark) } }
                span { "0" }
            }
            svg.chart viewBox=(format!("0 0 {width} {HEIGHT}")) preserveAspectRatio="none" role="img" aria-label=(says) {
                @for y in [0, HEIGHT / 2, HEIGHT] { line.grid x1="0" x2=(width) y1=(y) y2=(y) {} }
                (bars)
            }
            div.along aria-hidden="true" { @for word in below { span { (word) } } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn scales_end_at_round_numbers_whose_half_is_one_too() {
        let counts = |most| Scale::of_counts(most).marks;
        assert_eq!(counts(0), ["2", "1"]);
        assert_eq!(counts(7), ["8", "4"]);
        assert_eq!(counts(101), ["200", "100"]);
        let durations = |micros| Scale::of_durations(Duration::from_micros(micros)).marks;
        assert_eq!(durations(0), ["2 µs", "1 µs"]);
        assert_eq!(durations(999_000), ["1 s", "500 ms"]);
        assert_eq!(durations(1_000_001), ["2 s", "1 s"]);
        assert_eq!(durations(59_000_000), ["1 min", "30 s"]);
        assert_eq!(durations(61_000_000), ["2 min", "1 min"]);
        assert_eq!(durations(13 * 3_600_000_000), ["1 d", "12 h"]);
        assert!(Scale::of_durations(Duration::MAX).top >= Duration::MAX.as_nanos());
        assert!(Scale::of_counts(usize::MAX).top >= usize::MAX as u128);
    }

    #[test]
    fn bars_are_as_high_as_their_share_and_never_unseen() {
        let scale = Scale::of_counts(100);
        assert_eq!(
            [scale.height(0), scale.height(50), scale.height(100), scale.height(900)],
            [LEAST, 40, HEIGHT, HEIGHT]
        );
    }
}
