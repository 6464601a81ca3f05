//! What the config says about single jobs, held against the jobs that there are.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::{Resolved, Timing, place_of};
use crate::config::{Collision, JobOverrides, NamedSchedule, Settings, did_you_mean};
use crate::error::{Place, Problem};
use crate::job::descriptor::{Descriptor, ScheduleDecl, WhenDecl};
use crate::job::options::{Limits, SlotOptions};
use crate::schedule::Schedule;
use crate::telemetry;

/// Gives what is said under an alias to the job that has it. One key under both names is a mistake.
pub(super) fn adopt_aliases(
    descriptors: &[&'static Descriptor],
    names: &BTreeSet<&str>,
    settings: &mut Settings,
    problems: &mut Vec<Problem>,
) {
    for descriptor in descriptors {
        let name = descriptor.name;
        for alias in descriptor.aliases.iter().filter(|alias| !names.contains(*alias)) {
            let Some(said) = settings.overrides.remove(*alias) else { continue };
            let Some(own) = settings.overrides.get_mut(name) else {
                settings.overrides.insert(name.to_owned(), said);
                continue;
            };
            for Collision { own, alias: said } in own.adopt(said) {
                let problem = Problem::new(format!(
                    "`job.{alias}.{}` and `job.{name}.{}` cannot both hold: `{alias}` is an alias of `{name}`",
                    said.0, own.0
                ));
                problems.push(problem.at(said.1).help(format!("keep the one at {}", own.1)));
            }
        }
    }
}

/// Every job that the config speaks of must be one. `names` are those of the jobs, with their aliases.
pub(super) fn check_jobs(names: &BTreeSet<&str>, settings: &Settings, problems: &mut Vec<Problem>) {
    for (name, overrides) in &settings.overrides {
        if names.contains(name.as_str()) {
            continue;
        }
        let help = did_you_mean(name, names.iter().copied()).unwrap_or_else(|| {
            let known: Vec<_> = names.iter().take(8).map(|name| format!("`{name}`")).collect();
            if known.is_empty() {
                "this program has no jobs".to_owned()
            } else {
                format!("there are {}", known.join(", "))
            }
        });
        problems
            .push(Problem::new(format!("no job is named `{name}`")).at(overrides.place.clone()).help(help));
    }
}

/// A job implemented by hand has no value but the one that code makes, so the config cannot schedule it.
pub(super) fn check_by_hand(settings: &Settings, problems: &mut Vec<Problem>) {
    let by_hand = settings.registered.iter().filter(|by_hand| by_hand.value.descriptor.is_none());
    // One that is registered twice is told elsewhere.
    let names: BTreeSet<_> = by_hand.map(|by_hand| by_hand.value.name).collect();
    for name in names {
        let Some(overrides) = settings.overrides.get(name) else { continue };
        let JobOverrides { schedule, every, fixed_delay, tz, jitter, missed, .. } = overrides;
        let keys: [(&str, Option<&Place>); 6] = [
            ("schedule", schedule.as_ref().map(|said| &said.place)),
            ("every", every.as_ref().map(|said| &said.place)),
            ("fixed_delay", fixed_delay.as_ref().map(|said| &said.place)),
            ("tz", tz.as_ref().map(|said| &said.place)),
            ("jitter", jitter.as_ref().map(|said| &said.place)),
            ("missed", missed.as_ref().map(|said| &said.place)),
        ];
        for (key, place) in keys {
            let Some(place) = place else { continue };
            problems.push(
                Problem::new(format!(
                    "`job.{name}.{key}` cannot be applied: the job is implemented by hand, and only code can make \
                     a value of it"
                ))
                .at(place.clone())
                .help("schedule it in code by a name, `jobs.schedule(\"cron.NAME\", …)`, and say when here: `cron.NAME`"),
            );
        }
    }
}

/// Lays what the config says over the limits of the attribute.
pub(super) fn limit(limits: &mut Limits, overrides: &JobOverrides) {
    let JobOverrides { queue, priority, concurrency, rate, unique, .. } = overrides;
    if let Some(queue) = queue {
        limits.queue = Cow::Owned(queue.value.clone());
    }
    limits.priority = priority.as_ref().map_or(limits.priority, |priority| priority.value);
    limits.concurrency = concurrency.as_ref().map_or(limits.concurrency, |concurrency| concurrency.value);
    limits.rate = rate.as_ref().map_or(limits.rate, |rate| rate.value);
    limits.unique = unique.as_ref().map_or(limits.unique, |unique| unique.value);
}

/// Lays what the config says over what the attribute says about the slots of a schedule.
pub(super) fn slots(declared: SlotOptions, overrides: &JobOverrides) -> SlotOptions {
    let JobOverrides { jitter, missed, .. } = overrides;
    SlotOptions {
        jitter: jitter.as_ref().map_or(declared.jitter, |jitter| jitter.value),
        missed: missed.as_ref().map(|missed| missed.value).or(declared.missed),
    }
}

/// What all schedules of the attribute have in common, which those of a deployment keep.
pub(super) fn shared_slots(descriptor: &Descriptor) -> SlotOptions {
    let of = |decl: &ScheduleDecl| SlotOptions { jitter: decl.jitter, missed: decl.missed };
    let mut declared = descriptor.schedules.iter().map(of);
    let Some(first) = declared.next() else { return SlotOptions::default() };
    if declared.all(|other| other == first) { first } else { SlotOptions::default() }
}

/// What the config says about slots that there are not, and a jitter that would reach past the next slot.
pub(super) fn check_slots(
    descriptor: &Descriptor,
    overrides: &JobOverrides,
    schedules: &[Resolved],
    problems: &mut Vec<Problem>,
) {
    let name = descriptor.name;
    let said = [
        ("jitter", overrides.jitter.as_ref().map(|said| &said.place)),
        ("missed", overrides.missed.as_ref().map(|said| &said.place)),
    ];
    let has_none = descriptor.schedules.is_empty() && overrides.when().is_none();
    let is_delay = |resolved: &Resolved| resolved.timing.delay().is_some();
    let only_delays = !schedules.is_empty() && schedules.iter().all(is_delay);
    for (key, place) in said {
        let Some(place) = place else { continue };
        let key = format!("`job.{name}.{key}`");
        if has_none {
            problems.push(
                Problem::new(format!(
                    "{key} has no effect: the job at {} has no schedule",
                    place_of(descriptor)
                ))
                .at(place.clone())
                .help(format!("leave it out, or give the job one: `job.{name}.schedule`")),
            );
        } else if only_delays && key.contains("missed") {
            problems.push(
                Problem::new(format!(
                    "{key} has no effect: the next slot is counted from the end of the last run, and none is missed"
                ))
                .at(place.clone())
                .help("leave it out"),
            );
        }
    }
    let place =
        overrides.jitter.as_ref().map(|said| &said.place).or(overrides.when().map(|(_, place)| place));
    let Some(place) = place else { return };
    for resolved in schedules {
        let Timing::At(schedule) = &resolved.timing else { continue };
        let (Some(interval), Some(jitter)) = (schedule.interval(), resolved.options.jitter) else { continue };
        if jitter >= interval {
            let [interval, jitter] = [interval, jitter].map(jobs_syntax::format_duration);
            problems.push(
                Problem::new(format!(
                    "the jitter of the job `{name}`, {jitter}, is not below its interval, {interval}"
                ))
                .at(place.clone())
                .help("choose a shorter one, or take that of the attribute away: `jitter = \"off\"`"),
            );
        }
    }
}

/// A queue whose size is said and that no job uses: it may be misspelt, or meant for submissions that name it.
pub(super) fn warn_of_unused_queues<'a>(used: &BTreeSet<&'a str>, settings: &'a Settings) {
    for (queue, size) in &settings.queues {
        if !used.contains(queue.as_str()) {
            let near = jobs_syntax::nearest(queue, used.iter().copied());
            telemetry::unused_queue(queue, &size.place, near);
        }
    }
}

/// A zone that no schedule of the job would be read in.
pub(super) fn check_zone_is_used(
    descriptor: &Descriptor,
    overrides: &JobOverrides,
    settings: &Settings,
    problems: &mut Vec<Problem>,
) {
    let Some(tz) = &overrides.tz else { return };
    let whens = whens_of(descriptor, overrides, settings);
    let refusals: Vec<_> = whens.iter().map(|when| when.refuses_zone()).collect();
    if !refusals.is_empty() && refusals.iter().any(Option::is_none) {
        return;
    }
    let name = descriptor.name;
    let key = format!("`job.{name}.tz`");
    problems.push(
        match refusals.into_iter().flatten().next() {
            None => Problem::new(format!(
                "{key} has no effect: the job at {} has no schedule",
                place_of(descriptor)
            ))
            .help(format!("leave it out, or give the job one: `job.{name}.schedule`")),
            Some(why) => Problem::new(format!("{key} has no effect: {why}")).help("leave it out"),
        }
        .at(tz.place.clone()),
    );
}

/// When a schedule fires, as it was written.
enum Written<'a> {
    Interval,
    /// A spec and where it stands.
    Spec(&'a str, Place),
    /// The name of one that is off, or missing, which is told elsewhere.
    Unknown,
}

impl Written<'_> {
    /// Why no zone can be given to it; none where one can.
    fn refuses_zone(&self) -> Option<String> {
        let Self::Spec(text, place) = self else {
            return matches!(self, Self::Interval).then(|| "an interval has no zone".to_owned());
        };
        let schedule = Schedule::parse(text).ok()?;
        match (schedule.interval(), schedule.zone()) {
            (None, None) => None,
            (Some(_), _) => Some(format!("`{text}` at {place} is an interval, which has no zone")),
            (None, Some(_)) => Some(format!("`{text}` at {place} names its zone itself")),
        }
    }
}

/// When the job fires: as the config says, else as its attribute does.
fn whens_of<'a>(
    descriptor: &'a Descriptor,
    overrides: &'a JobOverrides,
    settings: &'a Settings,
) -> Vec<Written<'a>> {
    let named = |name: &str| match settings.named.get(name) {
        Some(named) => match &named.value {
            NamedSchedule::Spec(text) => Written::Spec(text, named.place.clone()),
            NamedSchedule::Off => Written::Unknown,
        },
        None => Written::Unknown,
    };
    if overrides.every.is_some() || overrides.fixed_delay.is_some() {
        return vec![Written::Interval];
    }
    if let Some(texts) = &overrides.schedule {
        let written = |text: &'a String| {
            if text.starts_with("cron.") { named(text) } else { Written::Spec(text, texts.place.clone()) }
        };
        return texts.value.iter().map(written).collect();
    }
    let declared = |decl: &'a ScheduleDecl| match decl.when {
        WhenDecl::Spec(text) => Written::Spec(text, Place::Code { file: descriptor.file, line: decl.line }),
        WhenDecl::Named(name) => named(name),
        WhenDecl::Every(_) | WhenDecl::FixedDelay(_) => Written::Interval,
    };
    descriptor.schedules.iter().map(declared).collect()
}
