//! The program under test: jobs by number, whose runs take as long as the model thinks.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use chrono::{DateTime, TimeDelta, Utc};
use jobs::testing::{self, TestJobs};
use jobs::{Config, Job, JobContext, JobResult};
use serde::{Deserialize, Serialize};

use crate::world::{self, Event, When, World};

/// The most jobs of a world.
pub(crate) const MOST_JOBS: usize = 60;

const NAME_BYTES: &[[u8; 6]; MOST_JOBS] = &{
    let mut names = [*b"job-00"; MOST_JOBS];
    let mut n = 0;
    while n < MOST_JOBS {
        names[n][4] += (n / 10) as u8;
        names[n][5] += (n % 10) as u8;
        n += 1;
    }
    names
};

pub(crate) fn name(job: usize) -> &'static str {
    std::str::from_utf8(&NAME_BYTES[job]).unwrap()
}

/// The job of a number.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Work<const N: usize> {
    schedule: usize,
}

impl<const N: usize> Job for Work<N> {
    const NAME: &'static str = match std::str::from_utf8(&NAME_BYTES[N]) {
        Ok(name) => name,
        Err(_) => unreachable!(),
    };

    async fn run(self, cx: JobContext) -> JobResult {
        cx.state::<Diary>().unwrap().run(N, self.schedule, &cx).await;
        Ok(())
    }
}

/// A run: its slot and its start, both by the clock on the wall.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Started {
    pub(crate) slot: i64,
    pub(crate) at: i64,
}

/// Runs by job and schedule.
type Runs = HashMap<(usize, usize), Vec<Started>>;

/// What ran.
#[derive(Debug, Clone)]
pub(crate) struct Diary {
    jobs: Arc<Vec<world::Job>>,
    started: Arc<Mutex<Runs>>,
}

impl Diary {
    async fn run(&self, job: usize, schedule: usize, cx: &JobContext) {
        let slot = cx.slot().expect("only slots make runs").timestamp_millis();
        let started = Started { slot, at: cx.started_at().timestamp_millis() };
        self.started.lock().unwrap().entry((job, schedule)).or_default().push(started);
        let takes = self.jobs[job].takes(slot);
        tokio::time::sleep(Duration::from_millis(takes as u64)).await;
    }

    /// Takes out what has started.
    pub(crate) fn take(&self, job: usize, schedule: usize) -> Vec<Started> {
        self.started.lock().unwrap().remove(&(job, schedule)).unwrap_or_default()
    }
}

pub(crate) struct Program {
    pub(crate) test: TestJobs,
    pub(crate) diary: Diary,
}

fn millis(millis: i64) -> Duration {
    Duration::from_millis(millis as u64)
}

pub(crate) fn utc(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap()
}

/// Calls a macro with the number of every job.
macro_rules! for_each_job {
    ($call:ident) => {
        $call!(
            0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25 26 27 28 29
            30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59
        )
    };
}

impl Program {
    pub(crate) async fn start(world: &World, seed: u64) -> Self {
        let diary = Diary { jobs: Arc::new(world.jobs.clone()), started: Arc::default() };
        let mut config = Config::default().pool(0).state(diary.clone());
        macro_rules! register {
            ($($n:literal)*) => {
                $(config = config.register::<Work<$n>>();)*
            };
        }
        for_each_job!(register);
        for (number, job) in world.jobs.iter().enumerate() {
            config = config.job(name(number), |config| config.overlap(job.overlap.word()));
        }
        let test = testing::start(config).at(utc(world.start)).seed(seed).await;
        let program = Self { test, diary };
        for (number, job) in world.jobs.iter().enumerate() {
            for (index, schedule) in job.schedules.iter().enumerate() {
                program.schedule(number, index, schedule).await;
            }
        }
        assert_eq!(program.test.now_utc(), utc(world.start), "no time has passed");
        program
    }

    async fn schedule(&self, job: usize, index: usize, schedule: &world::Schedule) {
        macro_rules! schedule {
            ($($n:literal)*) => {
                match job {
                    $($n => self.add(schedule, index, Work::<$n> { schedule: index }).await,)*
                    _ => unreachable!("there are {MOST_JOBS} jobs"),
                }
            };
        }
        for_each_job!(schedule);
    }

    async fn add<J: Job>(&self, schedule: &world::Schedule, index: usize, job: J) {
        let mut adding = match &schedule.when {
            When::Cron { text, zone, .. } => self.test.schedule(text, job).tz(*zone),
            When::Interval(every) => self.test.every(millis(*every), job),
            When::FixedDelay(delay) => self.test.fixed_delay(millis(*delay), job),
        };
        if schedule.missed != world::Missed::SKIP {
            adding = adding.missed(schedule.missed.text());
        }
        if let Some(jitter) = schedule.jitter {
            adding = adding.jitter(millis(jitter));
        }
        adding.key(key(index)).await.unwrap_or_else(|error| panic!("{}: {error}", schedule.shown()));
    }

    /// Lets it happen, and a millisecond more.
    pub(crate) async fn happen(&self, event: &Event) {
        match *event {
            Event::Advance(by) => self.test.advance(millis(by)).await,
            Event::Step(by) => self.test.step(TimeDelta::milliseconds(by)).await,
            Event::Suspend(by) => self.test.suspend(millis(by)).await,
            Event::Pause(job) => self.test.pause(name(job)).await.unwrap(),
            Event::Resume(job) => self.test.resume(name(job)).await.unwrap(),
            Event::Die => self.test.kill_scheduler(),
        }
    }
}

pub(crate) fn key(schedule: usize) -> String {
    format!("s{schedule}")
}
