/// The values of a field as somebody would say them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shape {
    /// Every value of the field.
    All,
    /// One value.
    One(u32),
    /// Three or more without a hole.
    Run { first: u32, last: u32 },
    /// An even stride through the whole field from its first value, such as `*/15`.
    Cycle { step: u32, last: u32 },
    /// Four or more in even strides that do not make up a cycle, such as `*/7` or `2-20/4`.
    Stride { first: u32, last: u32, step: u32 },
    /// Anything else.
    Few(Vec<u32>),
}

impl Shape {
    /// `set` holds values from `least` to `most`, bit by bit.
    pub(super) fn of(set: u64, least: u32, most: u32) -> Self {
        let values: Vec<u32> = (least..=most).filter(|value| set & (1 << value) != 0).collect();
        let size = most - least + 1;
        let (first, last) = match values[..] {
            [] => return Self::Few(values),
            [one] => return Self::One(one),
            [first, .., last] => (first, last),
        };
        let count = last.abs_diff(first) + 1;
        if values.len() as u32 == size {
            return Self::All;
        }
        if values.len() as u32 == count && count >= 3 {
            return Self::Run { first, last };
        }
        let step = values[1] - first;
        let even = values.windows(2).all(|pair| pair[1] - pair[0] == step);
        if even && first == least && size.is_multiple_of(step) && last + step > most {
            return Self::Cycle { step, last };
        }
        if even && values.len() >= 4 {
            return Self::Stride { first, last, step };
        }
        Self::Few(values)
    }
}
