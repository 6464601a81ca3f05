//! `jobs`: `jobs.pool = 100`, and nothing else set.

use jobs::{Config, Jobs, job};

use super::{AT_A_TIME, Peer, Tuned};
use crate::probe;

#[job]
async fn probed(sent: u64) {
    probe::run(sent).await;
}

/// Before it works, its queue is paused: there is no instance that only submits.
#[derive(Debug, Clone)]
pub(crate) struct Ours(Jobs);

impl Peer for Ours {
    const UNFINISHED: &str = "select count(*) from jobs.run where finished is null";
    const FINISHED: &[&str] = &[
        "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args, finished)
        select gen_random_uuid(), 'sweep', 'default', 0, 'succeeded', now(), 0, 'submission', '{}', now()
        from generate_series(1, 1000000)",
        "vacuum analyze jobs.run",
    ];

    // What a lost process leaves is taken over without a setting.
    async fn connect(address: &str, _: Tuned) -> Self {
        let config = Config::default().without_environment().store(address).pool(AT_A_TIME as i64);
        let jobs = jobs::start(config).await.expect("the server was just started");
        jobs.pause_queue("default").await.expect("there is one");
        Self(jobs)
    }

    async fn submit(&self, sent: u64) {
        self.0.now(probed { sent }).await.expect("nothing is in the way");
    }

    async fn fill(&self, count: usize) {
        const CALLERS: usize = 200;
        let mut all = tokio::task::JoinSet::new();
        for caller in 0..CALLERS {
            let this = self.clone();
            all.spawn(async move {
                for _ in (caller..count).step_by(CALLERS) {
                    this.submit(0).await;
                }
            });
        }
        all.join_all().await;
    }

    async fn work(&self) {
        self.0.resume_queue("default").await.expect("there is one");
    }

    /// With a schedule each.
    async fn know(&self, jobs: usize) {
        for number in 0..jobs {
            let job = jobs::func(format!("known-{number}"), || async {});
            self.0.schedule("@yearly", job).await.expect("a name of its own");
        }
    }
}
