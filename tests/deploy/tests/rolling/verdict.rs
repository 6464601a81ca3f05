//! What is found afterwards: by the database, by what the jobs wrote, and by what was told to be accepted.

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::postgres::PgRow;
use sqlx::{PgPool, Row};

use super::Times;
use super::folder::Folder;

/// Runs of these jobs that wait for a node which knows them, each with its attempts.
pub(crate) async fn waiting(pool: &PgPool, jobs: &[&str]) -> Vec<(String, i32)> {
    let sql = "select job, attempt from jobs.run where job = any ($1) and state = 'available'";
    sqlx::query_as(sql).bind(jobs).fetch_all(pool).await.unwrap()
}

/// A run, as the database has it.
#[derive(Debug)]
struct Run {
    id: String,
    job: String,
    state: String,
    attempt: i32,
    args: String,
    schedule: Option<String>,
    slot: Option<DateTime<Utc>>,
    origin: String,
    message: Option<String>,
}

/// An entry of the ledger.
#[derive(Debug)]
struct Entry {
    job: String,
    key: String,
    first: DateTime<Utc>,
    last: DateTime<Utc>,
    count: i64,
    reason: String,
}

/// An attempt that was begun: which, by which version, by whom.
#[derive(Debug)]
struct Begun {
    attempt: i32,
    version: u32,
    process: u32,
}

pub(crate) struct Verdict {
    runs: Vec<Run>,
    ledger: Vec<Entry>,
    begun: HashMap<String, Vec<Begun>>,
    /// The name by which it was submitted, and the run.
    accepted: Vec<(String, String)>,
    killed: HashSet<u32>,
}

type Seconds = BTreeSet<i64>;

/// The seconds from one time to another that a number divides; not those next to the ends, where the one definition takes over
/// from the other.
fn seconds(from: DateTime<Utc>, to: DateTime<Utc>, step: i64) -> Seconds {
    (from.timestamp() + 4..=to.timestamp() - 4).filter(|second| second % step == 0).collect()
}

impl Verdict {
    pub(crate) async fn read(pool: &PgPool, folder: &Folder, killed: HashSet<u32>) -> Self {
        let runs =
            "select id::text, job, state, attempt, args, schedule, slot, origin, message from jobs.run";
        let run = |row: PgRow| {
            Ok(Run {
                id: row.try_get(0)?,
                job: row.try_get(1)?,
                state: row.try_get(2)?,
                attempt: row.try_get(3)?,
                args: row.try_get(4)?,
                schedule: row.try_get(5)?,
                slot: row.try_get(6)?,
                origin: row.try_get(7)?,
                message: row.try_get(8)?,
            })
        };
        let runs = sqlx::query(runs).try_map(run).fetch_all(pool).await.unwrap();
        let ledger = "select job, key, first, last, count, reason from jobs.ledger order by job, key, first";
        let entry = |row: PgRow| {
            Ok(Entry {
                job: row.try_get(0)?,
                key: row.try_get(1)?,
                first: row.try_get(2)?,
                last: row.try_get(3)?,
                count: row.try_get(4)?,
                reason: row.try_get(5)?,
            })
        };
        let ledger = sqlx::query(ledger).try_map(entry).fetch_all(pool).await.unwrap();
        let (mut begun, mut accepted) = (HashMap::<_, Vec<_>>::new(), Vec::new());
        for file in std::fs::read_dir(folder.path()).unwrap() {
            let path = file.unwrap().path();
            let (kind, process) = path.file_name().unwrap().to_str().unwrap().split_once('-').unwrap();
            let text = std::fs::read_to_string(&path).unwrap();
            // A process may have been killed while it wrote the last.
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let fields: Vec<_> = line.split_whitespace().collect();
                match (kind, &fields[..]) {
                    ("begun", [_, run, attempt, version]) => {
                        begun.entry((*run).to_owned()).or_default().push(Begun {
                            attempt: attempt.parse().unwrap(),
                            version: version.parse().unwrap(),
                            process: process.parse().unwrap(),
                        });
                    }
                    ("accepted", [job, run, _]) => accepted.push(((*job).to_owned(), (*run).to_owned())),
                    _ => panic!("{} has `{line}`", path.display()),
                }
            }
        }
        Self { runs, ledger, begun, accepted, killed }
    }

    pub(crate) fn check(&self, times: &Times, removed: Vec<(String, i32)>, added: Vec<(String, i32)>) {
        self.every_submission_has_run();
        self.nothing_was_begun_twice();
        // What only the other version knows has waited, and nobody has tried it but for processes that were killed over it.
        let killed = self.killed.len() as i32;
        for job in ["report", "invoice", "send_mail"] {
            let waited: Vec<_> = removed.iter().chain(&added).filter(|(name, _)| name == job).collect();
            assert!(!waited.is_empty(), "no {job} has waited for the other version");
            assert!(waited.iter().any(|(_, attempt)| *attempt == 0), "{job}: {waited:?}");
            assert!(waited.iter().all(|(_, attempt)| *attempt <= killed), "{job}: {waited:?}");
        }

        self.no_slot_twice(&["steady"]);
        self.no_slot_twice(&["old_name", "new_name"]);
        self.no_slot_twice(&["changing"]);
        self.no_slot_twice(&["rewritten"]);
        self.no_slot_twice(&["rekeyed"]);
        self.no_slot_twice(&["giving"]);
        self.no_slot_twice(&["taking"]);
        self.no_slot_twice(&["leaving"]);
        self.no_slot_twice(&["coming"]);
        // Nobody fired that one while all who knew it were away.
        let caught_up = self.runs.iter().filter(|run| run.origin == "caught_up" && run.job != "leaving");
        let caught_up: Vec<_> = caught_up.collect();
        assert!(caught_up.is_empty(), "nothing was missed so long: {caught_up:?}");

        self.has_never_stopped(&["steady"]);
        self.has_never_stopped(&["old_name", "new_name"]);

        let Times { before_two, two, before_one, one, only_one } = *times;
        // While nodes of the first version are still there, the second has the say; and the other way round.
        for (from, to, step) in [(two, before_one, 2), (one, only_one, 1)] {
            self.fires("changing", "beat", from, to, step);
        }
        self.fires("rewritten", "TZ=UTC */2 * * * * *", two, before_one, 2);
        self.fires("rekeyed", "two", two, before_one, 1);
        self.fires("taking", "moves", two, before_one, 1);
        self.fires("coming", "beat", two, before_one, 1);
        self.fires("rewritten", "TZ=UTC * * * * * *", one, only_one, 1);
        self.fires("rekeyed", "one", one, only_one, 1);
        self.fires("giving", "moves", one, only_one, 1);
        self.fires("leaving", "beat", one, only_one, 1);
        for (job, key) in [("rewritten", "TZ=UTC * * * * * *"), ("rekeyed", "one"), ("giving", "moves")] {
            self.is_silent(job, key, two, before_one);
        }
        for (job, key) in [("rewritten", "TZ=UTC */2 * * * * *"), ("rekeyed", "two"), ("taking", "moves")] {
            self.is_silent(job, key, one, only_one);
        }
        // Who does not know a job has no say about its schedules: it is back before it is missed.
        self.has_never_stopped(&["leaving"]);
        // Nothing is made up for from before it was there.
        for job in ["coming", "taking"] {
            let first = self.slots(&[job], None).into_iter().next().unwrap();
            assert!(first >= before_two.timestamp(), "{job} fired {first}, which was before its version");
        }
        for (job, key) in [("rewritten", "TZ=UTC * * * * * *"), ("rekeyed", "one"), ("giving", "moves")] {
            let closed =
                self.ledger_of(&[job]).iter().any(|entry| entry.key == key && entry.reason == "closed");
            assert!(
                closed,
                "the ledger does not say that {job} {key} was closed: {:#?}",
                self.ledger_of(&[job])
            );
        }
    }

    fn every_submission_has_run(&self) {
        let runs: HashMap<&str, &Run> = self.runs.iter().map(|run| (run.id.as_str(), run)).collect();
        assert!(self.accepted.len() > 200, "only {} were accepted", self.accepted.len());
        let (mut of_job, mut refused) = (BTreeMap::<_, u32>::new(), 0);
        for (job, id) in &self.accepted {
            let run = runs.get(id.as_str()).unwrap_or_else(|| panic!("{job} {id} was accepted and is lost"));
            *of_job.entry(job).or_default() += 1;
            let begun = self.begun.get(id).map_or(&[][..], |begun| begun);
            // A number in the first version, and a text in the second.
            let understands = |version| job != "reckon" || (version == 2) == run.args.contains(" kr");
            if run.state == "dead" && job == "reckon" {
                let message = run.message.as_deref().unwrap_or_default();
                assert!(
                    message.starts_with("its arguments are not those of the job as it is now: "),
                    "{run:?}"
                );
                // Whoever understood it and was killed has begun an earlier attempt.
                for by in begun {
                    let is_killed = self.killed.contains(&by.process);
                    assert!(
                        by.attempt < run.attempt && understands(by.version) && is_killed,
                        "{run:?} was begun by {by:?}"
                    );
                }
                refused += 1;
                continue;
            }
            assert_eq!(run.state, "succeeded", "{run:?}");
            let by = begun.iter().find(|begun| begun.attempt == run.attempt);
            let by = by.unwrap_or_else(|| panic!("{run:?} was not begun: {begun:?}"));
            assert!(understands(by.version), "{run:?} was executed by {by:?}");
        }
        assert_eq!(of_job.len(), 6, "accepted were {of_job:?}");
        assert!(refused > 0, "each version had only arguments of its own");
        println!("{of_job:?} accepted, {refused} could not be read by the version that tried them");
    }

    fn nothing_was_begun_twice(&self) {
        let mut repeated = 0;
        for (run, begun) in &self.begun {
            let attempts: HashSet<_> = begun.iter().map(|begun| begun.attempt).collect();
            assert_eq!(attempts.len(), begun.len(), "{run} was begun as {begun:?}");
            let last = begun.iter().map(|begun| begun.attempt).max();
            for by in begun.iter().filter(|by| Some(by.attempt) != last) {
                repeated += 1;
                let row = || self.runs.iter().find(|row| row.id == *run);
                assert!(self.killed.contains(&by.process), "{:?} was repeated: {begun:?}", row());
            }
        }
        println!("{repeated} attempts were repeated, of processes that were killed");
    }

    /// The slots of jobs that became runs, in seconds.
    fn slots(&self, jobs: &[&str], key: Option<&str>) -> Vec<i64> {
        let these = self.runs.iter().filter(|run| {
            jobs.contains(&run.job.as_str()) && (key.is_none() || run.schedule.as_deref() == key)
        });
        let mut slots: Vec<_> = these.filter_map(|run| Some(run.slot?.timestamp())).collect();
        slots.sort_unstable();
        slots
    }

    fn ledger_of(&self, jobs: &[&str]) -> Vec<&Entry> {
        self.ledger.iter().filter(|entry| jobs.contains(&entry.job.as_str())).collect()
    }

    fn no_slot_twice(&self, jobs: &[&str]) {
        let slots = self.slots(jobs, None);
        let twice: Vec<_> = slots.windows(2).filter(|pair| pair[0] == pair[1]).map(|pair| pair[0]).collect();
        assert!(twice.is_empty(), "{jobs:?} had slots twice: {twice:?}");
        assert!(!slots.is_empty(), "{jobs:?} did not fire: {:#?}", self.ledger_of(jobs));
        println!("{jobs:?}: {} slots", slots.len());
    }

    /// Every second is in the ledger once, and those that are said to have run have.
    fn has_never_stopped(&self, jobs: &[&str]) {
        let ledger = self.ledger_of(jobs);
        let (first, last) =
            (ledger.iter().map(|entry| entry.first).min(), ledger.iter().map(|entry| entry.last).max());
        let seconds = (last.unwrap() - first.unwrap()).num_seconds() + 1;
        let entered: i64 = ledger.iter().map(|entry| entry.count).sum();
        assert_eq!(entered, seconds, "{jobs:?}: {ledger:#?}");
        let has_run = |entry: &&&Entry| ["ran", "caught up"].contains(&entry.reason.as_str());
        let ran: i64 = ledger.iter().filter(has_run).map(|entry| entry.count).sum();
        assert_eq!(ran, self.slots(jobs, None).len() as i64, "{jobs:?}: {ledger:#?}");
    }

    /// Between these times it was in force: every slot of it, and no other, is a run or has a reason in the ledger.
    fn fires(&self, job: &str, key: &str, from: DateTime<Utc>, to: DateTime<Utc>, step: i64) {
        let wanted = seconds(from, to, step);
        let fired: Seconds = self.slots(&[job], Some(key)).into_iter().collect();
        let between = seconds(from, to, 1);
        let others: Vec<_> = fired.intersection(&between).filter(|second| !wanted.contains(second)).collect();
        assert!(others.is_empty(), "{job} {key} fired {others:?} of another definition, from {from} to {to}");
        let entries = self.ledger.iter().filter(|entry| entry.job == job && entry.key == key);
        let reasons: Vec<_> = entries.filter(|entry| entry.reason != "ran").collect();
        let has_reason = |second: i64| {
            let at = DateTime::from_timestamp(second, 0).unwrap();
            reasons.iter().any(|entry| (entry.first..=entry.last).contains(&at))
        };
        let silent: Vec<_> = wanted.difference(&fired).filter(|second| !has_reason(**second)).collect();
        assert!(
            silent.is_empty(),
            "{job} {key} left out {silent:?} from {from} to {to}: {:#?}",
            self.ledger_of(&[job])
        );
        assert!(!wanted.is_empty(), "from {from} to {to} is no time");
    }

    /// Between these times it did not fire.
    fn is_silent(&self, job: &str, key: &str, from: DateTime<Utc>, to: DateTime<Utc>) {
        let between = seconds(from, to, 1);
        let fired: Vec<_> =
            self.slots(&[job], Some(key)).into_iter().filter(|second| between.contains(second)).collect();
        assert!(fired.is_empty(), "{job} {key} fired {fired:?}, from {from} to {to}");
    }
}
