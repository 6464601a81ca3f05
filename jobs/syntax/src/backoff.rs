use std::fmt;
use std::time::Duration;

use crate::duration;
use crate::piece::Piece;
use crate::render::quoted;
use crate::{MAX_TEXT, SyntaxError, SyntaxErrorKind as Kind, format_duration};

/// The shortest wait of a [`Backoff`]. Below it a job that fails at once would be tried in a busy loop.
pub const MIN_BACKOFF: Duration = Duration::from_millis(10);

/// The most retries that a run may have: each attempt is recorded with its run, and what is to go on for ever is
/// a schedule.
pub const MAX_RETRIES: u32 = 10_000;

const FORM: &str =
    "a backoff is the first wait and the longest, such as `1s..10m`, or one wait for all, such as `30s`";

/// How long a run waits before it is tried again: from the first wait up to the longest, doubling each time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Backoff {
    first: Duration,
    longest: Duration,
}

impl Backoff {
    /// What holds where nothing is said: `1s..1h`.
    pub const DEFAULT: Self = Self::new(Duration::from_secs(1), Duration::from_secs(3600));

    /// A backoff between two durations; the longest is never below the first.
    #[must_use]
    pub const fn new(first: Duration, longest: Duration) -> Self {
        let longest = if longest.as_nanos() < first.as_nanos() { first } else { longest };
        Self { first, longest }
    }

    /// Parses `1s..10m`, or one duration, `30s`, which is `30s..30s`: every wait is the same.
    ///
    /// Both are durations as [`parse_duration`](crate::parse_duration) reads them, of at least [`MIN_BACKOFF`], and
    /// the first is not longer than the other. White space around either is fine.
    ///
    /// # Errors
    ///
    /// The first mistake in the text.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let whole = Piece::whole(text).trim();
        if whole.is_empty() {
            return Err(whole.error(Kind::Empty, "empty backoff").with_help(FORM));
        }
        if whole.text().len() > MAX_TEXT {
            let message = format!("a backoff of {} bytes is too long", whole.text().len());
            return Err(whole.error(Kind::TooLong, message).with_help(FORM));
        }
        if !whole.text().bytes().any(|byte| byte.is_ascii_digit()) && !whole.text().contains("..") {
            let message = format!("{} is not a backoff", quoted(whole.text()));
            return Err(whole.error(Kind::UnknownValue, message).with_help(FORM));
        }
        let Some(dots) = whole.text().find("..") else {
            let wait = wait(whole).map_err(|error| other_separator(whole).unwrap_or(error))?;
            return Ok(Self::new(wait, wait));
        };
        let (first_text, rest) = whole.split_at(dots);
        let last_text = rest.skip("..".len());
        let after = last_text.text().trim_start_matches(['.', '=']);
        if first_text.is_empty() || after.is_empty() {
            let missing = if first_text.is_empty() { "first wait" } else { "longest wait" };
            let message = format!("{} has no {missing}", quoted(whole.text()));
            return Err(whole.error(Kind::IncompleteRange, message).with_help(FORM));
        }
        if last_text.text().starts_with(['.', '=']) {
            let separator = rest.split_at(rest.text().len() - after.len()).0;
            return Err(two_waits(separator, &quoted(separator.text()), first_text.text(), after));
        }
        if last_text.text().contains("..") {
            let message = format!("{} has more than two waits", quoted(whole.text()));
            return Err(whole.error(Kind::InvalidItem, message).with_help(FORM));
        }
        let (first, longest) = (wait(first_text)?, wait(last_text)?);
        if longest < first {
            let message = format!("{} runs backwards", quoted(whole.text()));
            return Err(whole
                .error(Kind::BackwardRange, message)
                .with_help(written(last_text.text(), first_text.text())));
        }
        Ok(Self::new(first, longest))
    }

    /// The wait after the first failure.
    #[must_use]
    pub const fn first(self) -> Duration {
        self.first
    }

    /// The wait that no other exceeds, but for the jitter.
    #[must_use]
    pub const fn longest(self) -> Duration {
        self.longest
    }
}

/// One of the two durations.
fn wait(text: Piece<'_>) -> Result<Duration, SyntaxError> {
    let wait = duration::parse(text)?;
    if wait < MIN_BACKOFF {
        let text = text.trim();
        return Err(text
            .error(Kind::DurationTooShort, format!("wait {} is below 10ms", quoted(text.text())))
            .with_help("the shortest wait is `10ms`"));
    }
    Ok(wait)
}

/// `1s-10m` and `1s to 10m`: two waits with something else between them.
fn other_separator(whole: Piece<'_>) -> Option<SyntaxError> {
    [" to ", "-", ",", ":", "…", "–", "/", " "].into_iter().find_map(|separator| {
        let (first, rest) = whole.split_at(whole.text().find(separator)?);
        let (separator, last) = rest.split_at(separator.len());
        (wait(first).is_ok() && wait(last).is_ok()).then(|| {
            let (place, between) = match separator.trim() {
                word if word.is_empty() => (separator, "white space".to_owned()),
                word => (word, quoted(word.text())),
            };
            two_waits(place, &between, first.text(), last.text())
        })
    })
}

fn two_waits(place: Piece<'_>, between: &str, first: &str, longest: &str) -> SyntaxError {
    let message = format!("the two waits have {between} between them, not `..`");
    place.error(Kind::UnknownCharacter, message).with_help(written(first, longest))
}

fn written(first: &str, longest: &str) -> String {
    format!("write {}", quoted(&format!("{}..{}", first.trim(), longest.trim())))
}

/// `1s..10m`, which [`Backoff::parse`] reads.
impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}..{}", format_duration(self.first), format_duration(self.longest))
    }
}
