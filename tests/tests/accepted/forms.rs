//! Every key, every form of function.
use jobs::{Job, JobContext, job};

pub struct Db;

/// Sweeps.
#[job(every = "24h")]
pub async fn sweep() {}

#[job]
fn plain() {}

#[job(schedule = ["0 0 3 * * *", "cron.nightly"], tz = "Europe/Oslo", args(to = "ops", times = 3), overlap = "skip")]
#[jobs::job(schedule = "0 30 3 * * *", key = "half", args(to = "dev", times = 4))]
#[job(every = "90m", args(to = "x", times = 1 + 1))]
async fn mail(
    #[state] db: &Db,
    cx: &JobContext,
    to: String,
    times: u32,
    #[default] urgent: bool,
    #[default = "Hi"] subject: String,
) -> Result<(), String> {
    let _ = (db, cx, to, times, urgent, subject);
    Ok(())
}

#[job(startup = "blocking", order = -5, name = "first-of-all", aliases = ["old", "older"], enabled = false, struct_name = Begin)]
fn begin(cx: &JobContext) -> Result<u32, std::io::Error> {
    let _ = cx;
    Ok(3)
}

#[job(startup, crate = jobs)]
async fn warm(#[default = vec![1, 2]] numbers: Vec<u8>) {
    drop(numbers);
}

#[test]
fn accepted() {
    assert_eq!(sweep::NAME, "sweep");
    assert_eq!(plain::NAME, "plain");
    assert_eq!(Begin::NAME, "first-of-all");
    let _ = (sweep {}.clone(), plain {}, warm { numbers: Vec::new() });
    let job = mail { to: "a".into(), times: 1, urgent: true, subject: String::new() };
    assert_eq!(format!("{job:?}"), "mail { .. }");
    plain();
}
