//! Every mistake of a broken program and its config, in one error. The jobs below are broken on purpose.

mod support;

use jobs::{Config, Job, JobContext, JobResult, StartError, job};
use serde::{Deserialize, Serialize};
use support::{clock, config};

struct Db;
struct Mailer;

mod mail {
    #[jobs::job(schedule = "cron.nigthly")]
    pub(super) async fn digest() {}
}

mod news {
    #[jobs::job(schedule = "0 0 7 * * *")]
    pub(super) fn digest() {}
}

#[job(schedule = ["cron.nightly", "cron.weekly"])]
async fn backup(#[state] _db: &Db) {}

#[job(aliases = ["backup"])]
async fn copy(#[state] _db: &Db, #[state] _mailer: &Mailer) {}

#[job(schedule = "0 0 1 * * *", tz = "Europe/Oslo")]
async fn fine() {}

#[job]
async fn needs(#[state] _db: &Db, count: u32) {
    let _ = count;
}

#[derive(Debug, Clone, Serialize, Deserialize)]
struct ByHand;

impl Job for ByHand {
    const NAME: &'static str = "fine";

    async fn run(self, _cx: JobContext) -> JobResult {
        Ok(())
    }
}

async fn error(config: Config) -> StartError {
    jobs::start(config).await.unwrap_err()
}

/// The whole text, with `<line>` for the numbers of lines of this file.
fn golden(error: &StartError) -> String {
    let mut text = String::new();
    for line in error.to_string().lines() {
        let mut rest = line;
        while let Some(at) = rest.find("start_mistakes.rs:") {
            let (before, after) = rest.split_at(at + "start_mistakes.rs:".len());
            text.push_str(before);
            text.push_str("<line>");
            rest = after.trim_start_matches(|c: char| c.is_ascii_digit());
        }
        text.push_str(rest);
        text.push('\n');
    }
    text
}

#[tokio::test(start_paused = true)]
async fn all_mistakes_stand_in_one_error() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock)
        .timezone("Europe/Olso")
        .named("cron.nightly", "0 30 2 * * *")
        .state(7_u8)
        .state(8_u8)
        .register::<ByHand>()
        .expect_jobs(["fine", "backups", "elsewhere"])
        .job("fien", |job| job.enabled(false))
        .job("unrelated", |job| job.enabled(false))
        .job("needs", |job| job.every(std::time::Duration::from_secs(60)))
        .job("backup", |job| job.tz("Mars/Olympus"));
    let error = error(config).await;
    assert_eq!(error.startup_job(), None);
    let text = golden(&error);
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/start_mistakes.txt");
    let wanted = std::fs::read_to_string(path).unwrap();
    assert!(text == wanted, "{path} is not what came:\n{text}");
    // Each with its place.
    for problem in error.problems() {
        assert!(problem.place().is_some(), "{problem}");
        assert!(
            !problem.message().ends_with('.') && problem.message().starts_with(|c: char| !c.is_uppercase())
        );
    }
}

/// Without a config nothing is broken but what the source itself breaks.
#[tokio::test(start_paused = true)]
async fn names_and_states_are_checked_for_all_jobs() {
    let clock = clock("2026-03-02 12:00:00");
    let error = error(config(&clock)).await;
    let messages: Vec<_> = error.problems().iter().map(|problem| problem.message()).collect();
    let state = |job: &str, ty: &str, parameter: &str| {
        format!(
            "the job `{job}` needs a state of type `start_mistakes::{ty}` for its parameter `{parameter}`"
        )
    };
    assert_eq!(
        messages,
        [
            "two jobs are named `digest`".to_owned(),
            "two jobs are named `backup`, by an alias".to_owned(),
            state("backup", "Db", "_db"),
            state("copy", "Db", "_db"),
            state("copy", "Mailer", "_mailer"),
            state("needs", "Db", "_db"),
            "no schedule is named `cron.nightly`".to_owned(),
            "no schedule is named `cron.weekly`".to_owned(),
            "no schedule is named `cron.nigthly`".to_owned(),
        ]
    );
    // `Debug` reads like `Display`, for a `main` that returns the error.
    assert_eq!(format!("{error:?}"), error.to_string());
}

#[tokio::test(start_paused = true)]
async fn a_failed_start_leaves_nothing_behind() {
    let clock = clock("2026-03-02 12:00:00");
    error(config(&clock)).await;
    assert!(jobs::now(fine {}).await.unwrap_err().is_not_started());
}

/// With a mistake in the config itself, what it then lacks is no mistake of the jobs.
#[tokio::test(start_paused = true)]
async fn a_mistake_of_the_config_is_told_without_those_that_follow_from_it() {
    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock).named("cron.nightly", "0 30 25 * * *").state(Db).state(Mailer);
    let error = error(config).await;
    let text = error.to_string();
    assert!(text.contains("hour `25` is outside 0-23"), "{text}");
    assert!(!text.contains("no schedule is named"), "{text}");
}

/// What `#[job]` makes need not be registered, what is made by hand not twice, and the config cannot make its values.
#[tokio::test(start_paused = true)]
async fn what_is_registered_is_registered_once_and_by_hand() {
    #[derive(Debug, Clone, Serialize, Deserialize)]
    struct Chime;

    impl Job for Chime {
        const NAME: &'static str = "chime";

        async fn run(self, _cx: JobContext) -> JobResult {
            Ok(())
        }
    }

    let clock = clock("2026-03-02 12:00:00");
    let config = config(&clock)
        .register::<Chime>()
        .register::<Chime>()
        .register::<fine>()
        .job("chime", |job| job.schedule("@daily").tz("Europe/Oslo").overlap("skip"));
    let error = error(config).await;
    let about = |word: &str| -> Vec<_> {
        let about = error.problems().iter().filter(|problem| problem.message().contains(word));
        about.map(|problem| problem.message()).collect()
    };
    assert_eq!(
        about("`fine`"),
        ["the job `fine` is known by its `#[job]` already, and need not be registered"]
    );
    let refused = |key: &str| {
        format!(
            "`job.chime.{key}` cannot be applied: the job is implemented by hand, and only code can make a value of it"
        )
    };
    assert_eq!(about("`chime`"), ["the job `chime` is registered twice"]);
    assert_eq!(about("`job.chime"), [refused("schedule"), refused("tz")]);
}
