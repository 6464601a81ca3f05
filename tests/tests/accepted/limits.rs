//! Every key about limits and slots, in each of its forms, arrives in the program as it was meant.
#![forbid(unsafe_code)]
#![deny(warnings)]

use std::num::NonZeroU32;
use std::time::Duration;

use jobs::__private::{Descriptor, LimitOptions, Missed, Rate, Unique, WhenDecl};
use jobs::{Job, JobContext, job};

#[job(every = "1h", jitter = "30s", missed = "all within 6h", args(to = "ada"))]
#[job(fixed_delay = "5m", jitter = "10s", args(to = "bob"))]
#[job(queue = "mail", priority = -100, concurrency = 2, rate = "100/1m", unique(to, r#type))]
async fn send(
    #[redact]
    #[default]
    token: String,
    to: String,
    #[default] r#type: u64,
) {
    drop((token, to, r#type));
}

#[job(schedule = "cron.nightly", missed = "once", overlap = "skip", unique = "10m", priority = 100i8)]
fn nightly(_cx: &JobContext) {}

#[job(schedule = ["@daily", "@hourly"], missed = "skip", jitter = "1m", unique)]
async fn often() {}

// A delay in one attribute and an interval in another: the policy is about the slots of the interval.
#[job(fixed_delay = "1h")]
#[job(every = "1h", overlap = "allow", concurrency = 1u32)]
async fn both(
    #[default = 3]
    #[redact]
    pin: u32,
) {
    let _ = pin;
}

fn descriptor<J: Job>() -> &'static Descriptor {
    J::__descriptor().expect("made by the attribute")
}

#[test]
fn accepted() {
    let sent = descriptor::<send>();
    assert_eq!(
        sent.limits,
        LimitOptions {
            queue: Some("mail"),
            priority: Some(-100),
            concurrency: NonZeroU32::new(2),
            rate: Rate::new(NonZeroU32::new(100).unwrap(), Duration::from_secs(60)),
            unique: Some(Unique::Fields(&["to", "type"])),
        }
    );
    let slots: Vec<_> = sent.schedules.iter().map(|slot| (slot.when, slot.jitter, slot.missed)).collect();
    let hours = Missed::ALL.within(Duration::from_secs(6 * 3600));
    assert_eq!(
        slots,
        [
            (WhenDecl::Every("1h"), Some(Duration::from_secs(30)), Some(hours)),
            (WhenDecl::FixedDelay("5m"), Some(Duration::from_secs(10)), None),
        ]
    );
    let arguments: Vec<_> = sent
        .arguments
        .iter()
        .map(|argument| (argument.name, argument.has_default, argument.redacted))
        .collect();
    assert_eq!(arguments, [("token", true, true), ("to", false, false), ("type", true, false)]);
    assert!((sent.read)(r#"{"to":"ada"}"#).is_ok(), "what is missing takes its default");
    assert!((sent.read)(r#"{"token":"x"}"#).is_err());

    let nightly_limits = descriptor::<nightly>().limits;
    assert_eq!(nightly_limits.unique, Some(Unique::Per(Duration::from_secs(600))));
    assert_eq!(nightly_limits.priority, Some(100));
    assert_eq!(
        descriptor::<often>().limits,
        LimitOptions { unique: Some(Unique::Args), ..LimitOptions::DEFAULT }
    );
    assert_eq!(descriptor::<often>().schedules[1].missed, Some(Missed::SKIP));

    let _ = send { token: String::new(), to: String::new(), r#type: 1 };
    let _ = (nightly {}, often {}, both { pin: 1 });
}
