use std::time::Duration;

use super::words::{count, join};

/// `every 90 minutes`, `every hour and 1 second`.
pub(super) fn phrase(interval: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;

    let seconds = interval.as_secs();
    let fraction = interval.subsec_nanos();
    if fraction == 0 {
        // The largest unit that says it in one number; "24 hours" is elapsed time, "a day" might not be.
        for (unit, name) in [(DAY, "day"), (HOUR, "hour"), (MINUTE, "minute"), (1, "second")] {
            let number = seconds / unit;
            if number == 0 || !seconds.is_multiple_of(unit) || (unit == DAY && number == 1) {
                continue;
            }
            // "every 90 minutes", but "every 2 hours, 5 minutes and 1 second" rather than 7 501 seconds.
            if number == 1 {
                return format!("every {name}");
            }
            if number < 120 || unit == DAY {
                return format!("every {}", count(number, name));
            }
        }
    } else if seconds == 0 && fraction.is_multiple_of(1_000_000) {
        return format!("every {}", count(u64::from(fraction / 1_000_000), "millisecond"));
    }

    let mut parts = Vec::new();
    for (number, unit) in
        [(seconds / DAY, "day"), (seconds % DAY / HOUR, "hour"), (seconds % HOUR / MINUTE, "minute")]
    {
        if number > 0 {
            parts.push(count(number, unit));
        }
    }
    let seconds = seconds % MINUTE;
    if fraction > 0 {
        let digits = format!("{fraction:09}");
        parts.push(format!("{seconds}.{} seconds", digits.trim_end_matches('0')));
    } else if seconds > 0 {
        parts.push(count(seconds, "second"));
    }
    format!("every {}", join(parts))
}
