//! Whether everything was done of which the program was told that it is accepted, and nothing for which there is no reason.

use std::collections::{HashMap, HashSet};
use std::path::Path;
use std::time::Duration;

use jobs::{Outcome, RunId};
use sqlx::{ConnectOptions, Connection, Row};

use super::program;

/// How long all that is left may take: longer than a run waits that was rescued.
const PATIENCE: Duration = Duration::from_secs(120);

/// What the program has said.
#[derive(Debug, Default)]
pub(crate) struct Verdict {
    accepted: Vec<RunId>,
}

impl Verdict {
    pub(crate) fn hear(&mut self, said: &[String]) {
        let ids = said.iter().filter_map(|line| line.strip_prefix("accepted "));
        self.accepted.extend(ids.map(|id| id.parse::<RunId>().unwrap()));
    }

    /// Starts the program here, in which nothing ends it, and holds what it was told against what has become of it.
    pub(crate) fn reach(self, folder: &Path, kills: u64) {
        let accepted = self.accepted.len();
        assert!(
            accepted as u64 > 10 * kills,
            "only {accepted} submissions were accepted before {kills} kills"
        );
        let outcomes = program::runtime().block_on(async {
            let done = tokio::time::timeout(PATIENCE, self.outcomes(folder)).await;
            done.expect("what is left is done in time")
        });
        let begun = Begun::read(folder);
        let (mut lost, mut given_up) = (Vec::new(), 0);
        for (run, outcome) in outcomes {
            match outcome {
                Some(Outcome::Succeeded) if begun.of_run.contains_key(&run) => {}
                // It was executing at three of the kills.
                Some(Outcome::Failed(why)) if why.contains("3 times") => given_up += 1,
                other => lost.push(format!("{run} is {other:?}")),
            }
        }
        assert!(lost.is_empty(), "of {accepted} runs that were accepted: {lost:#?}");
        begun.check();
        program::runtime().block_on(check(&folder.join("jobs.db")));
        println!(
            "{kills} kills, {accepted} accepted, all done; {given_up} given up, {} begun again",
            begun.again()
        );
    }

    /// What has become of each run; none of one that is not known.
    async fn outcomes(self, folder: &Path) -> Vec<(RunId, Option<Outcome>)> {
        let jobs = program::start(folder).await.unwrap();
        let mut outcomes = Vec::new();
        for run in self.accepted {
            let outcome = match jobs.handle(run).await {
                Some(handle) => Some(handle.wait().await),
                None => None,
            };
            outcomes.push((run, outcome));
        }
        jobs.shutdown().await;
        outcomes
    }
}

/// What the jobs themselves have written.
#[derive(Debug, Default)]
struct Begun {
    /// The processes in which a run has begun.
    of_run: HashMap<RunId, Vec<String>>,
    /// The processes in which a run of a slot has begun.
    of_slot: HashMap<String, Vec<String>>,
}

impl Begun {
    fn read(folder: &Path) -> Self {
        let mut begun = Self::default();
        for line in std::fs::read_to_string(folder.join("ran")).unwrap().lines() {
            let [_, run, process, slot] = *line.split(' ').collect::<Vec<_>>() else { panic!("`{line}`") };
            let run = run.parse().unwrap();
            begun.of_run.entry(run).or_default().push(process.to_owned());
            if slot != "-" {
                begun.of_slot.entry(slot.to_owned()).or_default().push(process.to_owned());
            }
        }
        begun
    }

    /// What begins again does so in another process. So does a slot whose run had begun and was not in the file yet.
    fn check(&self) {
        let of_run = self.of_run.iter().map(|(run, processes)| (run.to_string(), processes));
        let of_slot = self.of_slot.iter().map(|(slot, processes)| (format!("the slot {slot}"), processes));
        for (what, processes) in of_run.chain(of_slot) {
            let distinct: HashSet<&String> = processes.iter().collect();
            assert_eq!(
                distinct.len(),
                processes.len(),
                "{what} has begun twice in one process: {processes:?}"
            );
        }
    }

    fn again(&self) -> usize {
        self.of_run.values().filter(|processes| processes.len() > 1).count()
    }
}

/// Every run that was accepted has had its effect once, and no slot has had it twice.
pub(crate) fn of_effects(folder: &Path, accepted: &HashMap<RunId, String>) {
    assert!(accepted.len() > 50, "only {} were accepted", accepted.len());
    let outcomes = program::runtime().block_on(async {
        let jobs = program::start(folder).await.unwrap();
        let mut outcomes = HashMap::new();
        for (run, number) in accepted {
            let handle = jobs.handle(*run).await.unwrap_or_else(|| panic!("{run} is not known any more"));
            let outcome = tokio::time::timeout(PATIENCE, handle.wait()).await;
            outcomes.insert(format!("number {number}"), outcome.expect("what is left is done in time"));
        }
        jobs.shutdown().await;
        outcomes
    });
    let effects = program::runtime().block_on(async {
        let options = sqlx::sqlite::SqliteConnectOptions::new().filename(folder.join("jobs.db"));
        let mut connection = options.connect().await.unwrap();
        let effects = "SELECT what, count(*) FROM effects GROUP BY what";
        let effects: Vec<(String, i64)> = sqlx::query_as(effects).fetch_all(&mut connection).await.unwrap();
        connection.close().await.unwrap();
        effects
    });
    let twice: Vec<_> = effects.iter().filter(|(_, count)| *count > 1).collect();
    assert!(twice.is_empty(), "{twice:?}");
    let effects: HashSet<_> = effects.into_iter().map(|(what, _)| what).collect();
    assert!(effects.iter().any(|what| what.starts_with("slot")));
    for (what, outcome) in outcomes {
        match outcome {
            Outcome::Succeeded => assert!(effects.contains(&what), "{what} has succeeded without"),
            // It was executing at three of the kills.
            Outcome::Failed(why) if why.contains("3 times") => assert!(!effects.contains(&what), "{what}"),
            other => panic!("{what} is {other:?}"),
        }
    }
}

/// The file is whole, and has one run for each slot.
async fn check(database: &Path) {
    let options = sqlx::sqlite::SqliteConnectOptions::new().filename(database);
    let mut connection = options.connect().await.unwrap();
    let row = sqlx::query("PRAGMA integrity_check").fetch_one(&mut connection).await.unwrap();
    assert_eq!(row.get::<&str, _>(0), "ok");
    let slots = "SELECT slot FROM jobs_run WHERE job = 'tick' ORDER BY slot";
    let slots = sqlx::query(slots).fetch_all(&mut connection).await.unwrap();
    let slots: Vec<i64> = slots.iter().map(|row| row.get(0)).collect();
    assert!(slots.len() > 1, "{slots:?}");
    for pair in slots.windows(2) {
        // Its name in another process may be off by a little.
        assert!(
            pair[1] - pair[0] > 50_000_000,
            "two runs for a slot, or slots off the beat of 100 ms: {pair:?}"
        );
    }
    connection.close().await.unwrap();
}
