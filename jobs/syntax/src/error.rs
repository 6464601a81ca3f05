use std::fmt;
use std::ops::Range;

/// A mistake in a text: what it is, where it stands, and how to mend it.
///
/// `Display` writes the [message](Self::message) alone; [`render`](Self::render) shows the place and the fix too.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SyntaxError {
    kind: SyntaxErrorKind,
    span: Range<usize>,
    message: Box<str>,
    help: Option<Box<str>>,
}

/// What kind of mistake a [`SyntaxError`] is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyntaxErrorKind {
    /// There is nothing but white space.
    Empty,
    /// The text is longer than any sensible one: over [`MAX_TEXT`](crate::MAX_TEXT) bytes, or a name over 128.
    TooLong,
    /// Fewer than five fields.
    TooFewFields,
    /// Something stands after the sixth field.
    TooManyFields,
    /// A seventh field that is a year, as Quartz has it.
    YearField,
    /// A list with nothing between two commas, before the first or after the last.
    EmptyItem,
    /// A character that has no meaning where it stands.
    UnknownCharacter,
    /// A word that is no value of the field.
    UnknownValue,
    /// The name of a month outside the month field, or of a weekday outside the weekday field.
    NameInWrongField,
    /// `L`, `W` or `#` in a field that has no use for it.
    SymbolInWrongField,
    /// A malformed item, such as `1-5W`, `L-3` or `*5`.
    InvalidItem,
    /// A range without its beginning or its end.
    IncompleteRange,
    /// A range whose end lies before its beginning.
    BackwardRange,
    /// A number that the field does not have.
    OutOfRange,
    /// A step that is missing or no number.
    InvalidStep,
    /// A step of zero.
    ZeroStep,
    /// A step that is greater than the number of values in the field.
    StepTooLarge,
    /// No date ever matches.
    NeverFires,
    /// A word behind `@` that is no descriptor.
    UnknownDescriptor,
    /// Something stands after a complete descriptor or duration.
    TrailingText,
    /// A prefix `…=` that is neither `TZ=` nor `CRON_TZ=`.
    UnknownPrefix,
    /// `TZ=` without a zone.
    MissingZone,
    /// A second `TZ=`.
    RepeatedZone,
    /// A zone behind the schedule, or before it without `TZ=`.
    MisplacedZone,
    /// A text that cannot be the name of a time zone.
    InvalidZone,
    /// A zone with no schedule behind it.
    MissingSchedule,
    /// The name of a schedule where only a schedule itself may stand.
    NamedSchedule,
    /// `@every` without a duration.
    MissingDuration,
    /// A number in a duration that is not one, such as `1.2.3`.
    InvalidNumber,
    /// A number in a duration without a unit.
    MissingUnit,
    /// A unit that does not exist.
    UnknownUnit,
    /// A duration of zero.
    ZeroDuration,
    /// A duration below zero.
    NegativeDuration,
    /// An interval below [`MIN_INTERVAL`](crate::MIN_INTERVAL), a wait below [`MIN_BACKOFF`](crate::MIN_BACKOFF), or a
    /// timeout below [`MIN_TIMEOUT`](crate::MIN_TIMEOUT).
    DurationTooShort,
    /// A duration above [`MAX_DURATION`](crate::MAX_DURATION).
    DurationTooLong,
    /// A name with a character or a form that names do not have.
    InvalidName,
    /// The name of a schedule that does not begin with `cron.`.
    MissingNamePrefix,
    /// A word that is no overlap policy.
    UnknownOverlap,
}

impl SyntaxError {
    pub(crate) fn new(kind: SyntaxErrorKind, span: Range<usize>, message: impl Into<Box<str>>) -> Self {
        Self { kind, span, message: message.into(), help: None }
    }

    #[must_use]
    pub(crate) fn with_help(mut self, help: impl Into<Box<str>>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// The same mistake in a text that has `bytes` more before the one that was parsed.
    #[must_use]
    pub(crate) fn shifted(mut self, bytes: usize) -> Self {
        self.span = self.span.start + bytes..self.span.end + bytes;
        self
    }

    /// What kind of mistake it is.
    #[must_use]
    pub fn kind(&self) -> SyntaxErrorKind {
        self.kind
    }

    /// The bytes of the text that the mistake is about. Both ends are character boundaries of that text;
    /// the range is empty only where the text has nothing to point at.
    #[must_use]
    pub fn span(&self) -> Range<usize> {
        self.span.clone()
    }

    /// The mistake in one line.
    #[must_use]
    pub fn message(&self) -> &str {
        &self.message
    }

    /// How to mend it, where there is something to say beyond the message.
    #[must_use]
    pub fn help(&self) -> Option<&str> {
        self.help.as_deref()
    }
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for SyntaxError {}
