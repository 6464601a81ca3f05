//! The ledger of the program against the model.

use jobs::{LedgerEntry, Tally};

use crate::model::{Fate, Model, Of};
use crate::program::{Program, key, name, utc};
use crate::world::{DAY, MINUTE, Overlap, When};

/// Every slot is in the ledger exactly once, with the fate that the model predicts.
pub(crate) fn ledger(program: &Program, number: usize, model: &mut Model, wall: i64) {
    if let Err((what, near)) = compare(program, number, model, wall) {
        let all = program.test.ledger(name(number)).unwrap();
        let all = all.between(utc(near - DAY / 2), utc(near + DAY / 2)).entries();
        let told =
            all.iter().map(|entry| format!("  {}: {entry}", entry.schedule)).collect::<Vec<_>>().join("\n");
        let mut slots: Vec<_> = model
            .of
            .iter()
            .enumerate()
            .flat_map(|(index, of)| {
                let near = of.fates.iter().filter(|(slot, _)| (slot - near).abs() < DAY / 2);
                near.map(move |(slot, fate)| (*slot, format!("  {}: {} {fate:?}", key(index), utc(*slot))))
            })
            .collect();
        slots.sort();
        let slots: Vec<_> = slots.into_iter().map(|(_, slot)| slot).collect();
        panic!("{what}\nthe ledger of the job:\n{told}\nthe model:\n{}", slots.join("\n"));
    }
}

fn compare(program: &Program, number: usize, model: &mut Model, wall: i64) -> Result<(), (String, i64)> {
    let job = name(number);
    let recent = utc(wall - 9 * DAY)..utc(wall + 9 * DAY);
    for (index, of) in model.of.iter_mut().enumerate() {
        let query = program.test.ledger(job).unwrap().schedule(key(index));
        let tally = query.tally();
        let entries = query.between(recent.start, recent.end).entries();
        let told = |what: String| {
            let shown = of.schedule.shown();
            format!("{job}, {:?}, {shown}, at {}: {what}", model.job.overlap, utc(wall))
        };
        if let Some(jitter) = of.schedule.jitter {
            jittered(of, &entries, tally, wall, jitter)
                .map_err(|(what, near)| (told(what), near.unwrap_or(wall)))?;
        } else {
            exact(of, &entries, tally).map_err(|(what, near)| (told(what), near.unwrap_or(wall)))?;
        }
        of.checked = of.fates.len();
    }
    Ok(())
}

fn fate_of(entry: &LedgerEntry) -> Fate {
    match entry.fate {
        jobs::Fate::Ran => Fate::Ran,
        jobs::Fate::Shifted => Fate::Shifted,
        jobs::Fate::CaughtUp => Fate::CaughtUp,
        jobs::Fate::Skipped => Fate::Skipped,
        jobs::Fate::Missed if entry.reason == "missed, since the machine slept" => Fate::Slept,
        jobs::Fate::Missed if entry.reason == "missed, since the clock was set forward" => Fate::SetForward,
        jobs::Fate::Paused => Fate::Paused,
        _ => Fate::Unknown,
    }
}

/// Each entry is a row of slots of the model with its fate, no two have a slot in common, and none is left out.
fn exact(of: &Of, entries: &[LedgerEntry], tally: Tally) -> Result<(), (String, Option<i64>)> {
    let mut rows = Vec::new();
    for entry in entries {
        let (from, to, count) =
            (entry.from.timestamp_millis(), entry.to.timestamp_millis(), entry.count as usize);
        let fits = |last: usize| {
            let first = (last + 1).checked_sub(count)?;
            let row =
                of.fates[first].0 == from && of.fates[last].1 == fate_of(entry) && of.begins[last] <= first;
            (row && !rows.contains(&(first, last))).then_some((first, last))
        };
        let row = of.places.get(&to).and_then(|places| places.iter().find_map(|place| fits(*place)));
        rows.push(
            row.ok_or_else(|| (format!("the ledger says `{entry}`, and the model does not"), Some(from)))?,
        );
    }
    rows.sort_unstable();
    if let Some(pair) = rows.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
        return Err((format!("slots stand twice in the ledger: {pair:?}"), Some(of.fates[pair[1].0].0)));
    }
    let mut next = of.checked;
    for (first, last) in rows {
        if first <= next {
            next = next.max(last + 1);
        }
    }
    if next < of.fates.len() {
        let (slot, fate) = of.fates[next];
        return Err((format!("{} is not in the ledger, the model says {fate:?}", utc(slot)), Some(slot)));
    }
    let count = |fate: Fate| of.counts.get(&fate).copied().unwrap_or_default();
    let told = [tally.ran, tally.caught_up, tally.skipped, tally.missed, tally.paused, tally.shut_down];
    let missed = count(Fate::Slept) + count(Fate::SetForward);
    let ran = count(Fate::Ran) + count(Fate::Shifted);
    let counts = [ran, count(Fate::CaughtUp), count(Fate::Skipped), missed, count(Fate::Paused), 0];
    if told == counts { Ok(()) } else { Err((format!("counts {told:?}, the model counts {counts:?}"), None)) }
}

/// Each slot whose time to fire is over lies in one entry, whose fate it has where the model knows it.
fn jittered(
    of: &Of,
    entries: &[LedgerEntry],
    tally: Tally,
    wall: i64,
    jitter: i64,
) -> Result<(), (String, Option<i64>)> {
    let mut ranges: Vec<_> = entries
        .iter()
        .map(|entry| (entry.from.timestamp_millis(), entry.to.timestamp_millis(), entry))
        .collect();
    ranges.sort_by_key(|(from, to, _)| (*from, *to));
    if let Some(pair) = ranges.windows(2).find(|pair| pair[1].0 <= pair[0].1) {
        return Err((format!("slots stand twice in the ledger: {pair:?}"), Some(pair[1].0)));
    }
    for (slot, fate) in &of.fates[of.checked..] {
        if *slot + jitter + MINUTE >= wall {
            continue;
        }
        let after = ranges.partition_point(|(from, ..)| from <= slot);
        let Some((_, _, entry)) = ranges[..after].last().filter(|(_, to, _)| slot <= to) else {
            return Err((
                format!("{} is not in the ledger, the model says {fate:?}", utc(*slot)),
                Some(*slot),
            ));
        };
        if *fate != Fate::Unknown && *fate != fate_of(entry) {
            return Err((
                format!("the ledger says `{entry}` of {}, the model {fate:?}", utc(*slot)),
                Some(*slot),
            ));
        }
    }
    let pending = of.fates.iter().filter(|(slot, _)| *slot + jitter + MINUTE >= wall).count() as u64;
    let all = of.fates.len() as u64;
    let total = tally.total();
    if (all - pending..=all).contains(&total) {
        Ok(())
    } else {
        Err((format!("counts {total}, the model {all}"), None))
    }
}

/// What has run are slots of the model that ran, each once.
pub(crate) fn runs(program: &Program, number: usize, model: &Model) {
    for (index, of) in model.of.iter().enumerate() {
        let started = program.diary.take(number, index);
        let told = |what: String| -> ! {
            let shown = of.schedule.shown();
            panic!("{}, {:?}, {shown}: {what}", name(number), model.job.overlap)
        };
        let has_run = |fate: Fate| matches!(fate, Fate::Ran | Fate::Shifted | Fate::CaughtUp | Fate::Unknown);
        let mut times = std::collections::HashMap::new();
        for run in &started {
            *times.entry(run.slot).or_insert(0_usize) += 1;
            let places = of.places.get(&run.slot).map_or(&[][..], Vec::as_slice);
            let ran = places.iter().filter(|place| has_run(of.fates[**place].1)).count();
            if times[&run.slot] > ran {
                told(format!("{} ran {} times, and should {ran}", utc(run.slot), times[&run.slot]));
            }
            let on_time = places.iter().any(|place| of.fates[*place].1 == Fate::Ran);
            let cron = matches!(of.schedule.when, When::Cron { .. });
            if let Some(jitter) = of.schedule.jitter.filter(|_| on_time)
                && !(0..jitter + 1).contains(&(run.at - run.slot))
            {
                told(format!("{} started at {}", utc(run.slot), utc(run.at)));
            }
            let starts_at_once = model.job.overlap == Overlap::Allow && of.schedule.jitter.is_none();
            if starts_at_once && on_time && cron && !(0..=MINUTE).contains(&(run.at - run.slot)) {
                told(format!("{} started at {}", utc(run.slot), utc(run.at)));
            }
        }
        let wanted = of.fates.iter().filter(|(_, fate)| has_run(*fate) && *fate != Fate::Unknown).count();
        if matches!(model.job.overlap, Overlap::Allow | Overlap::Skip) && started.len() < wanted {
            told(format!("{} runs have started, and {wanted} should", started.len()));
        }
    }
}
