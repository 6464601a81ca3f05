//! How a mistake is shown: the user's text with carets under the place, safe for any terminal.

use std::ops::Range;

use crate::SyntaxError;

/// How many characters of the user's text are repeated inside a message.
const QUOTED: usize = 40;
/// How many columns of the user's text are shown before and from the beginning of the mistake.
const AROUND: usize = 36;

impl SyntaxError {
    /// The message, the text with carets under the mistake, and the help:
    ///
    /// ```
    /// # use jobs_syntax::Spec;
    /// let text = "0 25 * * *";
    /// let error = Spec::parse(text).unwrap_err();
    /// let shown = [
    ///     "hour `25` is outside 0-23",
    ///     "  0 25 * * *",
    ///     "    ^^",
    ///     "help: hours run from 0 to 23; for every 25 hours write `every = \"25h\"`",
    /// ];
    /// assert_eq!(error.render(text), shown.join("\n"));
    /// ```
    ///
    /// Tabs and line ends are shown as spaces, other characters that cannot be seen as escapes, and a long text is cut
    /// around the mistake. `source` is the text that was parsed; with another one the carets are meaningless,
    /// but nothing panics.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        let (line, carets) = Window::around(source, self.span()).lines();
        let mut shown = self.message().to_owned();
        if !line.is_empty() {
            shown.push_str("\n  ");
            shown.push_str(&line);
            shown.push_str("\n  ");
            shown.push_str(&carets);
        }
        if let Some(help) = self.help() {
            shown.push_str("\nhelp: ");
            shown.push_str(help);
        }
        shown
    }
}

/// The user's text for use inside a message: in backticks, escaped where it cannot be seen, cut where it is long.
pub(crate) fn quoted(text: &str) -> String {
    let mut quoted = String::from("`");
    for (count, char) in text.chars().enumerate() {
        if count == QUOTED {
            quoted.push('…');
            break;
        }
        push_visible(&mut quoted, char);
    }
    quoted.push('`');
    quoted
}

fn push_visible(text: &mut String, char: char) {
    if matches!(char, '"' | '\'' | '\\') {
        text.push(char);
    } else {
        text.extend(char.escape_debug());
    }
}

/// One character as it is shown.
struct Cell {
    shown: String,
    width: usize,
    marked: bool,
}

/// The text around the beginning of the span: no more of it than can be shown.
struct Window {
    cells: Vec<Cell>,
    cut_before: bool,
    cut_after: bool,
}

impl Window {
    fn around(source: &str, span: Range<usize>) -> Self {
        if source.trim().is_empty() {
            return Self { cells: Vec::new(), cut_before: false, cut_after: false };
        }
        let start = floor_boundary(source, span.start);
        let (before, after) = source.split_at(start);
        let mut cells: Vec<Cell> = Vec::new();

        let mut columns = 0;
        let mut left = before.chars().rev();
        let cut_before = loop {
            let Some(char) = left.next() else { break false };
            let cell = Cell::new(char, false);
            if columns + cell.width > AROUND {
                break true;
            }
            columns += cell.width;
            cells.push(cell);
        };
        cells.reverse();

        let mut columns = 0;
        let mut right = after.char_indices();
        let cut_after = loop {
            let Some((at, char)) = right.next() else { break false };
            let at = start + at;
            // An empty span is pointed at by one caret.
            let cell = Cell::new(char, at == start || span.contains(&at));
            if columns > 0 && columns + cell.width > AROUND {
                break !source[at..].trim_end().is_empty();
            }
            columns += cell.width;
            cells.push(cell);
        };
        if after.is_empty() {
            cells.push(Cell::new(' ', true));
        }
        Self { cells, cut_before, cut_after }
    }

    /// The line and the line of carets, both empty for a blank text.
    fn lines(&self) -> (String, String) {
        let (mut line, mut carets) = (String::new(), String::new());
        if self.cut_before {
            line.push('…');
            carets.push(' ');
        }
        for cell in &self.cells {
            line.push_str(&cell.shown);
            let mark = if cell.marked { '^' } else { ' ' };
            carets.extend(std::iter::repeat_n(mark, cell.width));
        }
        if self.cut_after {
            line.push('…');
        }
        (line.trim_end().to_owned(), carets.trim_end().to_owned())
    }
}

impl Cell {
    fn new(char: char, marked: bool) -> Self {
        let mut shown = String::new();
        match char {
            '\t' | '\n' | '\r' => shown.push(' '),
            char => push_visible(&mut shown, char),
        }
        let width = shown.chars().map(width).sum();
        Self { shown, width, marked }
    }
}

/// The character boundary at `at` or before it.
fn floor_boundary(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|&at| text.is_char_boundary(at)).unwrap_or(0)
}

/// The columns that a terminal gives to a visible character: two for the scripts of East Asia and for emoji.
fn width(char: char) -> usize {
    match u32::from(char) {
        0x1100..=0x115F
        | 0x2E80..=0x303E
        | 0x3041..=0xA4CF
        | 0xAC00..=0xD7A3
        | 0xF900..=0xFAFF
        | 0xFE30..=0xFE6F
        | 0xFF01..=0xFF60
        | 0xFFE0..=0xFFE6
        | 0x1F300..=0x1F64F
        | 0x1F680..=0x1F6FF
        | 0x1F900..=0x1F9FF
        | 0x20000..=0x3FFFD => 2,
        _ => 1,
    }
}
