//! What a run gives: the value in `Ok`, kept as JSON.

use std::fmt;
use std::io::{self, Write};

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::run::Outcome;
use crate::telemetry::panics;

/// Bytes of an output that is kept.
pub(crate) const MOST: usize = 64 << 10;

/// What a run gives, as it is kept.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Output {
    Json(Box<str>),
    TooLarge,
    /// It could not be written as JSON.
    Unwritable(Box<str>),
}

impl Output {
    /// Writes a value down. This calls code of the user, and catches its panic.
    pub(crate) fn of<T: Serialize + ?Sized>(value: &T) -> Self {
        match panics::catch(|| write_json(value, MOST)) {
            Ok(Ok(json)) => Self::Json(json.into_boxed_str()),
            Ok(Err(JsonError::TooLarge(_))) => Self::TooLarge,
            Ok(Err(JsonError::Unwritable(error))) => Self::Unwritable(error.to_string().into_boxed_str()),
            Err(panic) => Self::Unwritable(format!("it panicked: {}", panic.message).into_boxed_str()),
        }
    }

    pub(crate) fn json(&self) -> Option<&str> {
        if let Self::Json(json) = self { Some(json) } else { None }
    }

    pub(crate) fn text(&self) -> usize {
        match self {
            Self::Json(text) | Self::Unwritable(text) => text.len(),
            Self::TooLarge => 0,
        }
    }

    /// Reads the value of a run that has succeeded. This calls code of the user.
    pub(crate) fn read<T: DeserializeOwned>(output: Option<&Self>) -> Result<T, OutputError> {
        let json = match output {
            Some(Self::Json(json)) => json,
            Some(Self::TooLarge) => return Err(OutputError(Kind::TooLarge)),
            Some(Self::Unwritable(why)) => return Err(OutputError(Kind::Unwritable(why.to_string()))),
            // Of a type without a value, such as `()`, none is kept.
            None if size_of::<T>() == 0 => "null",
            None => return Err(OutputError(Kind::NotKept)),
        };
        serde_json::from_str(json).map_err(|error| {
            OutputError(Kind::OtherType { wanted: std::any::type_name::<T>(), error: error.to_string() })
        })
    }
}

/// Why a value is not written as JSON.
#[derive(Debug)]
pub(crate) enum JsonError {
    /// What was written before.
    TooLarge(#[allow(dead_code, reason = "arguments are shown as far as they fit")] String),
    Unwritable(serde_json::Error),
}

/// Writes a value as JSON of at most so many bytes; no more is ever made. This calls code of the user.
pub(crate) fn write_json<T: Serialize + ?Sized>(value: &T, most: usize) -> Result<String, JsonError> {
    let mut bounded = Bounded { written: Vec::new(), most, full: false };
    let result = serde_json::to_writer(&mut bounded, value);
    let text = match String::from_utf8(bounded.written) {
        Ok(text) => text,
        // It ends within a character.
        Err(error) => {
            let valid = error.utf8_error().valid_up_to();
            let mut bytes = error.into_bytes();
            bytes.truncate(valid);
            String::from_utf8(bytes).unwrap_or_default()
        }
    };
    match result {
        Ok(()) => Ok(text),
        Err(_) if bounded.full => Err(JsonError::TooLarge(text)),
        Err(error) => Err(JsonError::Unwritable(error)),
    }
}

struct Bounded {
    written: Vec<u8>,
    most: usize,
    full: bool,
}

impl Write for Bounded {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = self.most - self.written.len();
        if bytes.len() > room {
            self.written.extend_from_slice(&bytes[..room]);
            self.full = true;
            return Err(io::Error::from(io::ErrorKind::FileTooLarge));
        }
        self.written.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Why [`RunHandle::output`](crate::RunHandle::output) has no value to give.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OutputError(Kind);

#[derive(Debug, Clone, PartialEq, Eq)]
enum Kind {
    Unsuccessful(Outcome),
    NotKept,
    TooLarge,
    Unwritable(String),
    OtherType { wanted: &'static str, error: String },
}

impl OutputError {
    pub(crate) fn unsuccessful(outcome: Outcome) -> Self {
        Self(Kind::Unsuccessful(outcome))
    }

    /// What the run came to, when that is why it gave nothing.
    #[must_use]
    pub fn outcome(&self) -> Option<&Outcome> {
        if let Kind::Unsuccessful(outcome) = &self.0 { Some(outcome) } else { None }
    }

    /// Whether the run gave a value of another type than was asked for.
    #[must_use]
    pub fn is_other_type(&self) -> bool {
        matches!(self.0, Kind::OtherType { .. })
    }

    /// Whether the run succeeded and its value was not kept: it gives none, or one that is not `Serialize`, that is too large, or
    /// that could not be written as JSON.
    #[must_use]
    pub fn is_not_kept(&self) -> bool {
        matches!(self.0, Kind::NotKept | Kind::TooLarge | Kind::Unwritable(_))
    }
}

impl fmt::Display for OutputError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Kind::Unsuccessful(Outcome::Unknown) => f.write_str("the run is not kept any more"),
            Kind::Unsuccessful(outcome) => write!(f, "the run did not succeed and gave nothing: {outcome}"),
            Kind::NotKept => f.write_str(
                "the run gave nothing that is kept: its job returns no value, or one that is not `Serialize`",
            ),
            Kind::TooLarge => write!(
                f,
                "what the run gave is not kept: as JSON it has more than {} KiB; keep it elsewhere and return where",
                MOST >> 10
            ),
            Kind::Unwritable(why) => {
                write!(f, "what the run gave is not kept: as JSON it cannot be written: {why}")
            }
            Kind::OtherType { wanted, error } => write!(f, "what the run gave is no `{wanted}`: {error}"),
        }
    }
}

impl std::error::Error for OutputError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_comes_back_or_the_reason_why_not() {
        let output = Output::of(&(7, "seven"));
        assert_eq!(Output::read::<(u8, String)>(Some(&output)), Ok((7, "seven".to_owned())));
        assert!(Output::read::<bool>(Some(&output)).unwrap_err().is_other_type());
        let large = Output::of(&"x".repeat(MOST));
        assert!(Output::read::<String>(Some(&large)).unwrap_err().to_string().contains("64 KiB"));
        assert!(matches!(Output::of(&"x".repeat(MOST - 2)), Output::Json(_)));
        let map = std::collections::HashMap::from([((1, 2), 3)]);
        let unwritable = Output::read::<u8>(Some(&Output::of(&map))).unwrap_err();
        assert!(unwritable.is_not_kept() && unwritable.to_string().contains("key must be"), "{unwritable}");
        assert_eq!(Output::read::<()>(None), Ok(()));
        assert!(Output::read::<Option<u8>>(None).unwrap_err().is_not_kept());
    }

    #[test]
    fn no_more_is_written_than_fits() {
        let Err(JsonError::TooLarge(text)) = write_json("ééé", 4) else { panic!("it fits") };
        assert_eq!(text, "\"é");
    }
}
