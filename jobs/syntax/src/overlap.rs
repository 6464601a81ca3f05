use crate::SyntaxError;

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
    /// Parses `buffer_one`, `buffer_all`, `skip`, `allow` or `cancel_other`.
    ///
    /// # Errors
    ///
    /// Any other text, with the nearest of these.
    pub fn parse(_text: &str) -> Result<Self, SyntaxError> {
        unimplemented!()
    }
}
