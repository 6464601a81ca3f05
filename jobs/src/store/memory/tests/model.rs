//! The state machine against a naive model: a list of runs, searched from its beginning for everything.

use super::*;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Where {
    Scheduled,
    Waiting,
    /// With its place in the order of those that became available.
    Available(u64),
    Running {
        worker: u32,
    },
    Ended(Outcome),
}

#[derive(Debug)]
struct ModelRun {
    key: RunKey,
    id: RunId,
    job: usize,
    of_slot: bool,
    is: Where,
    /// How many attempts have begun, and how many of them have failed.
    tried: u32,
    failed: u32,
    waiter: Option<oneshot::Receiver<Outcome>>,
    told: Option<Outcome>,
    /// The number of the check that first saw it ended.
    ended: Option<u32>,
}

impl ModelRun {
    fn is_live(&self) -> bool {
        !matches!(self.is, Where::Ended(_))
    }

    fn is_active(&self) -> bool {
        // A run of a slot is scheduled only to be tried again.
        matches!(self.is, Where::Available(_) | Where::Running { .. } | Where::Scheduled)
    }
}

#[derive(Debug, Default)]
struct Model {
    runs: Vec<ModelRun>,
    /// How many have become available.
    order: u64,
    checks: u32,
}

impl Model {
    fn add(&mut self, added: (RunId, RunKey), job: usize, of_slot: bool, is: Where) {
        let (id, key) = added;
        assert!(self.runs.iter().all(|run| run.key != key || !run.is_live()), "a key means one live run");
        self.runs.push(ModelRun {
            key,
            id,
            job,
            of_slot,
            is,
            tried: 0,
            failed: 0,
            waiter: None,
            told: None,
            ended: None,
        });
    }

    fn available(&mut self) -> Where {
        self.order += 1;
        Where::Available(self.order)
    }

    fn live_slots(&self, job: usize) -> Vec<usize> {
        let live = |run: &ModelRun| run.job == job && run.of_slot && run.is_live();
        (0..self.runs.len()).filter(|at| live(&self.runs[*at])).collect()
    }

    /// A run has ended: whoever waited behind it may be next.
    fn end(&mut self, at: usize, outcome: Outcome) {
        self.runs[at].is = Where::Ended(outcome);
        if !self.runs[at].of_slot {
            return;
        }
        let live = self.live_slots(self.runs[at].job);
        if live.iter().any(|at| self.runs[*at].is_active()) {
            return;
        }
        if let Some(next) = live.first() {
            let next = *next;
            self.runs[next].is = self.available();
        }
    }

    fn lives(&self, job: usize) -> Vec<&'static str> {
        let life = |run: &&ModelRun| match run.is {
            Where::Running { .. } => "running",
            Where::Available(_) => "available",
            Where::Waiting => "waiting",
            Where::Scheduled => "scheduled",
            Where::Ended(_) => "ended",
        };
        let live = self.runs.iter().filter(|run| run.job == job && run.is_live());
        let mut lives: Vec<_> = live.map(|run| life(&run)).collect();
        lives.sort_unstable();
        lives
    }

    fn at_all(&self, is: impl Fn(&Where) -> bool) -> Vec<usize> {
        (0..self.runs.len()).filter(|at| is(&self.runs[*at].is)).collect()
    }
}

const OVERLAPS: [Overlap; 5] = Overlap::ALL;

fn check(memory: &Memory, jobs: &[JobIx], model: &mut Model, at: &str) {
    let count = |is: fn(&Where) -> bool| model.at_all(is).len();
    let is_available = |is: &Where| matches!(is, Where::Available(_));
    let is_running = |is: &Where| matches!(is, Where::Running { .. });
    assert_eq!(memory.queued(), count(is_available), "{at}: queued");
    assert_eq!(memory.running(), count(is_running), "{at}: running");
    assert_eq!(memory.live(), count(|is| !matches!(is, Where::Ended(_))), "{at}: live");
    for (job, ix) in jobs.iter().enumerate() {
        let state = memory.job(*ix);
        let count = |is: &dyn Fn(&Where) -> bool| {
            model.runs.iter().filter(|run| run.job == job && is(&run.is)).count()
        };
        assert_eq!(state.running as usize, count(&is_running), "{at}: running of job {job}");
        assert_eq!(state.available as usize, count(&is_available), "{at}: available of job {job}");
        assert_eq!(state.scheduled as usize, count(&|is| *is == Where::Scheduled), "{at}: of job {job}");
        assert_eq!(state.waiting(), count(&|is| *is == Where::Waiting), "{at}: waiting of job {job}");
        assert_eq!(lives(memory, *ix, model), model.lives(job), "{at}: live of job {job}");
        let slots = model.live_slots(job);
        let (active, waits) = slots.iter().map(|at| &model.runs[*at]).fold((0, 0), |(active, waits), run| {
            (active + usize::from(run.is_active()), waits + usize::from(run.is == Where::Waiting))
        });
        assert!(waits == 0 || active > 0, "{at}: a run of job {job} waits for nobody");
        match OVERLAPS[job] {
            Overlap::Allow => assert_eq!(waits, 0, "{at}"),
            Overlap::Skip => assert!(active <= 1 && waits == 0, "{at}: {active}, {waits}"),
            Overlap::BufferAll => assert!(active <= 1, "{at}: {active}"),
            _ => assert!(active <= 1 && waits <= 1, "{at}: {active}, {waits}"),
        }
    }
    model.checks += 1;
    for run in &mut model.runs {
        if !run.is_live() && run.ended.is_none() {
            run.ended = Some(model.checks);
        }
    }
    for job in 0..jobs.len() {
        let ended: Vec<_> = model.runs.iter().filter(|run| run.job == job && !run.is_live()).collect();
        let (kept, gone): (Vec<&ModelRun>, Vec<&ModelRun>) =
            ended.iter().partition(|run| is_kept(memory, run));
        assert_eq!(kept.len(), ended.len().min(memory.retention.count), "{at}: kept of job {job}");
        let (first, last) = (kept.iter().map(|run| run.ended).min(), gone.iter().map(|run| run.ended).max());
        assert!(last.is_none() || last <= first, "{at}: the oldest are forgotten first");
    }
    assert!(model.runs.iter().filter(|run| run.is_live()).all(|run| is_kept(memory, run)), "{at}");
    let known = model.runs.iter().filter(|run| is_kept(memory, run)).count();
    assert_eq!(memory.runs.len(), known, "{at}: nothing else is kept");
    for run in &mut model.runs {
        if let Some(waiter) = &mut run.waiter {
            match (waiter.try_recv(), &run.is) {
                (Ok(outcome), Where::Ended(wanted)) => {
                    assert_eq!(outcome, *wanted, "{at}");
                    run.told = Some(outcome);
                    run.waiter = None;
                }
                (Err(oneshot::error::TryRecvError::Empty), is) if !matches!(is, Where::Ended(_)) => {}
                (told, is) => panic!("{at}: {is:?} was told {told:?}"),
            }
        }
    }
}

/// What the live runs of a job do, where workers execute what the model says.
fn lives(memory: &Memory, job: JobIx, model: &Model) -> Vec<&'static str> {
    let executed = model.at_all(|is| matches!(is, Where::Running { .. }));
    let executed = executed.into_iter().map(|at| model.runs[at].key);
    let life = |run: LiveRun| match run.life {
        Life::Running { .. } => "running",
        Life::Available { .. } => "available",
        Life::Waiting => "waiting",
        Life::Scheduled { .. } => "scheduled",
    };
    let mut lives: Vec<_> = memory.live_of(job, executed).into_iter().map(life).collect();
    lives.sort_unstable();
    lives
}

/// Whether the run is found, by its identity and by its key.
fn is_kept(memory: &Memory, run: &ModelRun) -> bool {
    let by_key = memory.runs.get(run.key).is_some_and(|kept| kept.id == run.id);
    let by_id = memory.by_id.get(run.id).filter(|key| memory.runs.get(*key).is_some());
    assert_eq!(by_id, by_key.then_some(run.key));
    by_key
}

fn random_walk(seed: u64, steps: usize) {
    const WORKERS: u32 = 3;
    let mut random = Random(seed);
    let mut memory = Memory::new(seed);
    if seed % 2 == 1 {
        memory.retain(Retention { count: 1 + seed as usize % 7, ..Retention::default() });
    }
    let names = ["buffer_one", "buffer_all", "skip", "allow", "cancel_other"];
    let jobs: Vec<_> = names
        .iter()
        .zip(OVERLAPS)
        .map(|(name, overlap)| memory.bind_job(info(name, overlap)).unwrap())
        .collect();
    let mut model = Model::default();
    for step in 0..steps {
        let job = random.below(jobs.len());
        let ix = jobs[job];
        let what = random.below(21);
        let at = format!("seed {seed}, step {step}, action {what}");
        match what {
            0..3 => {
                let added = memory.submit(ix, body(), Origin::Submission, now());
                let is = model.available();
                model.add(added, job, false, is);
            }
            3 => {
                let due = Timestamp::from_nanos(random.below(1000) as i64);
                let added = memory.delay(ix, body(), RunOptions::default(), due, now());
                assert_eq!(memory.due(added.1), Some((due, added.0)), "{at}");
                model.add(added, job, false, Where::Scheduled);
            }
            4..6 => {
                // Of any run, for it may have been cancelled meanwhile.
                let all: Vec<_> = (0..model.runs.len()).collect();
                let scheduled = model.at_all(|is| *is == Where::Scheduled);
                let from = if random.below(3) == 0 { &all } else { &scheduled };
                let Some(run) = random.of(from) else { continue };
                let is_scheduled = model.runs[run].is == Where::Scheduled;
                assert_eq!(memory.release(model.runs[run].key), is_scheduled, "{at}");
                if is_scheduled {
                    model.runs[run].is = model.available();
                }
                assert_eq!(memory.due(model.runs[run].key), None, "{at}");
            }
            6..11 => fire(&mut memory, &mut model, jobs[job], job, &at),
            11..14 => {
                let busy = model.at_all(|is| matches!(is, Where::Running { .. }));
                let busy: Vec<u32> = busy
                    .iter()
                    .map(|at| match model.runs[*at].is {
                        Where::Running { worker } => worker,
                        _ => unreachable!(),
                    })
                    .collect();
                let Some(worker) = (0..WORKERS).find(|worker| !busy.contains(worker)) else { continue };
                let claim = memory.claim(worker, reading(now()));
                let first =
                    model.at_all(|is| matches!(is, Where::Available(_))).into_iter().min_by_key(|at| {
                        match model.runs[*at].is {
                            Where::Available(order) => order,
                            _ => unreachable!(),
                        }
                    });
                assert_eq!(
                    claim.as_ref().map(|claim| claim.id),
                    first.map(|at| model.runs[at].id),
                    "{at}: first in, first out"
                );
                if let Some((claim, first)) = claim.zip(first) {
                    let run = &mut model.runs[first];
                    assert_eq!((claim.key, claim.slot.is_some()), (run.key, run.of_slot), "{at}");
                    assert_eq!(&*claim.job, names[run.job], "{at}");
                    run.is = Where::Running { worker };
                    run.tried += 1;
                    assert_eq!((claim.attempt, claim.retries), (run.tried, RETRIES), "{at}");
                }
            }
            14..17 => {
                let Some(run) = random.of(&model.at_all(|is| matches!(is, Where::Running { .. }))) else {
                    continue;
                };
                let outcome = match random.below(3) {
                    0 => Outcome::Failed(step.to_string()),
                    1 => Outcome::Panicked(step.to_string()),
                    _ => Outcome::Succeeded,
                };
                let key = model.runs[run].key;
                let again = memory.may_retry(key);
                let tried = model.runs[run].tried;
                assert_eq!(again.map(|(_, failures)| failures), (tried <= RETRIES).then_some(tried), "{at}");
                model.runs[run].failed += u32::from(!outcome.is_success());
                if again.is_some() && outcome.is_failure() && random.below(4) > 0 {
                    memory.retry(key, outcome, None, body(), Duration::from_secs(1), now());
                    assert_eq!(memory.due(key).unwrap().1, model.runs[run].id, "{at}");
                    model.runs[run].is = Where::Scheduled;
                    check(&memory, &jobs, &mut model, &at);
                    continue;
                }
                settle(memory.finish(key, outcome.clone(), None, None, now()));
                let previous = memory.job(jobs[model.runs[run].job]).previous.as_ref().unwrap();
                assert_eq!((previous.id, &previous.outcome), (model.runs[run].id, &outcome), "{at}");
                model.end(run, outcome);
                // Once more changes nothing.
                assert!(memory.finish(key, Outcome::Cancelled, None, None, now()).is_none(), "{at}");
                let attempts = memory.attempts(key);
                assert_eq!(attempts.len(), tried as usize, "{at}");
                let failed = attempts.iter().filter(|attempt| attempt.outcome.is_failure()).count();
                assert_eq!(failed, model.runs[run].failed as usize, "{at}");
                assert!(attempts.iter().map(|attempt| attempt.number).eq(1..=tried), "{at}");
            }
            17..19 => {
                let all: Vec<_> = (0..model.runs.len()).collect();
                let Some(run) = random.of(&all) else { continue };
                match (memory.cancel(model.runs[run].key, now()), model.runs[run].is.clone()) {
                    (Cancel::Gone, Where::Ended(_)) => {}
                    (Cancel::Running(worker), Where::Running { worker: of_model }) => {
                        assert_eq!(worker, of_model, "{at}");
                    }
                    (Cancel::Ended(ended), Where::Scheduled | Where::Waiting | Where::Available(_)) => {
                        ended.settle();
                        model.end(run, Outcome::Cancelled);
                    }
                    (cancel, is) => panic!("{at}: {cancel:?} of {is:?}"),
                }
            }
            19 => {
                let all: Vec<_> = (0..model.runs.len()).collect();
                let Some(run) = random.of(&all) else { continue };
                match (memory.watch(model.runs[run].key), &model.runs[run].is) {
                    (Watch::Ended(outcome), Where::Ended(wanted)) => assert_eq!(outcome, *wanted, "{at}"),
                    (Watch::Pending(waiter), is) if !matches!(is, Where::Ended(_)) => {
                        model.runs[run].waiter = Some(waiter);
                    }
                    (Watch::Gone, Where::Ended(_)) => assert!(!is_kept(&memory, &model.runs[run]), "{at}"),
                    (watch, is) => panic!("{at}: {watch:?} of {is:?}"),
                }
            }
            _ if random.below(12) == 0 => {
                let unstarted =
                    model.at_all(|is| matches!(is, Where::Scheduled | Where::Waiting | Where::Available(_)));
                let drained = memory.drain(now());
                assert_eq!(drained.len(), unstarted.len(), "{at}");
                settle(drained);
                for run in unstarted {
                    model.runs[run].is = Where::Ended(Outcome::Lost);
                }
            }
            _ => {}
        }
        check(&memory, &jobs, &mut model, &at);
    }
    // To the end: nothing is left behind.
    for _ in 0..model.runs.len() + 1 {
        for run in model.at_all(|is| matches!(is, Where::Running { .. })) {
            settle(memory.finish(model.runs[run].key, Outcome::Succeeded, None, None, now()));
            model.end(run, Outcome::Succeeded);
        }
        let Some(claim) = memory.claim(0, reading(now())) else { break };
        let run = model.runs.iter().position(|run| run.id == claim.id).unwrap();
        model.runs[run].is = Where::Running { worker: 0 };
    }
    // What is delayed, and what waits behind a run that is to be tried again.
    let kept_back = model.at_all(|is| matches!(is, Where::Scheduled | Where::Waiting)).len();
    assert_eq!((memory.live(), memory.queued()), (kept_back, 0), "seed {seed}: what is left");
    check(&memory, &jobs, &mut model, &format!("seed {seed}, at the end"));
}

fn fire(memory: &mut Memory, model: &mut Model, ix: JobIx, job: usize, at: &str) {
    let live = model.live_slots(job);
    let slot = now();
    let waits = live.iter().any(|run| model.runs[*run].is == Where::Waiting);
    let before: Vec<_> = memory.runs.iter().map(|(key, _)| key).collect();
    let fired = memory.fire(ix, occasion(slot), body(), now());
    let added = |memory: &Memory| {
        let is_new = |(key, _): &(RunKey, &Run)| !before.contains(key);
        let (key, run) = memory.runs.iter().find(is_new).expect("a run was made");
        (run.id, key)
    };
    match (OVERLAPS[job], fired) {
        (Overlap::Allow, Fired::Queued) => {
            let is = model.available();
            model.add(added(memory), job, true, is);
        }
        (_, Fired::Queued) if live.is_empty() => {
            let is = model.available();
            model.add(added(memory), job, true, is);
        }
        (Overlap::Skip, Fired::Skipped(_)) if !live.is_empty() => {}
        (Overlap::BufferOne, Fired::Skipped(_)) if waits => {}
        (Overlap::BufferOne, Fired::Waiting) if !live.is_empty() && !waits => {
            model.add(added(memory), job, true, Where::Waiting);
        }
        (Overlap::BufferAll, Fired::Waiting) if !live.is_empty() => {
            model.add(added(memory), job, true, Where::Waiting);
        }
        (Overlap::CancelOther, Fired::Cancelling(cancelling)) if !live.is_empty() => {
            let mut workers = Vec::new();
            let mut ended = Vec::new();
            for run in live {
                match model.runs[run].is {
                    Where::Running { worker } => workers.push(worker),
                    _ => ended.push(run),
                }
            }
            assert_eq!((&cancelling.workers, cancelling.ended.len()), (&workers, ended.len()), "{at}");
            assert!(cancelling.ended.iter().all(|ended| ended.outcome == Outcome::Cancelled), "{at}");
            settle(cancelling.ended);
            let added = added(memory);
            for run in ended {
                model.runs[run].is = Where::Ended(Outcome::Cancelled);
            }
            let is = if workers.is_empty() { model.available() } else { Where::Waiting };
            model.add(added, job, true, is);
        }
        (overlap, fired) => panic!("{at}: {overlap:?} gave {fired:?} with {live:?} live"),
    }
}

#[test]
fn agrees_with_a_naive_model() {
    for seed in 0..100 {
        random_walk(seed, 400);
    }
}
