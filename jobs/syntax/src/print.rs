//! The canonical text of a field: the same for equal sets, and read back as the same set.

use std::fmt;

use crate::field::Field;
use crate::item::FieldSet;

/// A field for display.
pub(crate) struct Canonical {
    pub(crate) field: Field,
    pub(crate) set: FieldSet,
}

impl fmt::Display for Canonical {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { field, set } = *self;
        let mut items = Items { f, any: false };
        let mut values = set.values;
        if set.star {
            let step = star_step(field, values);
            match step {
                1 => items.push(format_args!("*"))?,
                step => items.push(format_args!("*/{step}"))?,
            }
            values &= !stepped(field, step);
        }
        if field == Field::Weekday && values & 0b110_0001 == 0b110_0001 && values != 0b111_1111 {
            // A range that goes on into Sunday: `5-7`.
            values = values & !1 | 1 << 7;
        }
        push_values(&mut items, values)?;
        for day in bits(u64::from(set.nearest_weekdays)) {
            items.push(format_args!("{day}W"))?;
        }
        if set.last_day {
            items.push(format_args!("L"))?;
        }
        if set.last_weekday {
            items.push(format_args!("LW"))?;
        }
        for weekday in bits(u64::from(set.last_weekdays)) {
            items.push(format_args!("{weekday}L"))?;
        }
        for (count, weekdays) in (1..).zip(set.nth_weekdays) {
            for weekday in bits(u64::from(weekdays)) {
                items.push(format_args!("{weekday}#{count}"))?;
            }
        }
        Ok(())
    }
}

struct Items<'a, 'b> {
    f: &'a mut fmt::Formatter<'b>,
    any: bool,
}

impl Items<'_, '_> {
    fn push(&mut self, item: fmt::Arguments<'_>) -> fmt::Result {
        if self.any {
            self.f.write_str(",")?;
        }
        self.any = true;
        self.f.write_fmt(item)
    }
}

/// The least step with which `*` matches nothing but these values. There is one: the step that is as large as the
/// field leaves only the least value, which every `*` matches.
fn star_step(field: Field, values: u64) -> u8 {
    (1..field.size()).find(|&step| stepped(field, step) & !values == 0).unwrap_or(field.size())
}

fn stepped(field: Field, step: u8) -> u64 {
    (field.min()..=field.max()).step_by(usize::from(step)).fold(0, |values, value| values | 1 << value)
}

/// Values as ranges, ranges with steps and single values.
fn push_values(items: &mut Items<'_, '_>, values: u64) -> fmt::Result {
    let mut rest = values;
    while rest != 0 {
        let first = rest.trailing_zeros();
        let (step, count) = progression(rest, first);
        let last = first + step * (count - 1);
        match (step, count) {
            (1, 3..) => items.push(format_args!("{first}-{last}"))?,
            (2.., 4..) => items.push(format_args!("{first}-{last}/{step}"))?,
            _ => {
                items.push(format_args!("{first}"))?;
                rest &= rest - 1;
                continue;
            }
        }
        rest &= u64::MAX.checked_shl(last + 1).unwrap_or(0);
    }
    Ok(())
}

/// How far the values go on from the first with the distance of the first two: that distance, and how many there are.
fn progression(values: u64, first: u32) -> (u32, u32) {
    let mut rest = values & (values - 1);
    let mut last = first;
    let (mut step, mut count) = (0, 1);
    while rest != 0 {
        let next = rest.trailing_zeros();
        if step == 0 {
            step = next - first;
        }
        if next - last != step {
            break;
        }
        last = next;
        count += 1;
        rest &= rest - 1;
    }
    (step, count)
}

fn bits(set: u64) -> impl Iterator<Item = u32> {
    (0..u64::BITS).filter(move |bit| set >> bit & 1 == 1)
}
