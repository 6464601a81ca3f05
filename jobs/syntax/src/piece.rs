use std::ops::Range;

use crate::{SyntaxError, SyntaxErrorKind};

/// A part of the user's text that knows where it stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Piece<'a> {
    text: &'a str,
    at: usize,
}

impl<'a> Piece<'a> {
    pub(crate) fn whole(text: &'a str) -> Self {
        Self { text, at: 0 }
    }

    pub(crate) fn text(self) -> &'a str {
        self.text
    }

    pub(crate) fn is_empty(self) -> bool {
        self.text.is_empty()
    }

    pub(crate) fn span(self) -> Range<usize> {
        self.at..self.at + self.text.len()
    }

    pub(crate) fn trim(self) -> Self {
        let at = self.at + (self.text.len() - self.text.trim_start().len());
        Self { text: self.text.trim(), at }
    }

    /// Without its first `bytes` bytes, which must end at a character boundary.
    pub(crate) fn skip(self, bytes: usize) -> Self {
        self.split_at(bytes).1
    }

    pub(crate) fn split_at(self, bytes: usize) -> (Self, Self) {
        let (before, after) = self.text.split_at(bytes);
        (Self { text: before, at: self.at }, Self { text: after, at: self.at + bytes })
    }

    /// What stands before and after the first `separator`.
    pub(crate) fn split_once(self, separator: char) -> Option<(Self, Self)> {
        let place = self.text.find(separator)?;
        let (before, rest) = self.split_at(place);
        Some((before, rest.skip(separator.len_utf8())))
    }

    pub(crate) fn split(self, separator: char) -> impl Iterator<Item = Self> {
        let mut rest = Some(self);
        std::iter::from_fn(move || {
            let piece = rest?;
            let Some((before, after)) = piece.split_once(separator) else {
                rest = None;
                return Some(piece);
            };
            rest = Some(after);
            Some(before)
        })
    }

    /// The first word and what follows it, both without white space around them.
    pub(crate) fn split_word(self) -> (Self, Self) {
        let piece = self.trim();
        let end = piece.text.find(char::is_whitespace).unwrap_or(piece.text.len());
        let (word, rest) = piece.split_at(end);
        (word, rest.trim())
    }

    pub(crate) fn words(self) -> impl Iterator<Item = Self> {
        let mut rest = self;
        std::iter::from_fn(move || {
            let (word, after) = rest.split_word();
            rest = after;
            (!word.is_empty()).then_some(word)
        })
    }

    /// The first character for which `wanted` holds.
    pub(crate) fn find_char(self, wanted: impl Fn(char) -> bool) -> Option<Self> {
        let (place, char) = self.text.char_indices().find(|&(_, char)| wanted(char))?;
        Some(self.skip(place).split_at(char.len_utf8()).0)
    }

    pub(crate) fn error(self, kind: SyntaxErrorKind, message: impl Into<Box<str>>) -> SyntaxError {
        SyntaxError::new(kind, self.span(), message)
    }
}
