//! Environment variables `JOBS__A__B`.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;

use super::keys::{Key, Spelling};
use super::layer::Layer;
use super::settings::{ambiguous, folded};
use super::shown::shown;
use super::value::{Form, Raw};
use crate::error::{Place, Problem};

/// What begins the name of every variable that is ours. Two underscores: orchestrators inject `JOBS_PORT` and
/// the like for a service called `jobs`.
const PREFIX: &str = "JOBS__";

/// Where variables come from.
#[derive(Clone, Default)]
pub(super) enum Environment {
    /// That of the process, read at start.
    #[default]
    Process,
    /// One that the program made up.
    Given(Vec<(String, String)>),
}

/// The variables at one moment; a value that is not UTF-8 is an `Err`.
pub(super) struct Variables(BTreeMap<String, Result<String, ()>>);

impl Environment {
    pub(super) fn read(&self) -> Variables {
        match self {
            Self::Process => Variables::from_os(std::env::vars_os()),
            Self::Given(pairs) => Variables(pairs.iter().map(|(k, v)| (k.clone(), Ok(v.clone()))).collect()),
        }
    }
}

/// The names only: values may be secrets.
impl fmt::Debug for Environment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Process => f.write_str("Process"),
            Self::Given(pairs) => f.debug_list().entries(pairs.iter().map(|(name, _)| name)).finish(),
        }
    }
}

impl Variables {
    fn from_os(variables: impl Iterator<Item = (OsString, OsString)>) -> Self {
        Self(
            variables
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.into_string().map_err(drop)))
                .collect(),
        )
    }

    pub(super) fn get(&self, name: &str) -> Option<Result<&str, ()>> {
        self.0.get(name).map(|value| value.as_deref().or(Err(())))
    }

    /// What the variables say. `spellings` are the sources that may know how a name is really spelled.
    pub(super) fn settle(&self, spellings: [&Layer; 2], problems: &mut Vec<Problem>) -> Layer {
        let mut layer = Layer::default();
        let mut seen: BTreeMap<Key, &str> = BTreeMap::new();
        for (variable, value) in &self.0 {
            let Some(rest) = rest(variable) else { continue };
            let place = Place::Env(variable.clone());
            let key = match parse(variable, rest).and_then(|key| spelled(key, spellings)) {
                Ok(key) => key,
                Err(problem) => {
                    problems.push(problem.at(place));
                    continue;
                }
            };
            if let Some(first) = seen.insert(key.clone(), variable) {
                problems.push(
                    Problem::new(format!("`{key}` is set by two variables, {first} and {variable}"))
                        .at(place)
                        .help("unset one of them"),
                );
                continue;
            }
            match value {
                Ok(text) if text.trim().is_empty() => problems.push(
                    Problem::new(format!("`{key}` is set to an empty text"))
                        .at(place)
                        .help("unset the variable, or give it a value"),
                ),
                Ok(text) => layer.set(key, &Raw::Text(text.trim().to_owned()), Form::Env, place, problems),
                Err(()) => problems.push(
                    Problem::new(format!("the value of `{key}` is not UTF-8"))
                        .at(place)
                        .help("give the variable a text in UTF-8"),
                ),
            }
        }
        layer.check(problems);
        layer
    }
}

/// The name behind the prefix, if the variable is ours.
fn rest(variable: &str) -> Option<&str> {
    let (prefix, rest) = variable.split_at_checked(PREFIX.len())?;
    prefix.eq_ignore_ascii_case(PREFIX).then_some(rest)
}

fn parse(variable: &str, rest: &str) -> Result<Key, Problem> {
    let rest = folded(rest);
    let parts: Vec<&str> = rest.split("__").collect();
    if parts.iter().any(|part| part.is_empty()) {
        return Err(Problem::new(format!("{} is not the name of a key", shown(variable)))
            .help("two underscores part section, name and key: `JOBS__JOB__NAME__ENABLED`"));
    }
    // The name of a job or a queue may have two underscores of its own, a section or a key has not.
    let joined;
    let parts = match parts.as_slice() {
        ["job", name @ .., key] if name.len() > 1 => {
            joined = name.join("__");
            vec!["job", &joined, key]
        }
        ["queues", name @ ..] | ["jobs", "queues", name @ ..] if !name.is_empty() => {
            joined = name.join("__");
            vec!["jobs", "queues", &joined]
        }
        ["cron" | "job" | "jobs", ..] => parts,
        _ => std::iter::once("jobs").chain(parts).collect(),
    };
    Key::parse_spelled(&parts, variable, Spelling::Env).map_err(|error| error.problem())
}

/// Gives a name the spelling that the file or the code has for it.
fn spelled(key: Key, spellings: [&Layer; 2]) -> Result<Key, Problem> {
    fn find<'a>(name: &str, known: impl Iterator<Item = &'a String>, what: &str) -> Result<String, Problem> {
        let mut same: Vec<&String> = known.filter(|known| folded(known) == folded(name)).collect();
        same.sort_unstable();
        same.dedup();
        match same.as_slice() {
            [] => Ok(name.to_owned()),
            [one] => Ok((*one).clone()),
            [one, two, ..] => Err(ambiguous(what, one, two)),
        }
    }
    Ok(match key {
        Key::Named(name) => {
            Key::Named(find(&name, spellings.iter().flat_map(|layer| layer.named.keys()), "schedule")?)
        }
        Key::Job(name, key) => {
            Key::Job(find(&name, spellings.iter().flat_map(|layer| layer.jobs.keys()), "job")?, key)
        }
        Key::Queue(name) => {
            Key::Queue(find(&name, spellings.iter().flat_map(|layer| layer.queues.keys()), "queue")?)
        }
        key @ Key::Setting(_) => key,
    })
}

#[cfg(all(test, unix))]
mod tests {
    use std::os::unix::ffi::OsStringExt;

    use super::*;

    #[test]
    fn a_value_that_is_not_utf8_is_a_problem_of_its_variable() {
        let latin = OsString::from_vec(vec![b'1', 0xE9]);
        let variables =
            Variables::from_os([("JOBS__POOL".into(), latin.clone()), ("OTHER".into(), latin)].into_iter());
        let mut problems = Vec::new();
        let none = Layer::default();
        variables.settle([&none, &none], &mut problems);
        let shown: Vec<_> = problems.iter().map(ToString::to_string).collect();
        assert_eq!(
            shown,
            ["the value of `jobs.pool` is not UTF-8\n  --> environment variable JOBS__POOL\n  \
              help: give the variable a text in UTF-8"]
        );
    }
}
