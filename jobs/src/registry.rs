//! What the program is made of: the jobs that were linked, with what the config says of them.
//!
//! `#[job]` writes a [`Descriptor`] down at compile time and `inventory` collects them at link time. Here they are
//! put in order, checked against each other and against the config, and given their schedules. Every mistake is
//! found before any is reported.

mod identity;
mod overrides;
mod schedules;
mod timing;

use std::any::TypeId;
use std::collections::{BTreeSet, HashMap};

use jobs_syntax::Overlap;

use crate::config::{JobOverrides, Settings, did_you_mean, folded};
use crate::error::{Place, Problem};
use crate::job::body::Template;
use crate::job::descriptor::{Descriptor, Startup, WhenDecl};
use crate::job::info::JobInfo;
use crate::job::name::JobName;
use crate::job::options::{AttemptOptions, Limits, SlotOptions};

pub(crate) use identity::Identity;
use schedules::{Found, schedules_of, warn_of_repeats};
pub(crate) use schedules::{in_zone, no_such_name, timing};
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

#[cfg(test)]
mod tests;
