//! A text of configuration: where it came from, and how its bytes become characters.

use std::path::{Path, PathBuf};

use crate::error::{Place, Problem};

/// Where a text came from.
#[derive(Debug, Clone)]
pub(super) struct Source {
    path: PathBuf,
}

impl Source {
    pub(super) fn file(path: &Path) -> Self {
        Self { path: path.to_owned() }
    }

    /// A text that was given as such; `name` stands for its path in messages.
    pub(super) fn text(name: &str) -> Self {
        Self { path: PathBuf::from(name) }
    }

    /// The source as a whole.
    pub(super) fn whole(&self) -> Place {
        Place::File { path: self.path.clone(), line: None }
    }

    pub(super) fn at_line(&self, line: usize) -> Place {
        Place::File { path: self.path.clone(), line: u32::try_from(line).ok() }
    }

    /// Reads bytes as UTF-8, with or without a byte order mark.
    pub(super) fn decode<'a>(&self, bytes: &'a [u8]) -> Result<&'a str, Problem> {
        if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) {
            return Err(Problem::new("the text is UTF-16, and must be UTF-8")
                .at(self.whole())
                .help("save it as UTF-8"));
        }
        match std::str::from_utf8(bytes) {
            Ok(text) => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
            Err(error) => {
                let at = error.valid_up_to();
                Err(Problem::new(format!("the text is not UTF-8: byte 0x{:02X}", bytes[at]))
                    .at(self.at_line(line_of(bytes, at)))
                    .help("save it as UTF-8; it may be Latin-1 or a code page of Windows now"))
            }
        }
    }
}

/// The number, from 1, of the line that a byte stands in.
fn line_of(bytes: &[u8], at: usize) -> usize {
    bytes[..at.min(bytes.len())].iter().filter(|b| **b == b'\n').count() + 1
}

/// Where the lines of a text begin, so that a place is found without reading the text again.
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn of(text: &str) -> Self {
        Self(text.match_indices('\n').map(|(at, _)| at + 1).collect())
    }

    /// The number, from 1, of the line that a byte stands in.
    pub(super) fn number(&self, at: usize) -> usize {
        self.0.partition_point(|start| *start <= at) + 1
    }
}
