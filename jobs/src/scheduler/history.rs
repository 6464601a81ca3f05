//! The slots that have come, for the day on which the clock is set back.

use crate::clock::Timestamp;

/// Spans of time whose slots have all come, for the day on which the clock is set back.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[expect(clippy::box_collection, reason = "one word in every schedule, and hardly any has a history")]
pub(super) struct History(pub(super) Option<Box<Vec<Span>>>);

/// From one slot to another, both of them included.
pub(super) type Span = (Timestamp, Timestamp);

impl History {
    /// Spans that are kept. With more, the two earliest become one, together with the gap between them.
    pub(super) const KEPT: usize = 16;

    pub(super) fn add(&mut self, first: Timestamp, last: Timestamp) {
        let spans = self.0.get_or_insert_default();
        spans.retain(|span| !(first <= span.0 && span.1 <= last));
        spans.push((first, last));
        spans.sort_unstable();
        if spans.len() > Self::KEPT {
            let (first, last) = spans.remove(0);
            spans[0] = (first, spans[0].1.max(last));
        }
    }

    /// The earliest first.
    pub(super) fn spans(&self) -> &[Span] {
        self.0.as_ref().map_or(&[], |spans| spans)
    }

    /// Whether a span lies after the one time and before the other.
    pub(super) fn lies_between(&self, after: Timestamp, until: Timestamp) -> bool {
        self.spans().iter().any(|(first, last)| after < *first && *last < until)
    }

    /// The time after the one and up to the other without the spans, each piece without its first instant like the whole.
    pub(super) fn pieces_between(&self, after: Timestamp, through: Timestamp) -> impl Iterator<Item = Span> {
        let just_before = |slot: Timestamp| Timestamp::from_nanos(slot.as_nanos().saturating_sub(1));
        let ends = self.spans().iter().map(move |(first, last)| (just_before(*first), *last));
        let mut from = after;
        ends.chain([(through, through)]).filter_map(move |(until, last)| {
            let piece = (from, until.min(through));
            from = from.max(last);
            (piece.0 < piece.1).then_some(piece)
        })
    }

    /// The end of a span that a slot lies in.
    pub(super) fn end_of_span_at(&self, slot: Timestamp) -> Option<Timestamp> {
        self.spans().iter().find(|(first, last)| *first <= slot && slot <= *last).map(|(_, last)| *last)
    }
}
