//! TOML: its text becomes keys and values with their lines.

use toml::Spanned;
use toml::de::{DeString, DeTable, DeValue};

use super::keys::{JobKey, Key};
use super::layer::Layer;
use super::meant::nearest_of;
use super::shown::shown;
use super::source::{Lines, Source};
use super::toml_notation::not_toml;
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
            (["jobs", "auth" | "queues"], DeValue::Table(table)) => return self.table(path, table),
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
            (["jobs", section], DeValue::Table(_)) if nearest_of(section, ["queues", "auth"]).is_some() => {
                let near = nearest_of(section, ["queues", "auth"]).unwrap_or_default();
                Problem::new(format!("unknown section {}", shown(&format!("[jobs.{section}]"))))
                    .help(format!("did you mean `[jobs.{near}]`?"))
            }
            (["jobs", name], DeValue::Table(table)) if has_only_job_keys(table) => {
                Problem::new(format!("unknown section {}", shown(&format!("[jobs.{name}]"))))
                    .help(format!("what is said about the job of that name stands in `[job.{name}]`"))
            }
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

fn has_only_job_keys(table: &DeTable<'_>) -> bool {
    let is_job_key = |key: &str| JobKey::ALL.iter().any(|known| known.name() == key);
    !table.is_empty() && table.iter().all(|(key, _)| is_job_key(key.get_ref().as_ref()))
}

fn unknown_section(section: &str, table: &DeTable<'_>) -> Problem {
    let problem = Problem::new(format!("unknown section {}", shown(&format!("[{section}]"))));
    if has_only_job_keys(table) {
        return problem.help(format!("what is said about the job of that name stands in `[job.{section}]`"));
    }
    if nearest_of(section, ["queues"]).is_some() {
        return problem.help("the sizes of queues stand in `[jobs.queues]`");
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
