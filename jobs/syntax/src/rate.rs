use std::fmt;
use std::num::NonZeroU32;
use std::time::Duration;

use crate::duration;
use crate::piece::Piece;
use crate::render::quoted;
use crate::{MAX_TEXT, SyntaxError, SyntaxErrorKind as Kind, format_duration};

const FORM: &str = "a rate is a number of attempts and the time for them, such as `100/1m`";

/// How many attempts may start in how much time: the size of a token bucket and the time that fills it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Rate {
    count: NonZeroU32,
    per: Duration,
}

impl Rate {
    /// A rate of so many per so much time; none when the time is zero.
    #[must_use]
    pub const fn new(count: NonZeroU32, per: Duration) -> Option<Self> {
        if per.is_zero() { None } else { Some(Self { count, per }) }
    }

    /// Parses `100/1m`: a whole number from 1, a slash, and a duration as [`parse_duration`](crate::parse_duration)
    /// reads it. White space around either is fine.
    ///
    /// # Errors
    ///
    /// The first mistake in the text.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let whole = Piece::whole(text).trim();
        if whole.is_empty() {
            return Err(whole.error(Kind::Empty, "empty rate").with_help(FORM));
        }
        if whole.text().len() > MAX_TEXT {
            let message = format!("a rate of {} bytes is too long", whole.text().len());
            return Err(whole.error(Kind::TooLong, message).with_help(FORM));
        }
        let Some(slash) = whole.text().find('/') else {
            let message = format!("{} is not a rate", quoted(whole.text()));
            return Err(whole.error(Kind::UnknownValue, message).with_help(FORM));
        };
        let (count_text, rest) = whole.split_at(slash);
        let (count_text, per_text) = (count_text.trim(), rest.skip("/".len()).trim());
        if count_text.is_empty() || per_text.is_empty() {
            let missing = if count_text.is_empty() { "number" } else { "time" };
            let message = format!("{} has no {missing}", quoted(whole.text()));
            return Err(whole.error(Kind::InvalidItem, message).with_help(FORM));
        }
        let digits = count_text.text().bytes().all(|byte| byte.is_ascii_digit());
        let Some(count) = count_text.text().parse().ok().filter(|_| digits).and_then(NonZeroU32::new) else {
            let message = format!("{} is not a number from 1 to {}", quoted(count_text.text()), u32::MAX);
            return Err(count_text.error(Kind::UnknownValue, message).with_help(FORM));
        };
        let per = duration::parse(per_text).map_err(|error| match one_unit(per_text.text()) {
            Some(unit) => error.with_help(format!("write `{count}/1{unit}`")),
            None => error,
        })?;
        Ok(Self { count, per })
    }

    /// How many attempts may start in [`per`](Self::per), and at once after a rest.
    #[must_use]
    pub const fn count(self) -> NonZeroU32 {
        self.count
    }

    /// The time in which [`count`](Self::count) attempts may start.
    #[must_use]
    pub const fn per(self) -> Duration {
        self.per
    }
}

/// The unit that stands alone where a duration should.
fn one_unit(text: &str) -> Option<&'static str> {
    Some(match text.to_ascii_lowercase().as_str() {
        "s" | "sec" | "second" | "seconds" => "s",
        "m" | "min" | "minute" | "minutes" => "m",
        "h" | "hr" | "hour" | "hours" => "h",
        "d" | "day" | "days" => "d",
        "w" | "week" | "weeks" => "w",
        _ => return None,
    })
}

/// `100/1m`, which [`Rate::parse`] reads.
impl fmt::Display for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.count, format_duration(self.per))
    }
}
