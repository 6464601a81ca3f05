use std::fmt;

use crate::piece::Piece;
use crate::render::quoted;
use crate::{SyntaxError, SyntaxErrorKind, nearest};

/// What becomes of a slot whose job has a live run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Overlap {
    /// One run waits for its predecessor; further slots are skipped.
    #[default]
    BufferOne,
    /// Every run waits for its predecessor.
    BufferAll,
    /// The slot is skipped.
    Skip,
    /// The run starts beside its predecessor.
    Allow,
    /// The predecessor is cancelled and the run starts.
    CancelOther,
}

impl Overlap {
    /// Every policy, in the order in which the documentation has them.
    pub const ALL: [Self; 5] = [Self::BufferOne, Self::BufferAll, Self::Skip, Self::Allow, Self::CancelOther];

    /// The word that [`parse`](Self::parse) reads.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::BufferOne => "buffer_one",
            Self::BufferAll => "buffer_all",
            Self::Skip => "skip",
            Self::Allow => "allow",
            Self::CancelOther => "cancel_other",
        }
    }

    /// Parses `buffer_one`, `buffer_all`, `skip`, `allow` or `cancel_other`. White space around it is fine.
    ///
    /// # Errors
    ///
    /// Any other text, with the nearest of these.
    pub fn parse(text: &str) -> Result<Self, SyntaxError> {
        let word = Piece::whole(text).trim();
        if let Some(policy) = Self::ALL.into_iter().find(|policy| policy.as_str() == word.text()) {
            return Ok(policy);
        }
        let (kind, message) = if word.is_empty() {
            (SyntaxErrorKind::Empty, "empty overlap policy".to_owned())
        } else {
            (SyntaxErrorKind::UnknownOverlap, format!("unknown overlap policy {}", quoted(word.text())))
        };
        let all = "an overlap policy is `buffer_one`, `buffer_all`, `skip`, `allow` or `cancel_other`";
        let near = match word.text() {
            text if text.len() > 32 => None,
            text => nearest(&text.replace(['-', ' '], "_"), Self::ALL.map(Self::as_str)),
        };
        let help = match near {
            Some(near) => format!("did you mean `{near}`? {all}"),
            None => all.to_owned(),
        };
        Err(word.error(kind, message).with_help(help))
    }
}

/// The word that [`Overlap::parse`] reads.
impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
