//! Text that is not TOML at all: where it goes wrong, and what was probably meant.

use super::shown::hide_secrets;
use super::source::{Lines, Source};
use crate::error::Problem;

/// A file in another notation has a mistake in every line; these tell enough.
const MOST_SHOWN: usize = 10;

/// The mistakes of the notation itself, the first of every line.
pub(super) fn not_toml(text: &str, source: &Source, errors: &[toml::de::Error]) -> Vec<Problem> {
    let lines = Lines::of(text);
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for error in errors {
        if problems.len() == MOST_SHOWN {
            break;
        }
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line_start = text[..text.floor_char_boundary(at)].rfind('\n').map_or(0, |n| n + 1);
        if problems.iter().any(|(start, _)| *start == line_start) {
            continue;
        }
        let line = text[line_start..].lines().next().unwrap_or("");
        let mut message = format!("not TOML: {}", error.message());
        if !line.trim().is_empty() {
            let column = text[line_start..text.floor_char_boundary(at)].chars().count();
            let width = error.span().map_or(1, |s| {
                let end = text.floor_char_boundary(s.end.min(line_start + line.len()));
                text.get(text.floor_char_boundary(at)..end).map_or(1, |marked| marked.chars().count()).max(1)
            });
            let shown = hide_secrets(&line.replace(|c: char| c.is_control(), " "));
            message.push_str(&format!("\n  {shown}\n  {}{}", " ".repeat(column), "^".repeat(width)));
        }
        let mut problem = Problem::new(message).at(source.at_line(lines.number(at)));
        let help = if error.message().contains("duplicate key") {
            Some(first_of_two(text, line_start, line))
        } else {
            hint(line, error.message())
        };
        if let Some(help) = help {
            problem = problem.help(help);
        }
        problems.push((line_start, problem));
    }
    problems.into_iter().map(|(_, problem)| problem).collect()
}

/// Where the key or section of a line stands first.
fn first_of_two(text: &str, line_start: usize, line: &str) -> String {
    let name = |line: &str| line.split(['=', '#']).next().unwrap_or("").trim().to_owned();
    let is_section = line.trim().starts_with('[');
    let before: Vec<&str> = text[..line_start].lines().collect();
    for (i, earlier) in before.iter().enumerate().rev() {
        if name(earlier) == name(line) {
            return format!("line {} has it already; keep one of the two", i + 1);
        }
        if !is_section && earlier.trim_start().starts_with('[') {
            break;
        }
    }
    "it is there already; keep one of the two".to_owned()
}

/// What is probably meant by a line that is not TOML.
fn hint(line: &str, message: &str) -> Option<String> {
    let trimmed = line.trim();
    if let Some(comment) = trimmed.strip_prefix(';') {
        return Some(format!("comments begin with `#`: `#{comment}`"));
    }
    if trimmed.starts_with('{') {
        return Some(
            "this looks like JSON; TOML has sections such as `[jobs]` and lines such as `pool = 5`".into(),
        );
    }
    if let Some(name) = trimmed.strip_prefix('[').filter(|name| !name.contains(']')) {
        return Some(format!("close the section: `[{}]`", name.trim()));
    }
    if message.contains("escaped value") {
        return Some("write `\\\\` for `\\`, or put the text in single quotes".to_owned());
    }
    if let Some(quote) = ['"', '\''].into_iter().find(|q| message.contains(&format!("expected `{q}`"))) {
        return Some(format!("close the text with `{quote}`"));
    }
    if message.contains("expected newline") {
        return Some("begin a new line for every key".to_owned());
    }
    let Some(at) = trimmed.find(['=', ':']) else {
        let (key, value) = trimmed.split_once(char::is_whitespace)?;
        let is_key = key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
        return is_key.then(|| Some(format!("write `{key} = {}`", quoted(key, value.trim())?)))?;
    };
    let (key, value) = (trimmed[..at].trim(), trimmed[at + 1..].split(" #").next().unwrap_or("").trim());
    let is_bare = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if !is_bare {
        let parted = key.split_whitespace().count() > 1 && !key.contains(['"', '\'']);
        return parted.then(|| "the name of a key has no white space".to_owned());
    }
    let is_assigned = trimmed[at..].starts_with('=');
    match value {
        "" if is_assigned => Some("write a value behind the `=`".to_owned()),
        "" => Some(format!("a section is written `[{key}]`")),
        _ if value.contains("://") => Some("texts stand in quotes, behind a `=`".to_owned()),
        _ => Some(format!("write `{key} = {}`", quoted(key, value)?)),
    }
}

/// The value as TOML has it.
fn quoted(key: &str, value: &str) -> Option<String> {
    let is_switch = ["selfconcurrent", "acceptproxyaddress", "enabled"].iter().any(|k| key.ends_with(k));
    let text = value.trim_matches(['"', '\'']);
    if text.contains(['"', '\'', '\\', '#', '{', '}']) {
        return None;
    }
    Some(match text.to_ascii_lowercase().as_str() {
        "yes" | "on" | "true" if is_switch => "true".to_owned(),
        "no" | "off" | "false" if is_switch => "false".to_owned(),
        _ if text.parse::<i64>().is_ok() => text.to_owned(),
        _ => match text.strip_prefix('[').map(|list| list.strip_suffix(']')) {
            Some(Some(list)) => {
                let items: Vec<String> = list.split(',').map(|item| format!("\"{}\"", item.trim())).collect();
                format!("[{}]", items.join(", "))
            }
            Some(None) => return None,
            None => format!("\"{text}\""),
        },
    })
}
