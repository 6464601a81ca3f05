//! How a mistake is shown: the user's text with carets under the place, safe for any terminal.

use std::ops::Range;

use crate::SyntaxError;

/// How many characters of the user's text are repeated inside a message.
const QUOTED: usize = 40;
/// How many columns of the user's text stand on either side of the middle of the mistake.
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
    /// White space is shown as spaces, other characters that cannot be seen as escapes, and a long text is cut
    /// around the mistake. `source` is the text that was parsed; with another one the carets are meaningless,
    /// but nothing panics.
    #[must_use]
    pub fn render(&self, source: &str) -> String {
        let cells = cells(source, self.span());
        let (line, carets) = window(&cells);
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
    if matches!(char, '\t' | '\n' | '\r') {
        text.push(' ');
    } else if matches!(char, '"' | '\'' | '\\') {
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

fn cells(source: &str, span: Range<usize>) -> Vec<Cell> {
    let trimmed = source.trim_end();
    // A mistake in the white space at the end, or an empty text, is still pointed at.
    let end = span.end.max(trimmed.len()).min(source.len());
    let mut cells: Vec<Cell> = source
        .char_indices()
        .take_while(|&(at, _)| at < end)
        .map(|(at, char)| {
            let mut shown = String::new();
            push_visible(&mut shown, char);
            let width = shown.chars().map(width).sum();
            Cell { shown, width, marked: span.contains(&at) }
        })
        .collect();
    if !cells.is_empty() && !cells.iter().any(|cell| cell.marked) {
        let at = source.char_indices().take_while(|&(at, _)| at < span.start).count();
        match cells.get_mut(at) {
            Some(cell) => cell.marked = true,
            None => cells.push(Cell { shown: " ".to_owned(), width: 1, marked: true }),
        }
    }
    cells
}

/// The line and its carets, cut around the first marked cell.
fn window(cells: &[Cell]) -> (String, String) {
    let first = cells.iter().position(|cell| cell.marked).unwrap_or(0);
    let mut start = first;
    let mut columns = 0;
    while start > 0 && columns + cells[start - 1].width <= AROUND {
        start -= 1;
        columns += cells[start].width;
    }
    let mut end = first;
    let mut columns = 0;
    while end < cells.len() && (end == first || columns + cells[end].width <= AROUND) {
        columns += cells[end].width;
        end += 1;
    }

    let (mut line, mut carets) = (String::new(), String::new());
    if start > 0 {
        line.push('…');
        carets.push(' ');
    }
    for cell in &cells[start..end] {
        line.push_str(&cell.shown);
        let mark = if cell.marked { '^' } else { ' ' };
        carets.extend(std::iter::repeat_n(mark, cell.width));
    }
    if end < cells.len() {
        line.push('…');
    }
    (line.trim_end().to_owned(), carets.trim_end().to_owned())
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
