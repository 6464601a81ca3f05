//! The user's text as a message shows it: short, on one line, without secrets.

/// The longest text that a message repeats.
const LONGEST: usize = 80;

/// The text in backticks. Control characters are escaped, the middle of a long text is left out, and what stands
/// behind `://` is hidden, because it may hold a password.
pub(super) fn shown(text: &str) -> String {
    let text = hide_secrets(text);
    let mut out = String::with_capacity(text.len() + 2);
    out.push('`');
    let count = text.chars().count();
    for (i, c) in text.chars().enumerate() {
        if count > LONGEST && i == LONGEST - 1 {
            out.push('…');
            break;
        }
        if c.is_control() { out.extend(c.escape_default()) } else { out.push(c) }
    }
    out.push('`');
    out
}

/// Puts a `*` for every character behind a `://` up to the next white space or quote, so that columns stay.
pub(super) fn hide_secrets(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find("://") {
        let (before, after) = rest.split_at(at + 3);
        out.push_str(before);
        let end = after.find(|c: char| c.is_whitespace() || c == '"' || c == '\'').unwrap_or(after.len());
        out.extend(after[..end].chars().map(|_| '*'));
        rest = &after[end..];
    }
    out.push_str(rest);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_hidden_and_columns_stay() {
        let text = "store = \"postgres://ada:secret@db/jobs\" # postgres://x:y@z";
        let hidden = hide_secrets(text);
        assert_eq!(hidden, "store = \"postgres://******************\" # postgres://*****");
        assert_eq!(hidden.len(), text.len());
    }

    #[test]
    fn control_characters_and_length_do_not_spoil_a_message() {
        assert_eq!(shown("a\tb\n\u{1b}[0m"), "`a\\tb\\n\\u{1b}[0m`");
        assert_eq!(shown(&"x".repeat(500)).chars().count(), 80 + 2);
    }
}
