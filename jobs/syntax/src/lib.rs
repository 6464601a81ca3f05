//! The schedule language of `jobs`.
#![forbid(unsafe_code)]

mod calendar;
mod cron;
mod descriptor;
mod duration;
mod error;
mod field;
mod item;
mod name;
mod nearest;
mod overlap;
mod piece;
mod print;
mod render;
mod schedule_text;
mod spec;
mod special;
mod value;
mod zone;

pub use calendar::CivilDay;
pub use cron::{CronSpec, Stars};
pub use duration::{MAX_DURATION, MIN_INTERVAL, format_duration, parse_duration, parse_interval};
pub use error::{SyntaxError, SyntaxErrorKind};
pub use name::{MAX_NAME, check_job_name, check_schedule_key, check_schedule_name};
pub use nearest::nearest;
pub use overlap::Overlap;
pub use schedule_text::ScheduleText;
pub use spec::{MAX_TEXT, Spec, When};
pub use zone::parse_zone_name;
