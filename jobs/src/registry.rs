//! What the program is made of: the jobs that were linked, with what the config says of them.
//!
//! `#[job]` writes a [`Descriptor`] down at compile time and `inventory` collects them at link time. Here they are
//! put in order, checked against each other and against the config, and given their schedules. Every mistake is
//! found before any is reported.

mod identity;
mod overrides;
mod timing;

use std::any::TypeId;
use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use jobs_syntax::{Overlap, ScheduleText};

use crate::config::{JobOverrides, NamedSchedule, Settings, Sourced, did_you_mean, folded};
use crate::error::{Place, Problem};
use crate::job::body::Template;
use crate::job::descriptor::{Descriptor, ScheduleDecl, Startup, WhenDecl};
use crate::job::info::JobInfo;
use crate::job::name::JobName;
use crate::job::options::{AttemptOptions, Limits, SlotOptions};
use crate::schedule::{Schedule, ScheduleError};
use crate::telemetry;

pub(crate) use identity::Identity;
pub(crate) use timing::Timing;

/// A linked job, ready to be run.
pub(crate) struct Registered {
    pub(crate) descriptor: &'static Descriptor,
    pub(crate) info: JobInfo,
    pub(crate) schedules: Vec<Resolved>,
    /// Only where the job is enabled.
    pub(crate) startup: Option<Startup>,
}

/// A schedule of a linked job.
pub(crate) struct Resolved {
    pub(crate) timing: Timing,
    pub(crate) template: Template,
    pub(crate) identity: Identity,
    pub(crate) options: SlotOptions,
}

/// The descriptors of every job in the program, by name.
pub(crate) fn linked() -> Vec<&'static Descriptor> {
    let mut all: Vec<_> = inventory::iter::<&'static Descriptor>().copied().collect();
    all.sort_by_key(|descriptor| (descriptor.name, descriptor.file, descriptor.line));
    all
}

/// Brings the linked jobs and the config together.
pub(crate) fn resolve(
    descriptors: &[&'static Descriptor],
    settings: &mut Settings,
    problems: &mut Vec<Problem>,
) -> Vec<Registered> {
    // With the config half read, a name that it lacks may stand in the other half.
    let config_is_whole = problems.len() == settings.state.problems().count();
    check_names(descriptors, settings, problems);
    let linked = descriptors.iter().map(|descriptor| descriptor.name);
    let by_hand = settings.registered.iter().map(|by_hand| by_hand.value.name);
    let names: BTreeSet<&str> = linked.chain(by_hand).collect();
    let aliases = || descriptors.iter().flat_map(|job| job.aliases.iter().map(|alias| (job.name, *alias)));
    let all_names: BTreeSet<&str> = names.iter().copied().chain(aliases().map(|(_, alias)| alias)).collect();
    // A variable that fits an alias and the name of the same job means the name.
    let distinct = aliases().filter(|(name, alias)| folded(name) != folded(alias)).map(|(_, alias)| alias);
    let used =
        descriptors.iter().flat_map(|descriptor| descriptor.schedules).filter_map(|decl| match decl.when {
            WhenDecl::Named(name) => Some(name),
            _ => None,
        });
    let queues = descriptors.iter().filter_map(|descriptor| descriptor.limits.queue);
    problems.extend(settings.adopt_spelling(names.iter().copied().chain(distinct), used, queues));
    overrides::adopt_aliases(descriptors, &names, settings, problems);
    check_expected(&all_names, settings, problems);
    overrides::check_jobs(&all_names, settings, problems);
    overrides::check_by_hand(settings, problems);
    check_state(descriptors, settings, problems);
    let zones = settings.check_zones();
    if zones.is_empty() {
        for descriptor in descriptors {
            if let Some(overrides) = settings.overrides.get(descriptor.name) {
                overrides::check_zone_is_used(descriptor, overrides, settings, problems);
            }
        }
    }
    problems.extend(zones);
    let mut found = Found::default();
    let register = |descriptor: &&'static Descriptor| register(descriptor, settings, &mut found);
    let registered: Vec<Registered> = descriptors.iter().map(register).collect();
    let queues = registered.iter().map(|job| &*job.info.limits.queue);
    let said = settings.overrides.values().filter_map(|said| said.queue.as_ref());
    let queues = queues.chain(said.map(|queue| queue.value.as_str())).chain([jobs_syntax::DEFAULT_QUEUE]);
    overrides::warn_of_unused_queues(&queues.collect(), settings);
    problems.append(&mut found.problems);
    if config_is_whole {
        problems.append(&mut found.missing_names);
    }
    registered
}

/// Mistakes of schedules.
#[derive(Default)]
struct Found {
    problems: Vec<Problem>,
    /// Names that the config does not have.
    missing_names: Vec<Problem>,
}

fn place_of(descriptor: &Descriptor) -> Place {
    Place::Code { file: descriptor.file, line: descriptor.line }
}

/// Every name and alias must belong to one job.
fn check_names(descriptors: &[&'static Descriptor], settings: &Settings, problems: &mut Vec<Problem>) {
    let mut owners: HashMap<&str, (Place, String)> = HashMap::new();
    let mut claim = |name: &'static str, alias: bool, place: Place, owner: String| {
        if let Some((first_place, first)) = owners.get(name) {
            let by_alias = if alias { ", by an alias" } else { "" };
            problems.push(
                Problem::new(format!("two jobs are named `{name}`{by_alias}"))
                    .at(place)
                    .help(format!("the other is {first} at {first_place}; give one of them `name = \"…\"`")),
            );
        } else {
            owners.insert(name, (place, owner));
        }
    };
    for descriptor in descriptors {
        let owner = || format!("`{}` in `{}`", descriptor.name, descriptor.module);
        claim(descriptor.name, false, place_of(descriptor), owner());
    }
    for descriptor in descriptors {
        for alias in descriptor.aliases {
            let owner = format!("`{}` in `{}`", descriptor.name, descriptor.module);
            claim(alias, true, place_of(descriptor), owner);
        }
    }
    let mut by_hand_types: HashMap<TypeId, &Place> = HashMap::new();
    let mut refused = Vec::new();
    for by_hand in &settings.registered {
        let (name, place) = (by_hand.value.name, &by_hand.place);
        let problem = if let Some(descriptor) = by_hand.value.descriptor {
            Problem::new(format!(
                "the job `{name}` is known by its `#[job]` already, and need not be registered"
            ))
            .help(format!("leave `Config::register` out; the attribute is at {}", place_of(descriptor)))
        } else if let Some(first) = by_hand_types.insert(by_hand.value.type_id, place) {
            Problem::new(format!("the job `{name}` is registered twice"))
                .help(format!("it is the same type as at {first}; keep one of them"))
        } else {
            claim(name, false, place.clone(), "registered by hand".to_owned());
            continue;
        };
        refused.push(problem.at(place.clone()));
    }
    problems.extend(refused);
    for by_hand in &settings.registered {
        let name = by_hand.value.name;
        if let Err(error) = jobs_syntax::check_job_name(name) {
            let problem = Problem::new(error.message()).at(by_hand.place.clone());
            problems.push(match error.help() {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    }
}

fn check_expected(names: &BTreeSet<&str>, settings: &Settings, problems: &mut Vec<Problem>) {
    for expected in &settings.expected_jobs {
        let name = expected.value.as_str();
        if names.contains(name) {
            continue;
        }
        let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
            "if it is in another crate, that crate is not linked until the program names it: `use the_crate as _;`".to_owned()
        });
        problems.push(
            Problem::new(format!("the job `{name}` is expected, but no job of that name is linked"))
                .at(expected.place.clone())
                .help(help),
        );
    }
}

fn check_state(descriptors: &[&'static Descriptor], settings: &Settings, problems: &mut Vec<Problem>) {
    for descriptor in descriptors.iter().filter(|job| settings.takes_part(job.name)) {
        for state in descriptor.states {
            if settings.state.contains((state.type_id)()) {
                continue;
            }
            let given = settings.state.type_names();
            let given = if given.is_empty() {
                "none was given".to_owned()
            } else {
                format!("there are {}", given.join(", "))
            };
            problems.push(
                Problem::new(format!(
                    "the job `{}` needs a state of type `{}` for its parameter `{}`",
                    descriptor.name,
                    (state.type_name)(),
                    state.parameter
                ))
                .at(place_of(descriptor))
                .help(format!("give one with `Config::state(value)`; {given}")),
            );
        }
    }
}

fn register(descriptor: &'static Descriptor, settings: &Settings, found: &mut Found) -> Registered {
    let overrides = settings.overrides.get(descriptor.name);
    let info = info(JobName::Static(descriptor.name), Some(descriptor), false, settings);
    let mut schedules = schedules_of(descriptor, overrides, settings, found);
    if let Some(overrides) = overrides {
        overrides::check_slots(descriptor, overrides, &schedules, &mut found.problems);
    }
    warn_of_repeats(descriptor, &schedules);
    let fires = info.enabled && settings.fires(descriptor.name);
    let startup = descriptor.startup.filter(|_| fires);
    if !fires {
        schedules.clear();
    }
    Registered { descriptor, info, schedules, startup }
}

/// What the config and the source say about a job.
pub(crate) fn info(
    name: JobName,
    descriptor: Option<&'static Descriptor>,
    is_func: bool,
    settings: &Settings,
) -> JobInfo {
    let overrides = settings.overrides.get(&*name);
    let overlap = overrides
        .and_then(|overrides| overrides.overlap.as_ref())
        .map(|overlap| overlap.value)
        .or(descriptor.and_then(|descriptor| descriptor.overlap))
        .unwrap_or(if settings.self_concurrent.value { Overlap::Allow } else { Overlap::BufferOne });
    let enabled = overrides
        .and_then(|overrides| overrides.enabled.as_ref())
        .map(|enabled| enabled.value)
        .or(descriptor.map(|descriptor| descriptor.enabled))
        .unwrap_or(true);
    let mut attempts = descriptor.map_or(AttemptOptions::DEFAULT, |descriptor| descriptor.attempts);
    if let Some(JobOverrides { timeout, retries, backoff, .. }) = overrides {
        attempts.timeout = timeout.as_ref().map_or(attempts.timeout, |timeout| timeout.value);
        attempts.retries = retries.as_ref().map(|retries| retries.value).or(attempts.retries);
        attempts.backoff = backoff.as_ref().map(|backoff| backoff.value).or(attempts.backoff);
    }
    let mut limits = descriptor.map_or(Limits::DEFAULT, |descriptor| descriptor.limits.into());
    if let Some(overrides) = overrides {
        overrides::limit(&mut limits, overrides);
    }
    JobInfo { name, descriptor, overlap, attempts, limits, enabled, is_func }
}

fn schedules_of(
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
            WhenDecl::Named(name) => (named(name, &place, zone, settings, found)?, Some(Box::from(name))),
        };
        let timing = timing.map_err(|error| found.problems.push(about(descriptor, &error).at(place))).ok()?;
        let identity = Identity { name, key: decl.key.map(Box::from), args: decl.args, repeat: 1 };
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
        let identity = Identity { name, key: None, args, repeat: 1 };
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
fn warn_of_repeats(descriptor: &Descriptor, schedules: &[Resolved]) {
    let mut seen = BTreeSet::new();
    for resolved in schedules {
        let key = resolved.identity.base(&resolved.timing);
        if !seen.insert(key.clone()) {
            telemetry::key_repeated(descriptor.name, &key);
        }
    }
}

#[cfg(test)]
mod tests;
