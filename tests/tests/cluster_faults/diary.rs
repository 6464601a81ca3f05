//! What the jobs write themselves of their attempts, and how it is read: a line for what was begun and one for what came of it,
//! with the time of the machine. The server goes by the same.

use std::collections::{BTreeMap, HashMap};
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::Path;
use std::sync::Arc;
use std::time::SystemTime;

use chrono::{DateTime, Utc};
use jobs::JobContext;

use super::support::folder::Folder;

const BEGUN: &str = "begun";
const ENDED: &str = "ended";
const FAILED: &str = "failed";

/// Where the jobs of a process write: `JOB RUN ATTEMPT PROCESS WHAT MICROSECONDS`.
#[derive(Debug, Clone)]
pub(crate) struct Diary(Arc<File>);

impl Diary {
    pub(crate) fn open(folder: &Path) -> Self {
        let name = format!("diary-{}", std::process::id());
        Self(Arc::new(OpenOptions::new().create(true).append(true).open(folder.join(name)).unwrap()))
    }

    /// The attempt begins. It gives the process.
    pub(crate) fn begun(&self, cx: &JobContext) -> u32 {
        self.write(cx, BEGUN)
    }

    /// The attempt is about to end, by now it has had all of its effects.
    pub(crate) fn ended(&self, cx: &JobContext) {
        self.write(cx, ENDED);
    }

    /// The attempt is about to fail.
    pub(crate) fn failed(&self, cx: &JobContext) {
        self.write(cx, FAILED);
    }

    fn write(&self, cx: &JobContext, what: &str) -> u32 {
        #[expect(clippy::disallowed_methods, reason = "the clock of the program is wrong by minutes")]
        let at = DateTime::<Utc>::from(SystemTime::now()).timestamp_micros();
        let process = std::process::id();
        let line = format!("{} {} {} {process} {what} {at}\n", cx.job(), cx.id(), cx.attempt());
        (&*self.0).write_all(line.as_bytes()).unwrap();
        process
    }
}

/// An attempt, as its job wrote it.
#[derive(Debug)]
pub(crate) struct Attempt {
    pub(crate) process: u32,
    pub(crate) begun: DateTime<Utc>,
    /// None where the process did not get that far, or the job does not write it.
    pub(crate) ended: Option<DateTime<Utc>>,
    pub(crate) has_failed: bool,
}

/// What the jobs wrote: of each run its attempts by their numbers.
pub(crate) struct Written {
    pub(crate) runs: HashMap<String, BTreeMap<i32, Attempt>>,
    /// The runs of each job.
    pub(crate) jobs: HashMap<String, Vec<String>>,
}

impl Written {
    /// No attempt was begun twice, and each was ended once at most, by who had begun it.
    pub(crate) fn read(folder: &Folder) -> Self {
        let mut written = Self { runs: HashMap::new(), jobs: HashMap::new() };
        for diary in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read_to_string(diary.unwrap().path()).unwrap();
            // A process may have been killed while it wrote the last.
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                written.enter(line);
            }
        }
        written
    }

    fn enter(&mut self, line: &str) {
        let fields: Vec<_> = line.split_whitespace().collect();
        let [job, run, attempt, process, what, at] = &fields[..] else { panic!("a line is `{line}`") };
        let (number, process) = (attempt.parse().unwrap(), process.parse().unwrap());
        let at = DateTime::from_timestamp_micros(at.parse().unwrap()).unwrap();
        let attempts = self.runs.entry((*run).to_owned()).or_insert_with(|| {
            self.jobs.entry((*job).to_owned()).or_default().push((*run).to_owned());
            BTreeMap::new()
        });
        if *what == BEGUN {
            let begun = Attempt { process, begun: at, ended: None, has_failed: false };
            let twice = attempts.insert(number, begun);
            assert!(twice.is_none(), "attempt {number} of {run} was begun twice: {twice:?}");
            return;
        }
        let attempt = attempts.get_mut(&number).filter(|attempt| attempt.process == process);
        let attempt = attempt.unwrap_or_else(|| panic!("`{line}` was not begun"));
        assert_eq!(attempt.ended, None, "attempt {number} of {run} has ended twice");
        attempt.ended = Some(at);
        attempt.has_failed = *what == FAILED;
    }

    /// The attempts of a job.
    pub(crate) fn of(&self, job: &str) -> impl Iterator<Item = (&str, i32, &Attempt)> {
        self.jobs
            .get(job)
            .into_iter()
            .flatten()
            .flat_map(|run| self.runs[run].iter().map(|(number, attempt)| (run.as_str(), *number, attempt)))
    }
}
