//! TOML: its text becomes keys and values with their lines.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{JobKey, Key, nearest_of};
use super::layer::Layer;
use super::shown::{hide_secrets, shown};
use super::source::{Lines, Source};
use super::value::{Form, Raw};
use crate::error::Problem;

/// Reads a text; every mistake is a problem, in the order of the lines.
pub(super) fn read(text: &str, source: &Source) -> Result<Layer, Vec<Problem>> {
    let (table, errors) = DeTable::parse_recoverable(text);
    if !errors.is_empty() {
        return Err(not_toml(text, source, &errors));
    }
    let mut reader = Reader { lines: Lines::of(text), source, layer: Layer::default(), problems: Vec::new() };
    reader.table(&[], table.get_ref());
    let Reader { layer, mut problems, .. } = reader;
    layer.check(&mut problems);
    if problems.is_empty() {
        return Ok(layer);
    }
    problems.sort_by(|a, b| a.place().cmp(&b.place()));
    Err(problems)
}

struct Reader<'a> {
    lines: Lines,
    source: &'a Source,
    layer: Layer,
    problems: Vec<Problem>,
}

impl Reader<'_> {
    fn table(&mut self, path: &[&str], table: &DeTable<'_>) {
        for (key, value) in table {
            let mut path = path.to_vec();
            path.push(key.get_ref().as_ref());
            self.entry(&path, key, value);
        }
    }

    fn entry(&mut self, path: &[&str], key: &Spanned<DeString<'_>>, value: &Spanned<DeValue<'_>>) {
        let place = self.source.at_line(self.lines.number(key.span().start));
        let problem = match (path, value.get_ref()) {
            (["cron" | "jobs" | "job"], DeValue::Table(table)) => return self.table(path, table),
            // The names of schedules may have dots.
            (["cron", ..], DeValue::Table(table)) if !is_about_a_schedule(table) => {
                return self.table(path, table);
            }
            (["job", name], DeValue::Table(table)) => match Key::check_job(name) {
                Ok(()) => {
                    self.layer.mention(name, &place);
                    return self.table(path, table);
                }
                Err(error) => error.problem(),
            },
            ([section @ ("cron" | "jobs" | "job")], DeValue::Array(_)) => {
                Problem::new(format!("`{section}` is a list here, and must be a table"))
                    .help(format!("write `[{section}]`, with one pair of brackets, and once"))
            }
            ([section], DeValue::Table(table)) => unknown_section(section, table),
            _ => match Key::parse(path) {
                Ok(known) => {
                    let raw = raw(value.get_ref());
                    return self.layer.set(known, &raw, Form::Toml, place, &mut self.problems);
                }
                Err(_) if path.len() == 1 && dotted(path[0]).is_some() => {
                    Problem::new(format!("the dots of {} are inside of quotes", shown(path[0])))
                        .help(format!("write the key without quotes: {}", shown(path[0])))
                }
                Err(error) => error.problem(),
            },
        };
        self.problems.push(problem.at(place));
    }
}

/// Whether a table below `cron` was meant to describe one schedule, which is a text with us.
fn is_about_a_schedule(table: &DeTable<'_>) -> bool {
    table.is_empty()
        || table.iter().any(|(key, _)| {
            matches!(
                key.get_ref().as_ref(),
                "schedule" | "spec" | "cron" | "every" | "tz" | "timezone" | "enabled"
            )
        })
}

/// The key in a name that was quoted as a whole.
fn dotted(name: &str) -> Option<Key> {
    name.contains('.').then(|| Key::parse(&name.split('.').collect::<Vec<_>>()).ok())?
}

fn unknown_section(section: &str, table: &DeTable<'_>) -> Problem {
    let problem = Problem::new(format!("unknown section {}", shown(&format!("[{section}]"))));
    let only_job_keys = !table.is_empty()
        && table.iter().all(|(key, _)| JobKey::ALL.iter().any(|k| k.name() == key.get_ref().as_ref()));
    if only_job_keys {
        return problem.help(format!("what is said about the job of that name stands in `[job.{section}]`"));
    }
    match nearest_of(section, ["cron", "jobs", "job"]) {
        Some(near) => problem.help(format!("did you mean `[{near}]`?")),
        None => problem.help("the sections are `[cron]`, `[jobs]` and `[job.NAME]`"),
    }
}

fn raw(value: &DeValue<'_>) -> Raw {
    match value {
        DeValue::String(text) => Raw::Text(text.to_string()),
        DeValue::Integer(n) => match i64::from_str_radix(n.as_str(), n.radix()) {
            Ok(n) => Raw::Integer(n),
            Err(_) => Raw::HugeInteger(n.to_string()),
        },
        DeValue::Float(x) => Raw::Float(x.as_str().to_owned()),
        DeValue::Boolean(b) => Raw::Boolean(*b),
        DeValue::Datetime(d) => Raw::Datetime(d.to_string()),
        DeValue::Array(items) => Raw::Array(items.iter().map(|item| raw(item.get_ref())).collect()),
        DeValue::Table(_) => Raw::Table,
    }
}

/// A file in another notation has a mistake in every line; these tell enough.
const MOST_SHOWN: usize = 10;

/// The mistakes of the notation itself, the first of every line.
fn not_toml(text: &str, source: &Source, errors: &[toml::de::Error]) -> Vec<Problem> {
    let lines = Lines::of(text);
    let mut problems: Vec<(usize, Problem)> = Vec::new();
    for error in errors {
        if problems.len() == MOST_SHOWN {
            break;
        }
        let at = error.span().map_or(0, |span| span.start).min(text.len());
        let line_start = text[..floor(text, at)].rfind('\n').map_or(0, |n| n + 1);
        if problems.iter().any(|(start, _)| *start == line_start) {
            continue;
        }
        let line = text[line_start..].lines().next().unwrap_or("");
        let mut message = format!("not TOML: {}", error.message());
        if !line.trim().is_empty() {
            let column = text[line_start..floor(text, at)].chars().count();
            let width = error.span().map_or(1, |s| {
                let end = floor(text, s.end.min(line_start + line.len()));
                text.get(floor(text, at)..end).map_or(1, |marked| marked.chars().count()).max(1)
            });
            let shown = hide_secrets(&line.replace(|c: char| c.is_control(), " "));
            message.push_str(&format!("\n  {shown}\n  {}{}", " ".repeat(column), "^".repeat(width)));
        }
        let mut problem = Problem::new(message).at(source.at_line(lines.number(at)));
        let help = match error.message().contains("duplicate key") {
            true => Some(first_of_two(text, line_start, line)),
            false => hint(line, error.message()),
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
    let (key, value) = trimmed.split_once(['=', ':'])?;
    let (key, value) = (key.trim(), value.trim());
    let bare_key = !key.is_empty() && key.chars().all(|c| c.is_ascii_alphanumeric() || "_-.".contains(c));
    if message.contains("expected `\"`") {
        return Some("close the text with `\"`".to_owned());
    }
    if !bare_key || value.is_empty() || value.contains(['"', '\'', '\\', '#']) || value.contains("://") {
        return None;
    }
    let value = match value {
        "yes" | "on" | "True" | "TRUE" => "true".to_owned(),
        "no" | "off" | "False" | "FALSE" => "false".to_owned(),
        number if number.parse::<i64>().is_ok() => number.to_owned(),
        "true" | "false" => value.to_owned(),
        text => format!("\"{text}\""),
    };
    Some(format!("write `{key} = {value}`"))
}

/// The nearest character boundary at or before a byte.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}
