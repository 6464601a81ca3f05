//! The sentence: what stands in the way now goes before what happened last, and that before what is to come.

use chrono::{DateTime, Utc};

use super::{Ending, Facts, Scheduled, Why};
use crate::clock::Timestamp;
use crate::runtime::snapshot::rounded;
use crate::scheduler::ledger::{Entry, Fate};
use crate::store::memory::{HeldBack, Life, LiveRun};

pub(super) fn explain(facts: &Facts) -> (Why, String) {
    ending(facts)
        .or_else(|| held_up_by_itself(facts))
        .or_else(|| held_back(facts))
        .or_else(|| running(facts))
        .or_else(|| queued(facts))
        .or_else(|| switched_off(facts))
        .or_else(|| waiting(facts))
        .or_else(|| without_schedule(facts))
        .or_else(|| last_slot(facts))
        .or_else(|| last_run(facts))
        .unwrap_or_else(|| to_come(facts))
}

fn ending(Facts { name, ending, .. }: &Facts) -> Option<(Why, String)> {
    let text = match (*ending)? {
        Ending::Begun => format!("`{name}` starts no more: this instance of jobs is shutting down"),
        Ending::Done => format!("`{name}` runs no more: this instance of jobs has been shut down"),
    };
    Some((Why::ShutDown, text))
}

/// Its last slot was skipped, and what it was skipped for has still not ended.
fn held_up_by_itself(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, overlap, .. } = facts;
    let (_, skipped) = latest(facts).filter(|(_, last)| last.fate == Fate::Skipped)?;
    let before = first(facts, |run| run.slot.is_some() && run.life != Life::Waiting)?;
    let does = match before.life {
        Life::Running { since } => format!("runs since {}", time(since)),
        Life::Scheduled { due } => format!("has failed and is tried again at {}", time(due)),
        Life::Available { since } => in_queue(since, facts),
        Life::Waiting => "waits".to_owned(),
    };
    let slots = if skipped.count == 1 { "slot".to_owned() } else { format!("{} slots", skipped.count) };
    let of = before.slot.map_or(String::new(), |slot| format!(" of {}", time(slot)));
    let text = format!(
        "`{name}` skipped its last {slots}, up to {}, since its run{of} has not ended (`overlap = \"{overlap}\"`): that {does}",
        time(skipped.to)
    );
    Some((Why::Skipped, text))
}

/// A run could start but for a limit, which is the answer also where others of the job run.
fn held_back(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    let limit = facts.held_back.as_ref()?;
    let (of, since) = first_available(facts)?;
    let text = format!("a run{of} of `{name}` waits since {}: {}", time(since), limited(limit));
    Some((Why::HeldBack, text))
}

fn limited(limit: &HeldBack) -> String {
    match limit {
        HeldBack::QueuePaused(queue) => {
            format!("its queue `{queue}` is paused; `jobs.resume_queue(\"{queue}\")` lets it go on")
        }
        HeldBack::QueueFull(queue, limit) => format!(
            "its queue `{queue}` is full, with {limit} running; `jobs.queues.{queue}` makes it larger"
        ),
        HeldBack::Concurrency(limit) => {
            format!("`concurrency = {limit}` lets no more run at the same time")
        }
        HeldBack::Rate(rate) => format!("`rate = \"{rate}\"` lets no other start yet"),
        HeldBack::Threads(threads) => {
            format!("{threads} plain functions run, which is as many as there are threads for")
        }
    }
}

/// The slot of the available run that waits longest, for a sentence, and since when it does.
fn first_available(facts: &Facts) -> Option<(String, Timestamp)> {
    let since = |run: &LiveRun| match run.life {
        Life::Available { since } => Some((since, run.slot)),
        _ => None,
    };
    let (since, slot) = facts.live.iter().filter_map(since).min()?;
    Some((slot.map_or(String::new(), |slot| format!(" of {}", time(slot))), since))
}

fn running(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    let since = |run: &&LiveRun| if let Life::Running { since } = run.life { Some(since) } else { None };
    let since: Vec<_> = facts.live.iter().filter_map(|run| since(&run)).collect();
    let first = since.iter().min()?;
    let text = match since.len() {
        1 => format!("`{name}` runs now, since {}", time(*first)),
        count => format!("`{name}` runs now, in {count} runs, the first since {}", time(*first)),
    };
    Some((Why::Running, text))
}

fn queued(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    let (of, since) = first_available(facts)?;
    Some((Why::Queued, format!("a run{of} of `{name}` {}", in_queue(since, facts))))
}

/// What a run waits for that could start.
fn in_queue(since: Timestamp, Facts { pool, held_back, .. }: &Facts) -> String {
    if let Some(limit) = held_back {
        return format!("waits since {}: {}", time(since), limited(limit));
    }
    let full = match pool.size {
        Some(size) if pool.running >= size.get() => {
            let others = match pool.queued {
                0 | 1 => String::new(),
                queued => format!(", and {queued} runs wait"),
            };
            format!(
                "in which {} of {size} places are taken{others}; `jobs.pool` makes it larger",
                pool.running
            )
        }
        _ => return "is about to start".to_owned(),
    };
    format!("waits for the pool since {}, {full}", time(since))
}

fn switched_off(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    if let Some(place) = &facts.disabled_at {
        let by = if facts.runs_now { format!("jobs.run_now(\"{name}\")") } else { "jobs::now".to_owned() };
        let text =
            format!("`{name}` does not fire here: it is not enabled ({place}); `{by}` runs it all the same");
        return Some((Why::Disabled, text));
    }
    let since = time(facts.paused_since?);
    let text = format!("`{name}` is paused since {since}; `jobs.resume(\"{name}\")` lets it fire again");
    Some((Why::Paused, text))
}

fn waiting(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    if let Some((run, due)) = scheduled(facts, |run| run.attempt > 0) {
        let of = run.slot.map_or(String::new(), |slot| format!(" of {}", time(slot)));
        let next = run.attempt + 1;
        let text = format!(
            "the run{of} of `{name}` has failed and is tried again at {}, as attempt {next}",
            time(due)
        );
        return Some((Why::Retrying, text));
    }
    if let Some(run) = first(facts, |run| run.life == Life::Waiting) {
        let of = run.slot.map_or(String::new(), |slot| format!(" of {}", time(slot)));
        return Some((Why::Waiting, format!("the run{of} of `{name}` waits for the end of the one before")));
    }
    let (_, due) = scheduled(facts, |run| run.attempt == 0).filter(|_| facts.schedules.is_empty())?;
    Some((Why::Delayed, format!("a run of `{name}` waits for its time, {}", time(due))))
}

fn scheduled(facts: &Facts, which: impl Fn(&LiveRun) -> bool) -> Option<(&LiveRun, Timestamp)> {
    let due = |run| match run {
        &LiveRun { life: Life::Scheduled { due }, .. } => Some((run, due)),
        _ => None,
    };
    facts.live.iter().filter(|run| which(run)).filter_map(due).min_by_key(|(_, due)| *due)
}

fn without_schedule(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, schedules, .. } = facts;
    if schedules.is_empty() && facts.previous.is_none() {
        let or = if facts.runs_now { format!(" or `jobs.run_now(\"{name}\")`") } else { String::new() };
        let text = format!("`{name}` has no schedule: it runs when it is submitted, with `jobs::now`{or}");
        return Some((Why::NotScheduled, text));
    }
    let off = schedules.iter().filter_map(|schedule| Some((&schedule.key, schedule.off_at.as_ref()?)));
    let off: Vec<_> = off.map(|(key, place)| format!("`{key}` is switched off ({place})")).collect();
    (!off.is_empty() && off.len() == schedules.len())
        .then(|| (Why::Off, format!("`{name}` does not fire: {}", off.join(", and "))))
}

fn last_slot(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, overlap, .. } = facts;
    let (schedule, last) = latest(facts)?;
    let slot = time(last.to);
    let (why, text) = match last.fate {
        Fate::Skipped => (
            Why::Skipped,
            format!(
                "skipped its last slot, {slot}, since the run of a slot before had not ended (`overlap = \"{overlap}\"`)"
            ),
        ),
        Fate::Missed => {
            let cause = last.cause.map_or("the program could not see it come", |cause| cause.as_str());
            let noticed = time(last.noted);
            (
                Why::Missed,
                format!("missed its last slot, {slot}, since {cause}, which was noticed at {noticed}"),
            )
        }
        Fate::Paused => (Why::WasPaused, format!("was paused at its last slot, {slot}, and is not any more")),
        _ => return None,
    };
    let advice = match why {
        Why::Missed if !schedule.makes_up => "; `missed = \"once\"` makes up for it",
        _ => "",
    };
    Some((why, format!("`{name}` {text}{}{advice}", next(facts))))
}

fn last_run(facts: &Facts) -> Option<(Why, String)> {
    let Facts { name, .. } = facts;
    let Some(run) = &facts.previous else {
        let (_, last) = latest(facts)?;
        let slot = time(last.to);
        let text = format!(
            "`{name}` made a run for its last slot, {slot}, that ended before it started{}",
            next(facts)
        );
        return Some((Why::Failed, text));
    };
    let why = if run.outcome.is_success() { Why::Ran } else { Why::Failed };
    let of = run.slot.map_or(String::new(), |slot| format!(" for its slot {}", time(slot)));
    let joined = if why == Why::Ran { "and" } else { "but" };
    let text =
        format!("`{name}` did run{of}, at {}, {joined} {}{}", time(run.started), run.outcome, next(facts));
    Some((why, text))
}

fn to_come(facts: &Facts) -> (Why, String) {
    let Facts { name, .. } = facts;
    let text = match upcoming(facts) {
        Some(next) if next <= facts.now => {
            format!("the slot of `{name}` of {} fires later by a part of its jitter", time(next))
        }
        Some(next) => format!("`{name}` has had no slot yet: the first is at {}", in_time(next, facts.now)),
        None => format!("`{name}` has no slot that is still to come"),
    };
    (Why::NotDue, text)
}

// What the sentences ask for.

/// The slots of the job that were entered last.
fn latest(facts: &Facts) -> Option<(&Scheduled, Entry)> {
    let entered = facts.schedules.iter().filter_map(|schedule| Some((schedule, schedule.last?)));
    entered.max_by_key(|(_, last)| (last.noted, last.to))
}

/// The earliest of the live runs that are meant.
fn first(facts: &Facts, which: impl Fn(&LiveRun) -> bool) -> Option<LiveRun> {
    facts.live.iter().filter(|run| which(run)).min_by_key(|run| run.slot).copied()
}

fn upcoming(facts: &Facts) -> Option<Timestamp> {
    facts.schedules.iter().filter_map(|schedule| schedule.next).min()
}

fn next(facts: &Facts) -> String {
    match upcoming(facts) {
        Some(next) if next <= facts.now => {
            format!("; the slot of {} fires later by a part of its jitter", time(next))
        }
        Some(next) => format!("; the next slot is at {}", in_time(next, facts.now)),
        None => String::new(),
    }
}

fn in_time(at: Timestamp, now: Timestamp) -> String {
    match rounded(at.since(now)) {
        Some(left) => format!("{} (in {left})", time(at)),
        None => time(at),
    }
}

fn time(at: Timestamp) -> String {
    let at: DateTime<Utc> = at.to_chrono();
    at.format("%Y-%m-%d %H:%M:%S UTC").to_string()
}
