//! The schedules of linked jobs, brought together with the names and the zones of the config.

use std::collections::BTreeSet;
use std::time::Duration;

use jobs_syntax::ScheduleText;

use super::{Identity, Resolved, Timing, overrides, place_of};
use crate::config::{JobOverrides, NamedSchedule, Settings, Sourced};
use crate::error::{Place, Problem};
use crate::job::body::Template;
use crate::job::descriptor::{Descriptor, ScheduleDecl, WhenDecl};
use crate::job::options::SlotOptions;
use crate::schedule::{Schedule, ScheduleError};
use crate::telemetry;

/// Mistakes of schedules.
#[derive(Default)]
pub(super) struct Found {
    pub(super) problems: Vec<Problem>,
    /// Names that the config does not have.
    pub(super) missing_names: Vec<Problem>,
}

/// The schedules of a job: those of its attribute, or those that the config gives it instead.
pub(super) fn schedules_of(
    descriptor: &'static Descriptor,
    overrides: Option<&JobOverrides>,
    settings: &Settings,
    found: &mut Found,
) -> Vec<Resolved> {
    let tz = overrides.and_then(|overrides| overrides.tz.as_ref()).map(|tz| tz.value.as_str());
    if let Some(overrides) = overrides
        && overrides.when().is_some()
    {
        return overridden(descriptor, overrides, tz, settings, found);
    }
    let resolve = |decl: &'static ScheduleDecl| {
        let place = Place::Code { file: descriptor.file, line: decl.line };
        let zone = tz.or(decl.tz);
        let (timing, name) = match decl.when {
            WhenDecl::Spec(text) => (in_zone(Schedule::parse(text), zone, settings).map(Timing::At), None),
            WhenDecl::Every(text) => (Schedule::parse(&format!("@every {text}")).map(Timing::At), None),
            WhenDecl::FixedDelay(text) => (fixed_delay(text).map(Timing::Delay), None),
            WhenDecl::Named(name) => {
                let Some(timing) = named(name, &place, zone, settings, found) else {
                    // The zone is looked up all the same: one start tells both mistakes.
                    let own = decl.tz.filter(|_| tz.is_none());
                    let daily = |zone| in_zone(Schedule::parse("@daily"), Some(zone), settings);
                    let unknown = own.and_then(|zone| daily(zone).err());
                    found.problems.extend(unknown.map(|error| about(descriptor, &error).at(place)));
                    return None;
                };
                (timing, Some(Box::from(name)))
            }
        };
        let timing = timing.map_err(|error| found.problems.push(about(descriptor, &error).at(place))).ok()?;
        let identity =
            Identity { name, key: decl.key.map(Box::from), args: decl.args, repeat: 1, declared: true };
        let declared = SlotOptions { jitter: decl.jitter, missed: decl.missed };
        let options = overrides.map_or(declared, |overrides| overrides::slots(declared, overrides));
        Some(Resolved { timing, template: Template::Make(decl.job), identity, options })
    };
    descriptor.schedules.iter().filter_map(resolve).collect()
}

fn fixed_delay(text: &str) -> Result<Duration, ScheduleError> {
    jobs_syntax::parse_interval(text).map_err(|error| ScheduleError::syntax(error, text))
}

/// The schedules that a deployment gives a job instead of its own.
fn overridden(
    descriptor: &'static Descriptor,
    overrides: &JobOverrides,
    tz: Option<&str>,
    settings: &Settings,
    found: &mut Found,
) -> Vec<Resolved> {
    let first = descriptor.schedules.first();
    let place = overrides.when().map_or(&overrides.place, |(_, place)| place);
    let Some(make) = first.map(|decl| decl.job).or(descriptor.default) else {
        found.problems.push(
            Problem::new(format!(
                "the job `{}` cannot be scheduled here: it has arguments without a value",
                descriptor.name
            ))
            .at(place.clone())
            .help(format!("give its parameters `#[default = …]` at {}", place_of(descriptor))),
        );
        return Vec::new();
    };
    // With one zone for all schedules of the source, the deployment's keep it.
    let zones: BTreeSet<_> = descriptor.schedules.iter().filter_map(|decl| decl.tz).collect();
    let zone = tz.or(if zones.len() == 1 { zones.first().copied() } else { None });
    let args = first.map_or("", |decl| decl.args);
    let options = overrides::slots(overrides::shared_slots(descriptor), overrides);
    let mut resolved = Vec::new();
    let mut add = |timing, name| {
        let identity = Identity { name, key: None, args, repeat: 1, declared: true };
        resolved.push(Resolved { timing, template: Template::Make(make), identity, options });
    };
    if let Some(every) = &overrides.every {
        match Schedule::every(every.value) {
            Ok(schedule) => add(Timing::At(schedule), None),
            Err(error) => found.problems.push(about(descriptor, &error).at(every.place.clone())),
        }
    }
    if let Some(delay) = &overrides.fixed_delay {
        add(Timing::Delay(delay.value), None);
    }
    let Some(texts) = &overrides.schedule else { return resolved };
    for text in &texts.value {
        let name = match ScheduleText::parse(text) {
            Ok(ScheduleText::Named(name)) => Some(name),
            _ => None,
        };
        let timing = match &name {
            Some(name) => named(name, &texts.place, zone, settings, found),
            None => Some(in_zone(Schedule::parse(text), zone, settings).map(Timing::At)),
        };
        match timing {
            Some(Ok(timing)) => add(timing, name),
            Some(Err(error)) => found.problems.push(about(descriptor, &error).at(texts.place.clone())),
            None => {}
        }
    }
    resolved
}

/// The schedule under a name of the config; none when it is missing, which is a problem.
fn named(
    name: &str,
    place: &Place,
    zone: Option<&str>,
    settings: &Settings,
    found: &mut Found,
) -> Option<Result<Timing, ScheduleError>> {
    match settings.named.get(name) {
        Some(named) => Some(timing(named, zone, settings)),
        None => {
            found.missing_names.push(no_such_name(name, settings).at(place.clone()));
            None
        }
    }
}

/// A schedule name that the config does not have.
pub(crate) fn no_such_name(name: &str, settings: &Settings) -> Problem {
    let near = jobs_syntax::nearest(name, settings.named.keys().map(String::as_str));
    let short = name.strip_prefix("cron.").unwrap_or(name);
    let help = match near.and_then(|near| settings.named.get_key_value(near)) {
        Some((near, named)) => format!("did you mean `{near}` ({})?", named.place),
        None => format!("define it in the config, in `[cron]`: `{short} = \"0 0 3 * * *\"`"),
    };
    Problem::new(format!("no schedule is named `{name}`")).help(help)
}

/// When a named schedule fires.
pub(crate) fn timing(
    named: &Sourced<NamedSchedule>,
    zone: Option<&str>,
    settings: &Settings,
) -> Result<Timing, ScheduleError> {
    match &named.value {
        NamedSchedule::Spec(text) => in_zone(Schedule::parse(text), zone, settings).map(Timing::At),
        NamedSchedule::Off => Ok(Timing::off(&named.place)),
    }
}

/// Puts a schedule that names no zone itself on the wall clock of the attribute or of the config.
pub(crate) fn in_zone(
    schedule: Result<Schedule, ScheduleError>,
    zone: Option<&str>,
    settings: &Settings,
) -> Result<Schedule, ScheduleError> {
    schedule?.with_default_zone(zone.unwrap_or(&settings.timezone.value))
}

fn about(descriptor: &Descriptor, error: &ScheduleError) -> Problem {
    error.problem().about(&format!("the schedule of `{}`", descriptor.name))
}

/// Says of which schedules a job has several alike: it may be meant (Revel's manual does it), or be a slip.
pub(super) fn warn_of_repeats(descriptor: &Descriptor, schedules: &[Resolved]) {
    let mut seen = BTreeSet::new();
    for resolved in schedules {
        let key = resolved.identity.base(&resolved.timing);
        if !seen.insert(key.clone()) {
            telemetry::key_repeated(descriptor.name, &key);
        }
    }
}
