//! A simulated year: what becomes of every slot, against a model that was written from the design and not from the code.
//!
//! Schedules in thirty zones, with fixed times and wildcards, `L`, `W` and `#`, intervals and fixed delays, jitter, all
//! overlap and missed policies, runs of random length, pauses, clocks that are set forward and back, machines that sleep.
//! Every slot must be in the ledger exactly once, with the fate that the model predicts.
//!
//! The seeds are the numbers from 0 on. `JOBS_TEST_SEED=17` replays one, `JOBS_TEST_SEEDS=100` runs so many, and
//! `JOBS_TEST_YEAR=500x365` chooses how many schedules there are, and for how many days: that year takes a processor little
//! more than a minute.

use std::collections::BTreeMap;

mod schedule_oracle;
mod support;

#[path = "year/check.rs"]
mod check;
#[path = "year/model.rs"]
mod model;
#[path = "year/program.rs"]
mod program;
#[path = "year/slots.rs"]
mod slots;
#[path = "year/world.rs"]
mod world;

use model::{Clock, Model};
use program::Program;
use schedule_oracle::Random;
use world::{DAY, Event, MINUTE, World};

/// How many schedules, for how many days.
fn size() -> (usize, i64) {
    let Ok(text) = std::env::var("JOBS_TEST_YEAR") else { return (80, 60) };
    let size = text
        .split_once('x')
        .and_then(|(schedules, days)| Some((schedules.parse().ok()?, days.parse().ok()?)));
    size.unwrap_or_else(|| panic!("JOBS_TEST_YEAR is `{text}`, and has to be like `500x365`"))
}

#[test]
fn every_slot_is_in_the_ledger_once_with_the_fate_that_the_model_predicts() {
    support::seeds::for_each(3, year);
}

async fn year(seed: u64) {
    let (schedules, days) = size();
    let mut random = Random::from_seed(seed);
    let world = World::random(&mut random, schedules, program::MOST_JOBS, days);
    let program = Program::start(&world, seed).await;
    let mut clock = Clock { wall: world.start, mono: 0, elapsed: 0 };
    let mut models: Vec<_> = world.jobs.iter().map(|job| Model::new(job, clock)).collect();
    let mut checked = clock.elapsed;
    while clock.wall < world.end {
        for event in world.events(&mut random) {
            if support::seeds::replays() {
                eprintln!("{} {event:?}", program::utc(clock.wall));
            }
            program.happen(&event).await;
            happen(&event, &mut models, &mut clock);
            assert_eq!(
                program.test.now_utc(),
                program::utc(clock.wall),
                "the model's clock, after {event:?}"
            );
        }
        // The ledger keeps what was noticed in the last seven days.
        if clock.elapsed - checked > 2 * DAY {
            checked = clock.elapsed;
            // A scheduler that has just died is started again, and enters what it had in its hands.
            let minute = Event::Advance(MINUTE);
            program.happen(&minute).await;
            happen(&minute, &mut models, &mut clock);
            check_all(&program, &mut models, clock);
        }
    }
    check_all(&program, &mut models, clock);
    for (number, model) in models.iter().enumerate().filter(|(_, model)| !model.ambiguous) {
        check::runs(&program, number, model);
    }
    let ambiguous = models.iter().filter(|model| model.ambiguous).count();
    assert!(ambiguous * 10 <= models.len(), "{ambiguous} of {} jobs cannot be predicted", models.len());
    let mut fates = BTreeMap::new();
    for (_, fate) in models.iter().flat_map(|model| &model.of).flat_map(|of| &of.fates) {
        *fates.entry(format!("{fate:?}")).or_insert(0_u64) += 1;
    }
    eprintln!("seed {seed}: {} jobs, {ambiguous} of them not to be predicted, and {fates:?}", models.len());
    program.test.shutdown().await;
}

fn check_all(program: &Program, models: &mut [Model], clock: Clock) {
    for (number, model) in models.iter_mut().enumerate().filter(|(_, model)| !model.ambiguous) {
        check::ledger(program, number, model, clock.wall);
    }
}

/// What the models make of an event.
fn happen(event: &Event, models: &mut [Model], clock: &mut Clock) {
    let advance = |models: &mut [Model], clock: &mut Clock, by: i64| {
        models.iter_mut().for_each(|model| model.advance(*clock, by));
        *clock = Clock { wall: clock.wall + by, mono: clock.mono + by, elapsed: clock.elapsed + by };
    };
    match *event {
        Event::Advance(by) => advance(models, clock, by + 1),
        Event::Step(by) => {
            for model in models.iter_mut() {
                if by < 0 { model.set_back(*clock, -by) } else { model.jump(*clock, by, false) }
            }
            clock.wall += by;
            advance(models, clock, 1);
        }
        Event::Suspend(by) => {
            models.iter_mut().for_each(|model| model.jump(*clock, by, true));
            *clock = Clock { wall: clock.wall + by, mono: clock.mono, elapsed: clock.elapsed + by };
            advance(models, clock, 1);
        }
        Event::Pause(job) => models[job].pause(true, *clock),
        Event::Resume(job) => models[job].pause(false, *clock),
        // It is started again, and nobody notices.
        Event::Die => {}
    }
}
