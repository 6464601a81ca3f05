//! Queues, limits and what is kept, said by every source.

use std::num::NonZeroU32;

use jobs_syntax::{Missed, Rate};

use super::*;
use crate::job::options::Unique;

const SECOND: Duration = Duration::from_secs(1);

fn at_least_one(n: u32) -> NonZeroU32 {
    NonZeroU32::new(n).unwrap()
}

/// Every key, said by the file, then by the environment, then by code.
#[test]
fn the_environment_wins_over_the_file_and_code_over_both() {
    let file = "[jobs]\nretention = \"1d\"\nretention_count = 1\n[jobs.queues]\nmail = 1\nslow = 9\n\
                [job.j]\nfixed_delay = \"1m\"\njitter = \"1s\"\nqueue = \"mail\"\npriority = -1\nconcurrency = 1\n\
                rate = \"1/1s\"\nunique = true\n\
                [job.k]\nmissed = \"once\"\n";
    let env = [
        ("JOBS__RETENTION", "2d"),
        ("JOBS__RETENTION_COUNT", "2"),
        ("JOBS__QUEUES__MAIL", "2"),
        ("JOBS__JOB__J__FIXED_DELAY", "2m"),
        ("JOBS__JOB__J__JITTER", "2s"),
        ("JOBS__JOB__J__QUEUE", "two"),
        ("JOBS__JOB__J__PRIORITY", "-2"),
        ("JOBS__JOB__J__CONCURRENCY", "2"),
        ("JOBS__JOB__J__RATE", "2/2s"),
        ("JOBS__JOB__J__UNIQUE", "2m"),
        ("JOBS__JOB__K__MISSED", "all within 6h"),
    ];
    let code = |config: Config| {
        config
            .retention(SECOND * 3)
            .retention_count(3)
            .queue("mail", 3)
            .job("j", |j| {
                j.fixed_delay(SECOND * 180)
                    .jitter(SECOND * 3)
                    .queue("three")
                    .priority(-3)
                    .concurrency(3)
                    .rate(3, SECOND * 3)
                    .unique_per(SECOND * 3)
            })
            .job("k", |k| k.missed("skip"))
    };
    let day = SECOND * 24 * 3600;

    let s = settings(toml(file));
    assert_eq!(s.retention, Sourced { value: day, place: line(2) });
    assert_eq!(s.retention_count, Sourced { value: 1, place: line(3) });
    assert_eq!(s.queues["mail"], Sourced { value: size(1).unwrap(), place: line(5) });
    let j = &s.overrides["j"];
    assert_eq!(j.fixed_delay, Some(Sourced { value: SECOND * 60, place: line(8) }));
    assert_eq!(j.jitter, Some(Sourced { value: Some(SECOND), place: line(9) }));
    assert_eq!(j.queue, Some(Sourced { value: "mail".into(), place: line(10) }));
    assert_eq!(j.priority, Some(Sourced { value: -1, place: line(11) }));
    assert_eq!(j.concurrency, Some(Sourced { value: Some(at_least_one(1)), place: line(12) }));
    assert_eq!(j.rate, Some(Sourced { value: Rate::new(at_least_one(1), SECOND), place: line(13) }));
    assert_eq!(j.unique, Some(Sourced { value: Some(Unique::Args), place: line(14) }));
    assert_eq!(s.overrides["k"].missed, Some(Sourced { value: Missed::ONCE, place: line(16) }));

    let s = settings(toml(file).environment(env));
    assert_eq!((s.retention.value, s.retention_count.value), (day * 2, 2));
    assert_eq!((s.queues["mail"].value, s.queues["slow"].value), (size(2).unwrap(), size(9).unwrap()));
    let j = &s.overrides["j"];
    assert_eq!(j.fixed_delay.as_ref().unwrap().value, SECOND * 120);
    assert_eq!(j.jitter.as_ref().unwrap().value, Some(SECOND * 2));
    assert_eq!(j.queue.as_ref().unwrap().value, "two");
    assert_eq!(j.priority.as_ref().unwrap().value, -2);
    assert_eq!(j.concurrency.as_ref().unwrap().value, Some(at_least_one(2)));
    assert_eq!(j.rate.as_ref().unwrap().value, Rate::new(at_least_one(2), SECOND * 2));
    assert_eq!(j.unique.as_ref().unwrap().value, Some(Unique::Per(SECOND * 120)));
    let missed = s.overrides["k"].missed.as_ref().unwrap();
    assert_eq!(missed.value, Missed::ALL.within(SECOND * 6 * 3600));
    assert_eq!(missed.place, Place::Env("JOBS__JOB__K__MISSED".into()));

    let s = settings(code(toml(file).environment(env)));
    assert_eq!((s.retention.value, s.retention_count.value), (SECOND * 3, 3));
    assert_eq!(s.queues["mail"].value, size(3).unwrap());
    let j = &s.overrides["j"];
    assert_eq!(j.fixed_delay.as_ref().unwrap().value, SECOND * 180);
    assert_eq!(j.jitter.as_ref().unwrap().value, Some(SECOND * 3));
    assert_eq!(j.queue.as_ref().unwrap().value, "three");
    assert_eq!(j.priority.as_ref().unwrap().value, -3);
    assert_eq!(j.concurrency.as_ref().unwrap().value, Some(at_least_one(3)));
    assert_eq!(j.rate.as_ref().unwrap().value, Rate::new(at_least_one(3), SECOND * 3));
    assert_eq!(j.unique.as_ref().unwrap().value, Some(Unique::Per(SECOND * 3)));
    assert_eq!(s.overrides["k"].missed.as_ref().unwrap().value, Missed::SKIP);
}

#[test]
fn a_week_and_ten_thousand_runs_are_kept_where_nothing_is_said() {
    let s = settings(no_env(Config::default()));
    assert_eq!(s.retention, Sourced { value: SECOND * 7 * 24 * 3600, place: Place::Default });
    assert_eq!(s.retention_count, Sourced { value: 10_000, place: Place::Default });
    assert!(s.queues.is_empty());
}

#[test]
fn what_an_attribute_says_can_be_taken_away() {
    let off = "timeout = \"off\"\njitter = \"off\"\nconcurrency = \"off\"\nrate = \"off\"\nunique = false";
    let lines = off.lines().map(|line| format!("job.j.{}\n", line.replace('"', "")));
    let in_code = |config: Config| {
        config.job("j", |j| {
            j.without_timeout().without_jitter().without_concurrency().without_rate().unique(false)
        })
    };
    for config in [
        toml(&format!("[job.j]\n{off}")),
        conf(&format!("{}[dev]", lines.collect::<String>())),
        in_code(no_env(Config::default())),
    ] {
        let j = &settings(config).overrides["j"];
        assert_eq!(j.timeout.as_ref().unwrap().value, None);
        assert_eq!(j.jitter.as_ref().unwrap().value, None);
        assert_eq!(j.concurrency.as_ref().unwrap().value, None);
        assert_eq!(j.rate.as_ref().unwrap().value, None);
        assert_eq!(j.unique.as_ref().unwrap().value, None);
    }
}

#[test]
fn a_delay_replaces_the_schedule_of_a_lower_source_and_the_other_way_round() {
    let delay =
        &settings(toml("job.j.schedule = \"@daily\"").environment([("JOBS__JOB__J__FIXED_DELAY", "1m")]))
            .overrides["j"];
    assert_eq!((&delay.schedule, delay.fixed_delay.is_some()), (&None, true));
    let schedule =
        &settings(toml("job.j.fixed_delay = \"1m\"").job("j", |j| j.schedule("@daily"))).overrides["j"];
    assert_eq!((schedule.schedule.is_some(), &schedule.fixed_delay), (true, &None));
}

#[test]
fn the_name_of_a_queue_keeps_its_spelling() {
    let env = |config: Config| settings(config.environment([("JOBS__QUEUES__BULK_MAIL", "4")]));
    assert!(env(toml("[jobs.queues]\nbulk-mail = 1")).queues.contains_key("bulk-mail"));
    assert!(env(Config::default().queue("bulk-mail", 1)).queues.contains_key("bulk-mail"));
    assert!(env(Config::default()).queues.contains_key("bulk_mail"));
    let two = settings(Config::default().environment([("JOBS__JOBS__QUEUES__A__B", "4")]));
    assert_eq!(two.queues.keys().collect::<Vec<_>>(), ["a__b"]);
}

#[test]
fn mistakes_in_code_have_their_place() {
    let (_, problems) = Config::default()
        .without_environment()
        .queue("Mail", 1)
        .queue("mail", 0)
        .job("j", |j| j.queue("A").concurrency(0).rate(0, SECOND).missed("al"))
        .resolve();
    assert_eq!(problems.len(), 6, "{problems:?}");
    assert!(problems.iter().all(|problem| problem.to_string().contains("limits.rs:")), "{problems:?}");
}
