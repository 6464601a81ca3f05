pub(super) const WEEKDAYS: [&str; 7] =
    ["Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday"];

pub(super) const MONTHS: [&str; 13] = [
    "",
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

pub(super) const NTH: [&str; 5] = ["first", "second", "third", "fourth", "fifth"];

/// `a`, `a and b`, `a, b and c`.
pub(super) fn join<T: AsRef<str>>(items: impl IntoIterator<Item = T>) -> String {
    let items: Vec<T> = items.into_iter().collect();
    let mut text = String::new();
    for (at, item) in items.iter().enumerate() {
        if at > 0 {
            text.push_str(if at + 1 == items.len() { " and " } else { ", " });
        }
        text.push_str(item.as_ref());
    }
    text
}

pub(super) fn numbers(values: &[u32]) -> String {
    join(values.iter().map(u32::to_string))
}

/// `1st`, `22nd`, `13th`.
pub(super) fn ordinal(number: u32) -> String {
    let ending = match (number % 10, number % 100) {
        (_, 11..=13) => "th",
        (1, _) => "st",
        (2, _) => "nd",
        (3, _) => "rd",
        _ => "th",
    };
    format!("{number}{ending}")
}

/// `1 minute`, `5 minutes`.
pub(super) fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

/// `9:05`.
pub(super) fn clock(hour: u32, minute: u32) -> String {
    format!("{hour}:{minute:02}")
}

/// `9:05:30`.
pub(super) fn clock_seconds(hour: u32, minute: u32, second: u32) -> String {
    format!("{hour}:{minute:02}:{second:02}")
}
