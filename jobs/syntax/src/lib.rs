//! The schedule language of `jobs`: what `schedule = "…"`, `every = "…"` and a line `cron.<name> = "…"` may say,
//! and the other texts that the macro and the config have in common.
//!
//! The macro, the config and the running program all read it with this crate, so what one accepts the others do,
//! and a mistake is answered alike everywhere, with its place and its fix:
//!
//! ```
//! use jobs_syntax::Spec;
//!
//! let spec = Spec::parse("*/15 9-17 * * MON-FRI")?;
//! assert_eq!(spec.to_string(), "0 */15 9-17 * * 1-5");
//!
//! let text = "0 0 * * FRI-MON";
//! let error = Spec::parse(text).unwrap_err();
//! let shown = [
//!     "range `FRI-MON` runs backwards",
//!     "  0 0 * * FRI-MON",
//!     "          ^^^^^^^",
//!     "help: write `FRI-SUN,MON`",
//! ];
//! assert_eq!(error.render(text), shown.join("\n"));
//! # Ok::<(), jobs_syntax::SyntaxError>(())
//! ```
//!
//! # Schedules
//!
//! | text | fires |
//! |---|---|
//! | `30 8 * * MON-FRI` | five fields, as in crontab: `min hour dom month dow`, at second 0 |
//! | `15 30 8 * * MON-FRI` | six fields: `sec min hour dom month dow` |
//! | `@daily` | a descriptor, see below |
//! | `@every 90m` | whenever that much time has passed |
//! | `TZ=Europe/Oslo 30 8 * * *` | the same by the clock of a zone; `CRON_TZ=` says the same |
//!
//! Fields are parted by white space, of which there may be more than needed, also around the whole. Nothing may
//! follow the last field. A text is 1024 bytes long at most.
//!
//! # Fields
//!
//! | field | values | names | also |
//! |---|---|---|---|
//! | `sec` | 0–59 | | |
//! | `min` | 0–59 | | |
//! | `hour` | 0–23 | | |
//! | `dom`, day of month | 1–31 | | `L` `LW` `15W` |
//! | `month` | 1–12 | `JAN`–`DEC` | |
//! | `dow`, weekday | 0–6 from Sunday, 7 is Sunday too | `SUN`–`SAT` | `5L` `FRIL` `5#2` `FRI#2` |
//!
//! A field is one item or a list of items with commas between them. Letters may be of either case.
//!
//! | item | matches |
//! |---|---|
//! | `*` | every value |
//! | `?` | the same; in a day field it says that the other one decides |
//! | `5`, `MON` | that value |
//! | `1-5`, `MON-FRI` | a range, upwards; `FRI-SUN` and `5-7` go to the Sunday at the end of the week |
//! | `*/15` | every 15th value from the least on: 0, 15, 30, 45 |
//! | `9-17/2` | every second value of the range: 9, 11, 13, 15, 17 |
//! | `5/15` | every 15th value from 5 to the end of the field: 5, 20, 35, 50 |
//! | `L` | the last day of the month |
//! | `LW` | the last of Monday to Friday in the month |
//! | `15W` | the day of Monday to Friday that is nearest to the 15th and in the same month; none where the month has no such day |
//! | `FRIL`, `5L` | the last Friday of the month |
//! | `FRI#2`, `5#2` | the second Friday of the month, up to `#5` |
//!
//! A step is 1 at least and the number of values in the field at most. It begins anew with the field: `*/40` minutes
//! are 0 and 40 of each hour. For a steady distance use `@every`.
//!
//! # The day rule
//!
//! When neither day field has a `*` or `?` item, a date matches if **either** field does: `0 0 1,15 * MON` is the 1st,
//! the 15th, and every Monday. Otherwise it must match **both**: `0 0 */2 * MON` is a Monday on an odd day. It is the
//! rule of Vixie's cron, stated on items.
//!
//! A schedule that no date can ever match, such as `0 0 30 2 *`, is refused.
//!
//! # Descriptors
//!
//! | descriptor | fields | |
//! |---|---|---|
//! | `@yearly`, `@annually` | `0 0 0 1 1 *` | midnight of 1 January |
//! | `@monthly` | `0 0 0 1 * *` | midnight of the first of a month |
//! | `@weekly` | `0 0 0 * * 0` | midnight at the beginning of Sunday |
//! | `@daily`, `@midnight` | `0 0 0 * * *` | midnight |
//! | `@hourly` | `0 0 * * * *` | the full hour |
//! | `@every <duration>` | | an interval, of at least 10 ms |
//!
//! They are written in lower case.
//!
//! # Durations
//!
//! Numbers with units, without white space: `90s`, `1h30m`, `1.5h`, `500ms`, `2w`.
//!
//! | unit | |
//! |---|---|
//! | `ns`, `us` or `µs`, `ms`, `s`, `m`, `h` | as in Go |
//! | `d` | 24 hours, whatever the clock does |
//! | `w` | 7 of these days |
//!
//! A duration is above zero and up to 2⁶³ − 1 nanoseconds (292 years). What is less than a nanosecond is dropped.
//!
//! # Backoff
//!
//! The waits before the retries of a run: `1s..10m` begins with one second and doubles up to ten minutes, `30s` is
//! thirty seconds each time. A wait is 10 ms at least, so that what fails at once is not tried in a busy loop.
//!
//! # Rates
//!
//! `100/1m` is a hundred attempts in a minute, and a hundred at once after a rest: the size of a token bucket and the
//! time that fills it.
//!
//! # Missed slots
//!
//! `skip`, `once` or `all` say which of the slots that were missed are made up for; `all within 6h` only those of the
//! last six hours.
//!
//! # Zones
//!
//! A zone is a name of the tz database (`Europe/Oslo`), `UTC`, `local`, or an offset (`+05:30`). This crate looks at
//! the form only: it has no database, and neither does the compiler that runs the macro.
//!
//! # Canonical text
//!
//! A [`Spec`] is printed with six fields or `@every`, and `TZ=` where it has a zone. Equal specs are printed alike
//! however they were written, and what is printed is read back as an equal spec. A field with a `*` or `?` item keeps a
//! `*` item, for the day rule and the rule for clock changes ask for it: `0-59` is not `*`.
//! The text identifies a schedule that has no key of its own, so it will not change from one version to another.
//!
//! # Names
//!
//! | name | form | checked by |
//! |---|---|---|
//! | of a job | `a`–`z`, digits, `_`, `-` | [`check_job_name`] |
//! | of a schedule | `cron.` and letters, digits, `_`, `-`, with single dots between parts | [`check_schedule_name`] |
//! | key of a schedule | letters, digits, `_`, `-`, `.`, `:` | [`check_schedule_key`] |
//! | of a queue | `a`–`z`, digits, `_`, `-` | [`check_queue_name`] |
//!
//! Each is 128 bytes long at most.
//!
//! # What differs
//!
//! From the Go original (robfig/cron behind Revel's jobs module):
//!
//! - Five fields have no seconds. The original reads them as `sec min hour dom month`.
//! - `L`, `W`, `#`, `7` for Sunday and ranges that end with it, `TZ=`, and the units `d` and `w` are new.
//! - Empty items, years, steps beyond the field and specs that never fire are refused, and so is all that it ignores
//!   silently, such as what follows a `*`.
//! - An interval keeps its fraction of a second.
//!
//! From crontab:
//!
//! - Seconds, where there are six fields.
//! - A `*` anywhere in a day field makes both fields count, not only one at its beginning.
//! - `@reboot` is `#[job(startup)]` here. There are no users, commands, comments or random ranges.
//!
//! From Quartz:
//!
//! - Weekdays are numbered from Sunday 0, there it is 1. Names are the same.
//! - There is no year, no `L-3`, and no `?` that must be there.
//! - With values in both day fields either may match.
#![forbid(unsafe_code)]

mod backoff;
mod calendar;
mod cron;
mod descriptor;
mod duration;
mod error;
mod field;
mod item;
mod missed;
mod name;
mod nearest;
mod overlap;
mod piece;
mod print;
mod rate;
mod render;
mod schedule_text;
mod spec;
mod special;
mod value;
mod zone;

pub use backoff::{Backoff, MAX_RETRIES, MIN_BACKOFF};
pub use calendar::CivilDay;
pub use cron::{CronSpec, Stars};
pub use duration::{
    MAX_DURATION, MIN_INTERVAL, MIN_TIMEOUT, format_duration, parse_duration, parse_interval, parse_timeout,
};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use missed::{Missed, MissedPolicy};
pub use name::{
    DEFAULT_QUEUE, MAX_NAME, check_job_name, check_queue_name, check_schedule_key, check_schedule_name,
};
pub use nearest::nearest;
pub use overlap::Overlap;
pub use rate::Rate;
pub use schedule_text::ScheduleText;
pub use spec::{MAX_TEXT, Spec, When};
pub use zone::parse_zone_name;
