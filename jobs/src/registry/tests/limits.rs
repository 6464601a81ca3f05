//! Limits and slots: what the attribute says, and the deployment over it.

use std::num::NonZeroU32;

use jobs_syntax::{Missed, Rate};

use super::*;
use crate::job::descriptor::{ScheduleDecl, WhenDecl};
use crate::job::options::{LimitOptions, SlotOptions, Unique};

const SECOND: Duration = Duration::from_secs(1);

fn limited() -> Descriptor {
    let limits = LimitOptions {
        queue: Some("mail"),
        priority: Some(5),
        concurrency: NonZeroU32::new(2),
        rate: Rate::new(NonZeroU32::MIN, SECOND),
        unique: Some(Unique::Fields(&["to"])),
    };
    Descriptor { limits, ..job("a", 1, vec![]) }
}

fn limits(say: impl FnOnce(Config) -> Config) -> Limits {
    let (registered, problems, _) = resolved([limited()], say);
    assert_eq!(problems, [""; 0]);
    registered[0].info.limits.clone()
}

#[test]
fn limits_come_from_the_deployment_then_the_source() {
    let source = Limits::from(limited().limits);
    assert_eq!((&*source.queue, source.priority), ("mail", 5));
    assert_eq!(limits(|config| config), source);
    assert_eq!(limits(|config| config.job("a", |a| a.overlap("skip"))), source);
    // One key leaves the others.
    assert_eq!(
        limits(|config| config.job("a", |a| a.queue("bulk"))),
        Limits { queue: "bulk".into(), ..source.clone() }
    );
    assert_eq!(
        limits(|config| config.job("a", |a| a.priority(-5).unique(true))),
        Limits { priority: -5, unique: Some(Unique::Args), ..source.clone() }
    );
    assert_eq!(
        limits(|config| config.job("a", |a| a.without_concurrency().without_rate().unique(false))),
        Limits { concurrency: None, rate: None, unique: None, ..source }
    );
    let (registered, ..) = resolved([job("plain", 1, vec![])], |config| config);
    assert_eq!(registered[0].info.limits, Limits::DEFAULT);
}

fn slots(schedules: Vec<ScheduleDecl>, say: impl FnOnce(Config) -> Config) -> Vec<SlotOptions> {
    let (registered, problems, _) = resolved([job("a", 1, schedules)], say);
    assert_eq!(problems, [""; 0]);
    registered[0].schedules.iter().map(|resolved| resolved.options).collect()
}

fn jittered(jitter: Option<Duration>, missed: Option<Missed>) -> ScheduleDecl {
    ScheduleDecl { jitter, missed, ..schedule(WhenDecl::Every("1h")) }
}

#[test]
fn slots_come_from_the_deployment_then_the_source() {
    let both = || vec![jittered(Some(SECOND), Some(Missed::ALL)), jittered(None, None)];
    let said = |jitter, missed| SlotOptions { jitter, missed };
    assert_eq!(slots(both(), |config| config), [said(Some(SECOND), Some(Missed::ALL)), said(None, None)]);
    assert_eq!(
        slots(both(), |config| config.job("a", |a| a.jitter(SECOND * 2).missed("once"))),
        [said(Some(SECOND * 2), Some(Missed::ONCE)); 2]
    );
    assert_eq!(
        slots(both(), |config| config.job("a", |a| a.without_jitter())),
        [said(None, Some(Missed::ALL)), said(None, None)]
    );
    // A deployment's own schedules keep what all of the attribute have in common.
    let daily = |config: Config| config.job("a", |a| a.schedule("@daily"));
    assert_eq!(slots(both(), daily), [said(None, None)]);
    let same = vec![jittered(Some(SECOND), None), jittered(Some(SECOND), None)];
    assert_eq!(slots(same, daily), [said(Some(SECOND), None)]);
}

#[test]
fn a_delay_of_the_deployment_replaces_the_schedules_of_the_source() {
    let (registered, problems, _) =
        resolved([job("a", 1, vec![spec("@daily")])], |config| config.job("a", |a| a.fixed_delay(SECOND)));
    assert_eq!(problems, [""; 0]);
    let delays: Vec<_> = registered[0].schedules.iter().map(|resolved| resolved.timing.delay()).collect();
    assert_eq!(delays, [Some(SECOND)]);
}

#[test]
fn what_is_said_of_slots_that_there_are_not_is_a_mistake() {
    let one = |schedules: Vec<ScheduleDecl>, say: fn(Config) -> Config| -> String {
        let problems = problems([job("a", 1, schedules)], say);
        let [problem] = problems.try_into().unwrap();
        problem
    };
    let problem = one(vec![], |config| config.job("a", |a| a.jitter(SECOND)));
    assert!(problem.starts_with("`job.a.jitter` has no effect: the job at src/shop.rs:1 has no schedule"));
    let problem =
        one(vec![schedule(WhenDecl::FixedDelay("1m"))], |config| config.job("a", |a| a.missed("once")));
    assert!(problem.starts_with("`job.a.missed` has no effect: the next slot is counted"), "{problem}");
    let problem =
        one(vec![schedule(WhenDecl::Every("5s"))], |config| config.job("a", |a| a.jitter(SECOND * 5)));
    assert!(problem.starts_with("the jitter of the job `a`, 5s, is not below its interval, 5s"), "{problem}");
    let slow = vec![jittered(Some(SECOND * 60), None)];
    let problem = one(slow, |config| config.job("a", |a| a.every(SECOND * 30)));
    assert!(
        problem.starts_with("the jitter of the job `a`, 1m, is not below its interval, 30s"),
        "{problem}"
    );
}

#[test]
fn a_variable_finds_the_queue_of_the_program() {
    let bulk = Descriptor {
        limits: LimitOptions { queue: Some("bulk-mail"), ..LimitOptions::DEFAULT },
        ..job("a", 1, vec![])
    };
    let (_, problems, settings) =
        resolved([bulk], |config| config.environment([("JOBS__QUEUES__BULK_MAIL", "4")]));
    assert_eq!(problems, [""; 0]);
    assert_eq!(settings.queues.keys().collect::<Vec<_>>(), ["bulk-mail"]);
}

/// What is logged while `run` runs, each event as its fields.
fn logged(run: impl FnOnce()) -> Vec<String> {
    use std::fmt::{Debug, Write};
    use std::sync::{Arc, Mutex};

    use tracing::field::{Field, Visit};
    use tracing::span::{Attributes, Id, Record};
    use tracing::{Event, Metadata, Subscriber};

    #[derive(Clone, Default)]
    struct Log(Arc<Mutex<Vec<String>>>);
    struct Fields(String);

    impl Visit for Fields {
        fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
            write!(self.0, "{}={value:?} ", field.name()).unwrap();
        }
    }

    impl Subscriber for Log {
        fn enabled(&self, _: &Metadata<'_>) -> bool {
            true
        }

        fn new_span(&self, _: &Attributes<'_>) -> Id {
            Id::from_u64(1)
        }

        fn record(&self, _: &Id, _: &Record<'_>) {}

        fn record_follows_from(&self, _: &Id, _: &Id) {}

        fn event(&self, event: &Event<'_>) {
            let mut fields = Fields(String::new());
            event.record(&mut fields);
            self.0.lock().unwrap().push(fields.0);
        }

        fn enter(&self, _: &Id) {}

        fn exit(&self, _: &Id) {}
    }

    let log = Log::default();
    tracing::subscriber::with_default(log.clone(), run);
    std::mem::take(&mut *log.0.lock().unwrap())
}

#[test]
fn a_queue_that_no_job_is_in_is_told() {
    let told = |queue: &'static str| {
        logged(|| {
            let (_, problems, _) = resolved([limited()], |config| config.queue(queue, 5));
            assert_eq!(problems, [""; 0]);
        })
    };
    assert_eq!(told("mail"), [""; 0]);
    assert_eq!(told("default"), [""; 0]);
    let [near] = told("mial").try_into().unwrap();
    assert!(near.contains("queue=\"mial\"") && near.contains("near=\"mail\""), "{near}");
    let [far] = told("payments").try_into().unwrap();
    assert!(far.contains("queue=\"payments\"") && !far.contains("near="), "{far}");
}
