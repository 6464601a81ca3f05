//! The next fire time: `jobs::Schedule` against `cron` and `croner`. Run with `cargo run --release`.
//!
//! Each library walks forty years at most, again and again, from fire time to fire time, as a scheduler does; the medians of the time per step
//! are printed in nanoseconds, with the ratio to `cron` where it can express the schedule.
#![allow(clippy::disallowed_methods, reason = "the real clock is what a benchmark reads")]

use std::hint::black_box;
use std::str::FromStr;
use std::time::Instant;

use chrono::{DateTime, TimeZone, Utc};
use chrono_tz::Tz;
use jobs::Schedule;

/// Our text, and `cron`'s and `croner`'s where they can express it: `cron` has no either-rule, `L`, `W` and `#`, and
/// numbers weekdays from Sunday 1.
const CASES: &[(&str, &str, Option<&str>)] = &[
    ("every second", "* * * * * *", Some("* * * * * *")),
    ("every minute", "0 * * * * *", Some("0 * * * * *")),
    ("every 15 minutes", "0 */15 * * * *", Some("0 */15 * * * *")),
    ("working hours", "0 */15 9-17 * * Mon-Fri", Some("0 */15 9-17 * * Mon-Fri")),
    ("daily", "0 30 3 * * *", Some("0 30 3 * * *")),
    ("weekly", "0 0 0 * * Sun", Some("0 0 0 * * Sun")),
    ("monthly", "0 0 0 1 * *", Some("0 0 0 1 * *")),
    ("yearly", "0 0 0 1 1 *", Some("0 0 0 1 1 *")),
    ("either day", "0 0 12 1,15 * Fri", None),
    ("last day", "0 0 12 L * *", None),
    ("last working day", "0 0 12 LW * *", None),
    ("second Friday", "0 0 12 * * FRI#2", None),
    ("last Friday", "0 0 12 * * FRIL", None),
    ("working day nearest 15th", "0 0 12 15W * *", None),
    // Years of clock changes between two fire times, and a repeated hour looked into at each of them.
    ("each minute of Feb 29", "0 * 0 29 2 *", Some("0 * 0 29 2 *")),
    ("Feb 29", "0 0 12 29 2 *", Some("0 0 12 29 2 *")),
];

/// What `cron` takes for schedules of the same frequency as those that it cannot express.
const FALLBACK: &str = "0 0 12 1 * *";

const ROUNDS: usize = 15;
const STEPS: usize = 2_000;

fn main() {
    let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 7).unwrap();
    for zone in [Tz::UTC, Tz::America__New_York] {
        println!("\n{zone}");
        println!("{:<26}{:>8}{:>8}{:>8}{:>12}", "", "jobs", "cron", "croner", "jobs/cron");
        for &(name, text, peer) in CASES {
            let ours = Schedule::parse(text).unwrap().in_zone(zone.name()).unwrap();
            let cron = cron::Schedule::from_str(peer.unwrap_or(FALLBACK)).unwrap();
            let croner =
                croner::parser::CronParser::builder().seconds(croner::parser::Seconds::Required).build();
            let croner = croner.parse(text).ok();

            let mut times: [Vec<f64>; 3] = Default::default();
            // In turns, so that a slow moment of the machine hits all alike.
            for _ in 0..ROUNDS {
                times[0].push(walk(start, |from| ours.next_after(from)));
                times[1]
                    .push(walk(start, |from| Some(cron.after(&from.with_timezone(&zone)).next()?.to_utc())));
                if let Some(croner) = &croner {
                    times[2].push(walk(start, |from| {
                        let next = croner.find_next_occurrence(&from.with_timezone(&zone), false).ok()?;
                        Some(next.to_utc())
                    }));
                }
            }
            let [ours, cron, croner] = times.map(median);
            let croner = if croner.is_nan() { "-".to_owned() } else { format!("{croner:.0}") };
            let ratio = ours / cron;
            let mark = if peer.is_some() { "" } else { " *" };
            println!("{name:<26}{ours:>8.0}{cron:>8.0}{croner:>8}{ratio:>12.2}{mark}");
        }
    }
    println!("\n* against `{FALLBACK}`, for cron cannot express the schedule");
    register();
}

/// A million schedules of a thousand texts, each asked for its first fire time.
fn register() {
    let texts: Vec<_> = (0..1_000)
        .map(|at| format!("TZ=Europe/Oslo {} {} {} * * *", at % 60, at / 60 % 60, at % 24))
        .collect();
    let start = Utc.with_ymd_and_hms(2026, 1, 1, 0, 0, 0).unwrap();
    let (before, began) = (resident(), Instant::now());
    let mut schedules = Vec::with_capacity(1_000_000);
    for at in 0..1_000_000 {
        let schedule = Schedule::parse(&texts[at % texts.len()]).unwrap();
        schedules.push((schedule.next_after(start), schedule));
    }
    let elapsed = began.elapsed();
    let bytes = resident().saturating_sub(before) / schedules.len();
    println!("\na million schedules of a thousand texts: {elapsed:.2?}, {bytes} B each with its next time");
}

/// Bytes of memory in use, on Linux; 0 elsewhere.
fn resident() -> usize {
    let pages = std::fs::read_to_string("/proc/self/statm").unwrap_or_default();
    pages.split(' ').nth(1).and_then(|pages| pages.parse::<usize>().ok()).unwrap_or_default() * 4096
}

/// Nanoseconds per step.
fn walk(start: DateTime<Utc>, mut next: impl FnMut(DateTime<Utc>) -> Option<DateTime<Utc>>) -> f64 {
    let end = start + chrono::TimeDelta::days(40 * 365);
    let began = Instant::now();
    let mut at = start;
    for _ in 0..STEPS {
        at = match next(black_box(at)) {
            Some(next) if next < end => next,
            _ => start,
        };
    }
    black_box(at);
    began.elapsed().as_nanos() as f64 / STEPS as f64
}

fn median(mut times: Vec<f64>) -> f64 {
    times.sort_by(f64::total_cmp);
    times.get(times.len() / 2).copied().unwrap_or(f64::NAN)
}
