//! Revel's `app.conf`: its lines, its sections, and what a run mode makes of them.
//!
//! The dialect is that of `github.com/revel/config`:
//!
//! - `[name]` at the left edge begins a section; what stands above the first one, or in `[DEFAULT]`, holds for all.
//! - `key = value` and `key: value` at the left edge; the first of the two characters parts them.
//! - A comment begins with `#` or `;` at the left edge, or behind a space or tab anywhere.
//! - Inside a section an indented line continues the value above it.
//! - `%(key)s` stands for the value of another key, `${NAME}` for an environment variable, both replaced when a
//!   value is read, at most 200 times.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use super::conf_variables::{has_variable, replace};
use super::environment::Variables;
use super::keys::{Key, KeyError};
use super::layer::Layer;
use super::meant::nearest_of;
use super::shown::shown;
use super::source::Source;
use super::value::{Form, Raw, unquoted};
use crate::error::{Place, Problem};

/// The section of lines above the first header.
const DEFAULT: &str = "DEFAULT";
/// The mode in which Revel runs where none is given.
const DEFAULT_MODE: &str = "dev";
/// A file whose values wait for the run mode and the environment.
#[derive(Clone)]
pub(super) struct ConfFile {
    source: Source,
    /// The headers, by name, with the line of the first.
    sections: BTreeMap<String, usize>,
    options: Vec<Entry>,
}

#[derive(Clone)]
struct Entry {
    section: String,
    name: String,
    value: String,
    line: usize,
    ours: Option<Ours>,
}

/// What a key is to us.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Ours {
    Key(Key),
    /// `module.jobs`, which switches the original on.
    Module,
}

impl ConfFile {
    /// Reads a text, and checks of every section what does not depend on the run mode or the environment.
    pub(super) fn read(text: &str, source: &Source) -> Result<Self, Vec<Problem>> {
        let mut file = Self { source: source.clone(), sections: BTreeMap::new(), options: Vec::new() };
        let mut problems = Vec::new();
        file.read_lines(text, &mut problems);
        file.check_sections(&mut problems);
        file.check_doubles(&mut problems);
        file.check_values(&mut problems);
        if problems.is_empty() {
            return Ok(file);
        }
        problems.sort_by(|a, b| a.place().cmp(&b.place()));
        Err(problems)
    }

    fn read_lines(&mut self, text: &str, problems: &mut Vec<Problem>) {
        let mut section: Option<&str> = None;
        let mut continued = false;
        for (i, line) in text.lines().enumerate() {
            let number = i + 1;
            let content = without_comment(line).trim_end();
            let indented = content.starts_with([' ', '\t']);
            if content.is_empty() || content.starts_with(['#', ';']) {
                continue;
            }
            if let Some(name) = content.strip_prefix('[').and_then(|c| c.strip_suffix(']')) {
                let name = name.trim();
                section = Some(name);
                continued = false;
                self.sections.entry(name.to_owned()).or_insert(number);
            } else if indented && section.is_some() && continued {
                self.continue_value(content.trim(), number, problems);
            } else if let Some(at) = content.find(['=', ':']).filter(|at| *at > 0 && !indented) {
                continued = true;
                let name = content[..at].trim();
                let ours = self.classify(name, content[at + 1..].trim(), number, problems);
                self.options.push(Entry {
                    section: section.filter(|s| !s.is_empty()).unwrap_or(DEFAULT).to_owned(),
                    name: name.to_owned(),
                    value: content[at + 1..].trim().to_owned(),
                    line: number,
                    ours,
                });
            } else {
                problems.push(self.not_a_line(content, indented, section).at(self.source.at_line(number)));
            }
        }
    }

    fn continue_value(&mut self, line: &str, number: usize, problems: &mut Vec<Problem>) {
        let Some(option) = self.options.last_mut() else { return };
        let name = line.split(['=', ':']).next().map_or("", str::trim);
        if name.len() < line.len() && is_ours(name) {
            problems.push(
                Problem::new(format!(
                    "the line of {} is indented, and so continues {}",
                    shown(name),
                    shown(&option.name)
                ))
                .at(self.source.at_line(number))
                .help("begin it at the left edge"),
            );
            return;
        }
        option.value.push('\n');
        option.value.push_str(line);
    }

    fn classify(&self, name: &str, value: &str, number: usize, problems: &mut Vec<Problem>) -> Option<Ours> {
        if !is_ours(name) {
            problems.extend(misspelt(name, value).map(|problem| problem.at(self.source.at_line(number))));
            return None;
        }
        if name.eq_ignore_ascii_case("module.jobs") {
            if name != "module.jobs" {
                problems.push(
                    Problem::new(format!("unknown key {}", shown(name)))
                        .at(self.source.at_line(number))
                        .help("did you mean `module.jobs`?"),
                );
            }
            return Some(Ours::Module);
        }
        match Key::parse(&name.split('.').collect::<Vec<_>>()) {
            Ok(key) => Some(Ours::Key(key)),
            Err(error) => {
                problems.push(error.problem().at(self.source.at_line(number)));
                None
            }
        }
    }

    fn not_a_line(&self, content: &str, indented: bool, section: Option<&str>) -> Problem {
        if indented {
            let problem =
                Problem::new(format!("an indented line has no value to continue: {}", shown(content.trim())));
            return problem.help(match section {
                None => "values go on over lines inside a section only; begin the line at the left edge",
                Some(_) => "begin the line at the left edge",
            });
        }
        let problem = Problem::new(format!("neither `key = value` nor a section: {}", shown(content)));
        match content.strip_prefix('[') {
            Some(name) if !name.contains(']') => {
                problem.help(format!("close the section: `[{}]`", name.trim()))
            }
            Some(_) => problem.help("a section stands alone on its line"),
            None => match content.split_once(char::is_whitespace) {
                Some((name, value)) if is_ours(name) => {
                    problem.help(format!("write {}", shown(&format!("{name} = {}", value.trim()))))
                }
                _ => problem.help("comments begin with `#` or `;`"),
            },
        }
    }

    /// A section as TOML has it is here a run mode that nobody chooses, and its lines would do nothing.
    fn check_sections(&self, problems: &mut Vec<Problem>) {
        for (section, line) in self.sections.iter().filter(|(section, _)| is_section_of_toml(section)) {
            let bare = self.options.iter().filter(|o| o.section == *section && !o.name.contains('.'));
            let bare = bare.map(|option| {
                let whole = format!("{}.{}", section.to_lowercase(), option.name);
                let parsed = Key::parse(&whole.split('.').collect::<Vec<_>>());
                (option, whole, parsed)
            });
            let bare: Vec<_> = bare.collect();
            if bare.is_empty() {
                continue;
            }
            let known = bare.iter().find(|(_, _, parsed)| parsed.is_ok()).map(|(_, whole, _)| whole.as_str());
            let help = match (known, &bare[0]) {
                (Some(whole), _) => format!("write the whole key: {}", shown(&format!("{whole} = …"))),
                (None, (_, whole, Err(KeyError { help: Some(help), .. }))) => {
                    format!("write whole keys; {} is none: {help}", shown(whole))
                }
                _ => "write whole keys, such as `jobs.pool = 10`".to_owned(),
            };
            problems.push(
                Problem::new(format!(
                    "the sections of an app.conf are run modes, and {} is none",
                    shown(&format!("[{section}]"))
                ))
                .at(self.source.at_line(*line))
                .help(format!("leave the section out, and {help}")),
            );
            // Where none is known, the help has told of the first, which is what makes it one mistake.
            let told = usize::from(known.is_none());
            for (option, _, parsed) in bare.into_iter().skip(told) {
                if let Err(error) = parsed {
                    problems.push(error.problem().at(self.source.at_line(option.line)));
                }
            }
        }
    }

    /// The original takes the last of two equal keys; which of the two was meant, nobody can know.
    fn check_doubles(&self, problems: &mut Vec<Problem>) {
        let mut seen: BTreeMap<(&str, &Ours), usize> = BTreeMap::new();
        for option in &self.options {
            let Some(ours) = &option.ours else { continue };
            match seen.get(&(option.section.as_str(), ours)) {
                None => {
                    seen.insert((&option.section, ours), option.line);
                }
                Some(first) => problems.push(
                    Problem::new(format!(
                        "`{}` is set twice in {}",
                        option.name,
                        section_name(&option.section)
                    ))
                    .at(self.source.at_line(option.line))
                    .help(format!("line {first} sets it already; keep one of the two")),
                ),
            }
        }
    }

    /// Checks the values of every mode, so that a mistake in `[prod]` is found in development.
    fn check_values(&self, problems: &mut Vec<Problem>) {
        let mut sections: BTreeMap<&str, Layer> = BTreeMap::new();
        for option in &self.options {
            let Some(Ours::Key(key)) = &option.ours else { continue };
            if has_variable(&option.value) {
                continue;
            }
            let layer = sections.entry(&option.section).or_default();
            let place = self.source.at_line(option.line);
            layer.set(key.clone(), &raw(key, &option.value), Form::Conf, place, problems);
        }
        for layer in sections.values() {
            layer.check(problems);
        }
    }

    /// What the file says in a run mode. `mode` is what the program chose.
    pub(super) fn settle(
        &self,
        mode: Option<(&str, &Place)>,
        variables: &Variables,
        problems: &mut Vec<Problem>,
    ) -> Layer {
        self.check_mode(mode, problems);
        let mode = mode.map_or(DEFAULT_MODE, |(mode, _)| mode);
        let overridden: BTreeSet<&str> =
            self.options.iter().filter(|o| o.section == mode).map(|o| o.name.as_str()).collect();
        // First the lines of all modes, then those of this one over them.
        let mut layers = [Layer::default(), Layer::default()];
        for option in &self.options {
            let layer = match option.section.as_str() {
                section if section == mode => &mut layers[1],
                DEFAULT if !overridden.contains(option.name.as_str()) => &mut layers[0],
                _ => continue,
            };
            let place = self.source.at_line(option.line);
            match &option.ours {
                None => {}
                Some(Ours::Module) if unquoted(&option.value).is_empty() => problems.push(
                    Problem::new("`module.jobs` is empty, which would switch the module off in Revel")
                        .at(place)
                        .help("here `jobs::start` switches it on: leave the line out, or do not call it"),
                ),
                Some(Ours::Module) => {}
                Some(Ours::Key(key)) => match self.expand(&option.value, mode, variables) {
                    Ok(value) => layer.set(key.clone(), &raw(key, &value), Form::Conf, place, problems),
                    Err((message, help)) => problems
                        .push(Problem::new(format!("`{}` {message}", option.name)).at(place).help(help)),
                },
            }
        }
        let [mut layer, upper] = layers;
        layer.overlay(upper);
        layer
    }

    /// The place of what holds for the file as such.
    pub(super) fn place(&self) -> Place {
        self.source.whole()
    }

    fn check_mode(&self, mode: Option<(&str, &Place)>, problems: &mut Vec<Problem>) {
        match mode {
            Some((mode, place)) if !self.sections.contains_key(mode) => {
                let path = self.place();
                let problem = Problem::new(format!(
                    "there is no run mode {}: {path} has no section of that name",
                    shown(mode)
                ))
                .at(place.clone());
                let near = nearest_of(mode, self.sections.keys().map(String::as_str));
                problems.push(match near {
                    Some(near) => problem.help(format!("did you mean `{near}`?")),
                    None => problem.help(format!("the file has {}", self.section_list())),
                });
            }
            None if !self.sections.contains_key(DEFAULT_MODE)
                && self.options.iter().any(|o| o.ours.is_some() && o.section != DEFAULT) =>
            {
                problems.push(
                    Problem::new(format!(
                        "there is no section `[{DEFAULT_MODE}]`, which is the run mode where none is chosen"
                    ))
                    .at(self.place())
                    .help(format!("choose one by `Config::mode`; the file has {}", self.section_list())),
                );
            }
            _ => {}
        }
    }

    fn section_list(&self) -> String {
        let names: Vec<String> = self.sections.keys().map(|name| format!("`[{name}]`")).collect();
        if names.is_empty() { "no sections".to_owned() } else { names.join(", ") }
    }

    /// Replaces `%(key)s`, then `${NAME}`.
    fn expand(&self, value: &str, mode: &str, variables: &Variables) -> Result<String, (String, String)> {
        let value = replace(value, '%', |name| match self.lookup(name, mode) {
            Some("") => Err((
                format!("uses `%({name})s`, and {} is empty", shown(name)),
                "give that key a value, or write it out here".to_owned(),
            )),
            Some(value) => Ok(value.to_owned()),
            None => {
                let near = nearest_of(name, self.options.iter().map(|o| o.name.as_str()));
                Err((
                    format!("uses `%({name})s`, and there is no key {}", shown(name)),
                    match near {
                        Some(near) => format!("did you mean `%({near})s`?"),
                        None => format!("add the key to {} or above the sections", section_name(mode)),
                    },
                ))
            }
        })?;
        replace(&value, '$', |name| match variables.get(name) {
            Some(Ok(value)) if !value.is_empty() => Ok(value.to_owned()),
            Some(Ok(_)) => Err((
                format!("uses `${{{name}}}`, and that variable is empty"),
                format!("give the environment variable {name} a value"),
            )),
            Some(Err(())) => Err((
                format!("uses `${{{name}}}`, and that variable is not UTF-8"),
                format!("give the environment variable {name} a text in UTF-8"),
            )),
            None => Err((
                format!("uses `${{{name}}}`, and there is no such variable"),
                format!("set the environment variable {name}"),
            )),
        })
    }

    /// The raw value of a key in a mode; the last of equal keys, as in the original.
    fn lookup(&self, name: &str, mode: &str) -> Option<&str> {
        let in_section = |section: &str| {
            self.options
                .iter()
                .rev()
                .find(|o| o.section == section && o.name == name)
                .map(|o| o.value.as_str())
        };
        in_section(mode).or_else(|| in_section(DEFAULT))
    }
}

/// No values: there are secrets among the keys of the program.
impl fmt::Debug for ConfFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ConfFile")
            .field("place", &self.place().to_string())
            .field("sections", &self.sections.keys())
            .finish_non_exhaustive()
    }
}

/// A key that is ours, or would be in lower case.
fn is_ours(name: &str) -> bool {
    let lower = name.to_lowercase();
    lower == "module.jobs" || ["cron.", "jobs.", "job."].iter().any(|prefix| lower.starts_with(prefix))
}

/// A key of somebody else's by its name alone, which cannot be meant as one: `jbos.pool`, and `corn.nightly` with a
/// schedule as its value.
fn misspelt(name: &str, value: &str) -> Option<Problem> {
    let meant = if nearest_of(name, ["module.jobs"]).is_some() {
        "module.jobs".to_owned()
    } else {
        let (section, rest) = name.split_once('.')?;
        let near = nearest_of(section, ["cron", "jobs", "job"])?;
        let meant = format!("{near}.{rest}");
        match Key::parse(&meant.split('.').collect::<Vec<_>>()).ok()? {
            Key::Named(_) if jobs_syntax::Spec::parse(unquoted(value)).is_err() => return None,
            _ => meant,
        }
    };
    Some(
        Problem::new(format!("unknown key {}", shown(name))).help(format!("did you mean {}?", shown(&meant))),
    )
}

/// A section that TOML has and no run mode is called by: `[jobs]`, `[cron]`, `[job.sweep]`.
fn is_section_of_toml(section: &str) -> bool {
    let lower = section.to_lowercase();
    ["cron", "jobs", "job"].contains(&lower.as_str()) || is_ours(&lower)
}

/// The original takes a pair of quotes off texts, and not off numbers and booleans.
fn raw(key: &Key, value: &str) -> Raw {
    Raw::Text(if key.is_text() { unquoted(value) } else { value.trim() }.to_owned())
}

fn section_name(section: &str) -> String {
    match section {
        DEFAULT => "the default section".to_owned(),
        section => format!("section `[{section}]`"),
    }
}

fn without_comment(line: &str) -> &str {
    let end = [" ;", "\t;", " #", "\t#"].iter().filter_map(|mark| line.find(mark)).min();
    &line[..end.unwrap_or(line.len())]
}
