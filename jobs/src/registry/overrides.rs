//! What the config says about single jobs, held against the jobs that there are.

use std::collections::BTreeSet;

use super::place_of;
use crate::config::{Collision, JobOverrides, NamedSchedule, Settings, did_you_mean};
use crate::error::{Place, Problem};
use crate::job::descriptor::{Descriptor, WhenDecl};
use crate::schedule::Schedule;

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
        let Some(JobOverrides { schedule, every, tz, .. }) = settings.overrides.get(name) else { continue };
        let keys: [(&str, Option<&Place>); 3] = [
            ("schedule", schedule.as_ref().map(|said| &said.place)),
            ("every", every.as_ref().map(|said| &said.place)),
            ("tz", tz.as_ref().map(|said| &said.place)),
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
    if overrides.every.is_some() {
        return vec![Written::Interval];
    }
    if let Some(texts) = &overrides.schedule {
        let written = |text: &'a String| {
            if text.starts_with("cron.") { named(text) } else { Written::Spec(text, texts.place.clone()) }
        };
        return texts.value.iter().map(written).collect();
    }
    let declared = |decl: &'a crate::job::descriptor::ScheduleDecl| match decl.when {
        WhenDecl::Spec(text) => Written::Spec(text, Place::Code { file: descriptor.file, line: decl.line }),
        WhenDecl::Named(name) => named(name),
        WhenDecl::Every(_) | WhenDecl::FixedDelay(_) => Written::Interval,
    };
    descriptor.schedules.iter().map(declared).collect()
}
