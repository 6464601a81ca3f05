//! Programs that cannot be built into a test, or only into one of its own: descriptors made by hand.

mod limits;

use std::hash::Hasher;
use std::time::Duration;

use jobs_syntax::Backoff;

use super::*;
use crate::config::Config;
use crate::job::body::Erased;
use crate::job::descriptor::{ScheduleDecl, WhenDecl};
use crate::schedule::Schedule;

fn never() -> Erased {
    unreachable!("nothing is executed here")
}

/// A job as the attribute would write it down, kept for as long as the test runs.
fn job(name: &'static str, line: u32, schedules: Vec<ScheduleDecl>) -> Descriptor {
    Descriptor {
        name,
        aliases: &[],
        description: "",
        module: "shop",
        file: "src/shop.rs",
        line,
        blocking: false,
        enabled: true,
        startup: None,
        overlap: None,
        attempts: AttemptOptions::DEFAULT,
        limits: crate::job::options::LimitOptions::DEFAULT,
        arguments: &[],
        schedules: Box::leak(schedules.into_boxed_slice()),
        states: &[],
        default: Some(never),
        read: |_| unreachable!("nothing is read here"),
    }
}

fn schedule(when: WhenDecl) -> ScheduleDecl {
    ScheduleDecl { when, tz: None, key: None, jitter: None, missed: None, job: never, args: "", line: 100 }
}

fn spec(text: &'static str) -> ScheduleDecl {
    schedule(WhenDecl::Spec(text))
}

fn resolved(
    jobs: impl IntoIterator<Item = Descriptor>,
    say: impl FnOnce(Config) -> Config,
) -> (Vec<Registered>, Vec<String>, Settings) {
    let descriptors: Vec<&'static Descriptor> =
        jobs.into_iter().map(|job| &*Box::leak(Box::new(job))).collect();
    let (mut settings, mut problems) = say(Config::default().without_environment()).resolve();
    let registered = resolve(&descriptors, &mut settings, &mut problems);
    (registered, problems.iter().map(ToString::to_string).collect(), settings)
}

fn problems(jobs: impl IntoIterator<Item = Descriptor>, say: impl FnOnce(Config) -> Config) -> Vec<String> {
    resolved(jobs, say).1
}

fn texts(registered: &Registered) -> Vec<String> {
    registered
        .schedules
        .iter()
        .map(|resolved| resolved.timing.schedule().map_or("off".to_owned(), ToString::to_string))
        .collect()
}

#[test]
fn a_name_or_alias_belongs_to_one_job() {
    let other = |line: u32| {
        format!("the other is `mail` in `shop` at src/shop.rs:{line}; give one of them `name = \"…\"`")
    };
    assert_eq!(
        problems([job("mail", 3, vec![]), job("mail", 9, vec![]), job("post", 12, vec![])], |config| config),
        [format!("two jobs are named `mail`\n  --> src/shop.rs:9\n  help: {}", other(3))]
    );
    // Each beyond the first is told.
    assert_eq!(
        problems([job("mail", 3, vec![]), job("mail", 9, vec![]), job("mail", 12, vec![])], |config| config)
            .len(),
        2
    );
    // A name goes before an alias, wherever it stands.
    let aliased = |line| Descriptor { aliases: &["mail"], ..job("post", line, vec![]) };
    for jobs in [[aliased(1), job("mail", 3, vec![])], [job("mail", 3, vec![]), aliased(1)]] {
        assert_eq!(
            problems(jobs, |config| config),
            [format!("two jobs are named `mail`, by an alias\n  --> src/shop.rs:1\n  help: {}", other(3))]
        );
    }
    let twice = [aliased(1), Descriptor { aliases: &["mail", "letters"], ..job("send", 5, vec![]) }];
    assert_eq!(problems(twice, |config| config).len(), 1);
}

#[test]
fn schedules_of_the_source_are_resolved_with_their_zone_and_identity() {
    let jobs = [job(
        "a",
        1,
        vec![
            spec("0 30 2 * * *"),
            ScheduleDecl { tz: Some("Europe/Oslo"), args: "to = \"x\"", ..spec("30 2 * * *") },
            ScheduleDecl { tz: Some("Europe/Oslo"), ..spec("TZ=Asia/Tokyo @daily") },
            ScheduleDecl { key: Some("often"), ..schedule(WhenDecl::Every("90m")) },
            schedule(WhenDecl::Named("cron.tea")),
        ],
    )];
    let (registered, problems, _) =
        resolved(jobs, |config| config.timezone("America/New_York").named("cron.tea", "0 0 16 * * *"));
    assert_eq!(problems, [""; 0]);
    assert_eq!(
        texts(&registered[0]),
        [
            "TZ=America/New_York 0 30 2 * * *",
            "TZ=Europe/Oslo 0 30 2 * * *",
            "TZ=Asia/Tokyo 0 0 0 * * *",
            "@every 1h30m",
            "TZ=America/New_York 0 0 16 * * *",
        ]
    );
    let keys: Vec<_> =
        registered[0].schedules.iter().map(|resolved| resolved.identity.key(&resolved.timing)).collect();
    assert_eq!(
        keys,
        [
            "TZ=America/New_York 0 30 2 * * *",
            "TZ=Europe/Oslo 0 30 2 * * * (to = \"x\")",
            "TZ=Asia/Tokyo 0 0 0 * * *",
            "often",
            "cron.tea",
        ]
    );
}

#[test]
fn keys_tell_schedules_apart_as_text_and_as_hash() {
    let hash = |identity: &Identity, schedule: &Timing| {
        let mut hasher = std::hash::DefaultHasher::new();
        identity.hash_base(schedule, &mut hasher);
        hasher.finish()
    };
    let parse = |text| Timing::At(Schedule::parse(text).unwrap());
    let plain = Identity { repeat: 1, ..Identity::default() };
    let with_args = Identity { args: "n = 1", ..plain.clone() };
    let named = Identity { name: Some("cron.tea".into()), ..plain.clone() };
    let keyed = Identity { key: Some("tea".into()), ..named.clone() };
    let second = Identity { repeat: 2, ..plain.clone() };
    let cases = [
        (&plain, parse("@daily"), "TZ=UTC 0 0 0 * * *"),
        (&plain, parse("0 0 * * *"), "TZ=UTC 0 0 0 * * *"),
        (&second, parse("@daily"), "TZ=UTC 0 0 0 * * *#2"),
        (&plain, parse("TZ=Europe/Oslo @daily"), "TZ=Europe/Oslo 0 0 0 * * *"),
        (&with_args, parse("@daily"), "TZ=UTC 0 0 0 * * * (n = 1)"),
        (&named, parse("@daily"), "cron.tea"),
        (&named, parse("@hourly"), "cron.tea"),
        (&keyed, parse("@daily"), "tea"),
        (&plain, parse("@every 60s"), "@every 1m"),
        (&named, Timing::off(&Place::Default), "cron.tea"),
    ];
    for (identity, schedule, key) in &cases {
        assert_eq!(identity.key(schedule), *key);
        for (other, other_schedule, _) in &cases {
            assert_eq!(
                identity.base(schedule) == other.base(other_schedule),
                hash(identity, schedule) == hash(other, other_schedule),
                "{identity:?} {schedule:?} and {other:?} {other_schedule:?}"
            );
        }
    }
}

#[test]
fn a_missing_name_is_told_with_the_nearest_and_both_places() {
    let jobs = || [job("a", 1, vec![schedule(WhenDecl::Named("cron.nigthly"))])];
    let [problem] = problems(jobs(), |config| config.named("cron.nightly", "@daily")).try_into().unwrap();
    let Some(rest) =
        problem.strip_prefix("no schedule is named `cron.nigthly`\n  --> src/shop.rs:100\n  help: ")
    else {
        panic!("{problem}");
    };
    assert!(rest.starts_with("did you mean `cron.nightly` (") && rest.contains("tests.rs:"), "{rest}");
    assert_eq!(
        problems(jobs(), |config| config),
        [
            "no schedule is named `cron.nigthly`\n  --> src/shop.rs:100\n  help: define it in the config, in `[cron]`: \
          `nigthly = \"0 0 3 * * *\"`"
        ]
    );
    // One that is off is there.
    let (registered, problems, _) = resolved(jobs(), |config| config.named("cron.nigthly", "off"));
    assert_eq!((texts(&registered[0]), problems), (vec!["off".to_owned()], vec![]));
}

#[test]
fn a_zone_that_is_none_is_told_beside_a_name_that_is_missing() {
    let decl = || vec![ScheduleDecl { tz: Some("Europe/Olso"), ..schedule(WhenDecl::Named("cron.none")) }];
    let problems = problems([job("a", 1, decl())], |config| config);
    assert_eq!(problems.len(), 2, "{problems:?}");
    assert!(problems.iter().any(|problem| problem.starts_with("no schedule is named `cron.none`")));
    assert!(problems.iter().any(|problem| problem.contains("unknown time zone `Europe/Olso`")));
}

#[test]
fn a_zone_that_is_none_is_told_for_the_schedule_that_names_it() {
    let decl = || vec![ScheduleDecl { tz: Some("Europe/Olso"), ..spec("@daily") }, spec("@hourly")];
    let (registered, problems, _) = resolved([job("a", 1, decl())], |config| config);
    assert_eq!(
        problems,
        [
            "the schedule of `a`: unknown time zone `Europe/Olso`\n  --> src/shop.rs:100\n  help: did you mean `Europe/Oslo`?"
        ]
    );
    assert_eq!(texts(&registered[0]), ["0 0 * * * *"]);
    // The deployment's zone takes its place.
    let (registered, problems, _) =
        resolved([job("a", 1, decl())], |config| config.job("a", |job| job.tz("Asia/Tokyo")));
    assert_eq!(problems, [""; 0]);
    assert_eq!(texts(&registered[0]), ["TZ=Asia/Tokyo 0 0 0 * * *", "TZ=Asia/Tokyo 0 0 * * * *"]);
}

#[test]
fn a_zone_of_the_config_that_is_none_is_one_mistake() {
    let jobs = [job("a", 1, vec![spec("@daily"), spec("@hourly")]), job("b", 2, vec![spec("@daily")])];
    let problems = problems(jobs, |config| config.timezone("Europe/Olso"));
    assert_eq!(problems.len(), 1, "{problems:?}");
    assert!(problems[0].contains("\n  --> ") && problems[0].ends_with("help: did you mean `Europe/Oslo`?"));
}

#[test]
fn a_deployment_replaces_all_schedules_of_a_job() {
    let decl = || {
        vec![
            ScheduleDecl { tz: Some("Europe/Oslo"), args: "n = 1", ..spec("@daily") },
            ScheduleDecl { tz: Some("Europe/Oslo"), args: "n = 2", ..spec("@hourly") },
        ]
    };
    let (registered, problems, _) = resolved([job("a", 1, decl())], |config| {
        config
            .named("cron.tea", "0 0 16 * * *")
            .job("a", |job| job.schedule("0 0 3 * * *").schedule("cron.tea").schedule("TZ=UTC @weekly"))
    });
    assert_eq!(problems, [""; 0]);
    let keys: Vec<_> = registered[0].schedules.iter().map(|r| r.identity.key(&r.timing)).collect();
    // With the zone and the arguments of the source, where they are clear.
    assert_eq!(keys, ["TZ=Europe/Oslo 0 0 3 * * * (n = 1)", "cron.tea", "TZ=UTC 0 0 0 * * 0 (n = 1)"]);
    let (registered, ..) =
        resolved([job("a", 1, decl())], |config| config.job("a", |job| job.every(Duration::from_secs(5))));
    assert_eq!(texts(&registered[0]), ["@every 5s"]);
}

#[test]
fn a_deployment_cannot_schedule_what_has_arguments_without_a_value() {
    let without = || Descriptor { default: None, ..job("a", 1, vec![]) };
    let [problem] =
        problems([without()], |config| config.job("a", |job| job.schedule("@daily"))).try_into().unwrap();
    assert!(
        problem.starts_with("the job `a` cannot be scheduled here: it has arguments without a value\n  --> ")
    );
    assert!(problem.ends_with("help: give its parameters `#[default = …]` at src/shop.rs:1"));
    // The key's own line is the place, not that of the section.
    let file = || Config::from_toml("[job.a]\nenabled = true\nschedule = \"@daily\"").unwrap();
    let [problem] = problems([without()], |_| file()).try_into().unwrap();
    assert!(problem.contains("--> <text>:3"), "{problem}");
    // Other overrides are fine.
    assert_eq!(problems([without()], |config| config.job("a", |job| job.enabled(false))), [""; 0]);
}

#[test]
fn overlap_and_enabled_come_from_the_deployment_then_the_source_then_the_default() {
    let startup = Some(Startup { blocking: true, order: 0 });
    let make =
        |overlap, enabled| Descriptor { overlap, enabled, startup, ..job("a", 1, vec![spec("@daily")]) };
    let info = |descriptor: Descriptor, say: fn(Config) -> Config| {
        let (mut registered, problems, _) = resolved([descriptor], say);
        assert_eq!(problems, [""; 0]);
        registered.remove(0)
    };
    let overlap = |given, say: fn(Config) -> Config| info(make(given, true), say).info.overlap;
    assert_eq!(overlap(None, |config| config), Overlap::BufferOne);
    assert_eq!(overlap(None, |config| config.self_concurrent(true)), Overlap::Allow);
    assert_eq!(overlap(Some(Overlap::Skip), |config| config.self_concurrent(true)), Overlap::Skip);
    let say: fn(Config) -> Config = |config| config.job("a", |job| job.overlap("cancel_other"));
    assert_eq!(overlap(Some(Overlap::Skip), say), Overlap::CancelOther);

    let on = info(make(None, true), |config| config);
    assert!(on.info.enabled && on.startup.is_some() && on.schedules.len() == 1);
    let off = info(make(None, false), |config| config);
    assert!(!off.info.enabled && off.startup.is_none() && off.schedules.is_empty());
    let off = info(make(None, true), |config| config.job("a", |job| job.enabled(false)));
    assert!(!off.info.enabled && off.startup.is_none() && off.schedules.is_empty());
    let on = info(make(None, false), |config| config.job("a", |job| job.enabled(true)));
    assert!(on.info.enabled && on.startup.is_some() && on.schedules.len() == 1);
    // A mistake in a schedule that is switched off is one all the same.
    let wrong = Descriptor { enabled: false, ..job("a", 1, vec![schedule(WhenDecl::Named("cron.x"))]) };
    assert_eq!(problems([wrong], |config| config).len(), 1);
}

#[test]
fn timeout_retries_and_backoff_come_from_the_deployment_then_the_source() {
    let seconds = Duration::from_secs;
    let source = AttemptOptions {
        timeout: Some(seconds(1)),
        retries: Some(1),
        backoff: Some(Backoff::new(seconds(1), seconds(11))),
    };
    let attempts = |attempts, say: fn(Config) -> Config| {
        let (registered, problems, _) = resolved([Descriptor { attempts, ..job("a", 1, vec![]) }], say);
        assert_eq!(problems, [""; 0]);
        registered[0].info.attempts
    };
    assert_eq!(attempts(AttemptOptions::DEFAULT, |config| config), AttemptOptions::DEFAULT);
    assert_eq!(attempts(source, |config| config), source);
    assert_eq!(attempts(source, |config| config.job("a", |job| job.overlap("skip"))), source);
    // One key leaves the others.
    assert_eq!(
        attempts(source, |config| config.job("a", |job| job.timeout(Duration::from_secs(2)))),
        AttemptOptions { timeout: Some(seconds(2)), ..source }
    );
    let without = AttemptOptions { timeout: None, ..source };
    assert_eq!(attempts(source, |config| config.job("a", |job| job.without_timeout())), without);
    assert_eq!(attempts(source, |config| config.environment([("JOBS__JOB__A__TIMEOUT", "off")])), without);
    assert_eq!(
        attempts(source, |config| config.environment([("JOBS__JOB__A__RETRIES", "0")])),
        AttemptOptions { retries: Some(0), ..source }
    );
    assert_eq!(
        attempts(source, |config| config.environment([("JOBS__JOB__A__BACKOFF", "2s..22s")])),
        AttemptOptions { backoff: Some(Backoff::new(seconds(2), seconds(22))), ..source }
    );
}

#[test]
fn the_environment_takes_the_spelling_of_the_program() {
    let jobs = [job("send-mail", 1, vec![schedule(WhenDecl::Named("cron.night-shift"))])];
    let (registered, problems, settings) = resolved(jobs, |config| {
        config.environment([("JOBS__JOB__SEND_MAIL__OVERLAP", "skip"), ("JOBS__CRON__NIGHT_SHIFT", "@daily")])
    });
    assert_eq!(problems, [""; 0]);
    assert_eq!(registered[0].info.overlap, Overlap::Skip);
    assert_eq!(texts(&registered[0]), ["0 0 0 * * *"]);
    assert!(settings.named.contains_key("cron.night-shift"));
}

#[test]
fn a_zone_of_the_deployment_that_no_schedule_takes_is_a_mistake() {
    let tz = |schedules: Vec<ScheduleDecl>, say: fn(Config) -> Config| {
        problems([job("a", 1, schedules)], |config| say(config).job("a", |job| job.tz("Asia/Tokyo")))
    };
    let only = |problems: Vec<String>| -> String {
        let [problem] = problems.try_into().unwrap();
        assert!(problem.contains("\n  --> jobs/src/registry/tests.rs:"), "{problem}");
        problem
    };
    let starts = |problem: String, start: &str| assert!(problem.starts_with(start), "{problem}");
    let same: fn(Config) -> Config = |config| config;
    starts(only(tz(vec![], same)), "`job.a.tz` has no effect: the job at src/shop.rs:1 has no schedule\n");
    starts(
        only(tz(vec![schedule(WhenDecl::Every("1h"))], same)),
        "`job.a.tz` has no effect: an interval has no zone\n",
    );
    starts(
        only(tz(vec![spec("TZ=UTC @daily")], same)),
        "`job.a.tz` has no effect: `TZ=UTC @daily` at src/shop.rs:100 names its zone itself\n",
    );
    starts(
        only(tz(vec![spec("@every 1h")], same)),
        "`job.a.tz` has no effect: `@every 1h` at src/shop.rs:100 is an interval, which has no zone\n",
    );
    let named = || vec![schedule(WhenDecl::Named("cron.tea"))];
    starts(
        only(tz(named(), |config| config.named("cron.tea", "TZ=UTC @daily"))),
        "`job.a.tz` has no effect: `TZ=UTC @daily` at jobs/src/registry/tests.rs:",
    );
    // What the deployment says takes the place of what the source says.
    let every = |config: Config| config.job("a", |job| job.every(Duration::from_secs(5)));
    starts(only(tz(vec![spec("@daily")], every)), "`job.a.tz` has no effect: an interval has no zone\n");
    let own_zone = |config: Config| config.job("a", |job| job.schedule("TZ=UTC @daily"));
    starts(only(tz(vec![spec("@daily")], own_zone)), "`job.a.tz` has no effect: `TZ=UTC @daily` at ");
    // One schedule that takes it is enough, and one that is off may take it when it is on again.
    assert_eq!(tz(vec![spec("TZ=UTC @daily"), spec("@hourly")], same), [""; 0]);
    assert_eq!(tz(named(), |config| config.named("cron.tea", "off")), [""; 0]);
    assert_eq!(tz(named(), |config| config.named("cron.tea", "@daily")), [""; 0]);
    let replaced = |config: Config| config.job("a", |job| job.schedule("@daily"));
    assert_eq!(tz(vec![spec("TZ=UTC @daily")], replaced), [""; 0]);
}

#[test]
fn a_zone_that_is_none_is_one_mistake_wherever_the_config_names_it() {
    let say = |config: Config| {
        config
            .named("cron.unused", "TZ=Europe/Olso @daily")
            .named("cron.used", "TZ=Mars/Olympus @daily")
            .job("a", |job| job.schedule("TZ=Europe/Olso @hourly").schedule("cron.used"))
    };
    let jobs = [job("a", 1, vec![]), job("b", 2, vec![schedule(WhenDecl::Named("cron.used"))])];
    let problems = problems(jobs, say);
    let starts: Vec<_> = problems.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "`cron.unused`: unknown time zone `Europe/Olso`",
            "`cron.used`: unknown time zone `Mars/Olympus`",
            "`job.a.schedule`: unknown time zone `Europe/Olso`",
        ]
    );
    // Also where there is no program to hold it against.
    let error = say(Config::default().without_environment()).check().unwrap_err();
    assert_eq!(error.problems().iter().map(ToString::to_string).collect::<Vec<_>>().len(), 3, "{error}");
}

#[test]
fn an_alias_finds_its_job() {
    let renamed = || Descriptor { aliases: &["old"], ..job("new", 1, vec![spec("@daily")]) };
    let (registered, problems, settings) = resolved([renamed()], |config| {
        config
            .expect_jobs(["old", "new"])
            .job("old", |job| job.schedule("@hourly"))
            .job("new", |job| job.overlap("skip"))
    });
    assert_eq!(problems, [""; 0]);
    assert_eq!(texts(&registered[0]), ["0 0 * * * *"]);
    assert_eq!(registered[0].info.overlap, Overlap::Skip);
    assert_eq!(settings.overrides.keys().collect::<Vec<_>>(), ["new"]);
    let (registered, problems, _) =
        resolved([renamed()], |config| config.environment([("JOBS__JOB__OLD__ENABLED", "false")]));
    assert_eq!((registered[0].info.enabled, problems), (false, vec![]));
    // A variable cannot tell them apart, and need not.
    let respelled = Descriptor { aliases: &["send-mail"], ..job("send_mail", 1, vec![]) };
    let (registered, problems, _) =
        resolved([respelled], |config| config.environment([("JOBS__JOB__SEND_MAIL__ENABLED", "false")]));
    assert_eq!((registered[0].info.enabled, problems), (false, vec![]));
}

#[test]
fn one_key_under_name_and_alias_is_a_mistake() {
    let renamed = Descriptor { aliases: &["old"], ..job("new", 1, vec![spec("@daily")]) };
    let problems = problems([renamed], |config| {
        config
            .job("old", |job| job.every(Duration::from_secs(5)).enabled(true).overlap("skip").retries(3))
            .job("new", |job| job.schedule("@hourly").enabled(true).retries(5))
    });
    let starts: Vec<_> = problems.iter().map(|problem| problem.lines().next().unwrap()).collect();
    assert_eq!(
        starts,
        [
            "`job.old.every` and `job.new.schedule` cannot both hold: `old` is an alias of `new`",
            "`job.old.enabled` and `job.new.enabled` cannot both hold: `old` is an alias of `new`",
            "`job.old.retries` and `job.new.retries` cannot both hold: `old` is an alias of `new`",
        ]
    );
    assert!(problems[0].contains("\n  help: keep the one at jobs/src/registry/tests.rs:"), "{}", problems[0]);
}
