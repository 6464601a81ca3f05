use std::fmt;
use std::time::Duration;

use crate::duration;
use crate::piece::Piece;
use crate::render::quoted;
use crate::{MAX_TEXT, SyntaxError, SyntaxErrorKind as Kind, format_duration, nearest};

const FORM: &str = "write `skip`, `once`, `all`, or one of the latter two with a window: `all within 6h`";

/// What becomes of slots that passed while nothing could run: made up for, or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Missed {
    policy: MissedPolicy,
    within: Option<Duration>,
}

/// Which of the slots that were missed are made up for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum MissedPolicy {
    /// None.
    Skip,
    /// The last.
    Once,
    /// Every one.
    All,
}

impl MissedPolicy {
    /// Every policy, in the order in which the documentation has them.
    pub const ALL: [Self; 3] = [Self::Skip, Self::Once, Self::All];

    /// The word that [`Missed::parse`] reads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Skip => "skip",
            Self::Once => "once",
            Self::All => "all",
        }
    }
}

impl Missed {
    /// No slot is made up for: the default on a store in memory.
    pub const SKIP: Self = Self { policy: MissedPolicy::Skip, within: None };
    /// The last slot is made up for, however old it is: the default on a durable store.
    pub const ONCE: Self = Self { policy: MissedPolicy::Once, within: None };
    /// Every slot is made up for.
    pub const ALL: Self = Self { policy: MissedPolicy::All, within: None };

    /// The same for slots that are at most so old; older ones are not made up for.
    #[must_use]
    pub const fn within(self, window: Duration) -> Self {
        match self.policy {
            MissedPolicy::Skip => self,
            _ => Self { within: Some(window), ..self },
        }
    }

    /// Parses `skip`, `once`, `all`, `once within 6h` or `all within 6h`. The window is a duration as
    /// [`parse_duration`](crate::parse_duration) reads it.
    ///
    /// # Errors
    ///
    /// The first mistake in the text.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let whole = Piece::whole(text).trim();
        if whole.is_empty() {
            return Err(whole.error(Kind::Empty, "empty policy for missed slots").with_help(FORM));
        }
        if whole.text().len() > MAX_TEXT {
            let message = format!("a policy of {} bytes is too long", whole.text().len());
            return Err(whole.error(Kind::TooLong, message).with_help(FORM));
        }
        let end = whole.text().find(char::is_whitespace).unwrap_or(whole.text().len());
        let (word, rest) = whole.split_at(end);
        let rest = rest.trim();
        let Some(policy) = MissedPolicy::ALL.into_iter().find(|policy| policy.as_str() == word.text()) else {
            let message = format!("unknown policy for missed slots {}", quoted(word.text()));
            let near = nearest(word.text(), MissedPolicy::ALL.map(MissedPolicy::as_str));
            let help = near.map_or_else(|| FORM.to_owned(), |near| format!("did you mean `{near}`? {FORM}"));
            return Err(word.error(Kind::UnknownValue, message).with_help(help));
        };
        if rest.is_empty() {
            return Ok(Self { policy, within: None });
        }
        let Some(after) = rest
            .text()
            .strip_prefix("within")
            .filter(|after| after.is_empty() || after.starts_with(char::is_whitespace))
        else {
            let message = format!("{} is not `within` and a duration", quoted(rest.text()));
            return Err(rest.error(Kind::InvalidItem, message).with_help(FORM));
        };
        let window = rest.split_at(rest.text().len() - after.len()).1.trim();
        if window.is_empty() {
            return Err(rest.error(Kind::IncompleteRange, "`within` lacks its duration").with_help(FORM));
        }
        if policy == MissedPolicy::Skip {
            let message = "`skip` has no window: no slot is made up for";
            return Err(rest.error(Kind::InvalidItem, message).with_help(FORM));
        }
        Ok(Self { policy, within: Some(duration::parse(window)?) })
    }

    /// Which slots are made up for.
    #[must_use]
    pub const fn policy(self) -> MissedPolicy {
        self.policy
    }

    /// How old a slot may be to be made up for; none is without limit.
    #[must_use]
    pub const fn window(self) -> Option<Duration> {
        self.within
    }
}

/// `all within 6h`, which [`Missed::parse`] reads.
impl fmt::Display for Missed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.policy.as_str())?;
        match self.within {
            Some(window) => write!(f, " within {}", format_duration(window)),
            None => Ok(()),
        }
    }
}
