use std::fmt;

use crate::name::{PREFIX, check_schedule_name, is_like_cron};
use crate::piece::Piece;
use crate::render::quoted;
use crate::{Spec, SyntaxError, SyntaxErrorKind};

/// What `schedule = "…"` holds: the name of a schedule in the config, or a schedule itself.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ScheduleText {
    /// The name of a schedule, with its `cron.`.
    Named(Box<str>),
    /// A schedule.
    Spec(Spec),
}

impl ScheduleText {
    /// Parses a text as a name if it begins with `cron.`, or with a word that is nearly `cron` and a dot; else as
    /// a schedule.
    ///
    /// # Errors
    ///
    /// The first mistake in the text, with its place and its fix.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let word = Piece::whole(text).trim();
        let is_name = word.text().split_once('.').is_some_and(|(start, _)| is_like_cron(start));
        if !is_name {
            return Spec::parse(text).map(Self::Spec).map_err(|error| with_name(error, word));
        }
        match check_schedule_name(word.text()) {
            Ok(()) => Ok(Self::Named(word.text().into())),
            Err(error) => Err(error.shifted(word.span().start)),
        }
    }
}

/// The error for a text that a schedule is not, with the name that it may have been meant for.
fn with_name(error: SyntaxError, word: Piece<'_>) -> SyntaxError {
    let text = word.text();
    let own = match text.split_once([':', '-', '/', ' ']) {
        Some((start, own)) if is_like_cron(start) => own,
        _ => text,
    };
    let name = format!("{PREFIX}{own}");
    // A word that means something else has got its help already.
    let has_help =
        error.help().is_some_and(|help| help.starts_with("did you mean") || help.starts_with("for an"));
    if error.kind() != SyntaxErrorKind::TooFewFields || has_help || check_schedule_name(&name).is_err() {
        return error;
    }
    let help = format!("the name of a schedule in the config is written {}", quoted(&name));
    error.with_help(help)
}

/// The name, or the canonical text of the schedule.
impl fmt::Display for ScheduleText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Named(name) => f.write_str(name),
            Self::Spec(spec) => spec.fmt(f),
        }
    }
}
