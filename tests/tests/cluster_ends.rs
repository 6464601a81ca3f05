//! What goes on when a process of a cluster ends, or is taken for lost: a plain function, which nobody can stop, is begun by
//! nobody else beside it.

#[path = "../support/postgres.rs"]
#[allow(dead_code, reason = "other tests use the rest")]
mod server;

#[path = "support/process.rs"]
mod process;

use std::time::Duration;

use jobs::{BoxError, JobContext, Outcome, job};
use process::{Diary, Node, bounded, config, node};
use server::Server;

/// Goes on until it is told to stop.
#[job]
async fn cut_off(#[state] diary: &Diary, #[state] node: &Node) {
    diary.note(node, "cut off");
    std::future::pending::<()>().await;
}

/// Executes on a thread that nobody can stop, until the test lets it go.
#[job(retries = 0)]
fn stubborn(#[state] diary: &Diary, #[state] node: &Node) {
    diary.note(node, "begins");
    while diary.notes().iter().filter(|note| *note == "go").count() == 0 {
        std::thread::yield_now();
    }
    diary.note(node, "ends");
}

/// The end of the process will not count against it; until then it goes on, and what it comes to counts.
#[tokio::test(flavor = "multi_thread")]
async fn what_does_not_end_at_the_shutdown_goes_on_until_the_process_ends() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let one = jobs::start(config(&address, &diary, "one").shutdown_timeout(Duration::ZERO)).await.unwrap();
    one.now(stubborn {}).await.unwrap();
    diary.until(|notes| notes.len() == 1).await;
    assert_eq!(server.sql(database, "select is_closing from jobs.node"), "f");
    let report = one.shutdown().await;
    assert_eq!(report.still_running, 1, "{report}");
    assert_eq!(server.sql(database, "select is_closing from jobs.node"), "t");
    // As at the end of `main`, where the runtime waits for it.
    drop(one);
    diary.note(&Node("test"), "go");
    bounded(async {
        while server.sql(database, "select state from jobs.run") != "succeeded" {
            tokio::task::yield_now().await;
        }
        // Then nobody needs it any more.
        while server.sql(database, "select count(*) from jobs.node") != "0" {
            tokio::task::yield_now().await;
        }
    })
    .await;
}

/// How the first attempt of [`left_behind`] goes on.
#[derive(Debug, Clone, Copy, PartialEq, serde::Serialize, serde::Deserialize)]
enum Way {
    /// Until somebody notes `go`.
    Returns,
    Fails,
    /// Until it is told to stop.
    Asks,
}

/// A plain function, on a thread that says when it ends.
#[job(retries = 1)]
fn left_behind(
    #[state] diary: &Diary,
    #[state] node: &Node,
    cx: &JobContext,
    way: Way,
) -> Result<&'static str, BoxError> {
    struct OfThread(Diary, Node);
    impl Drop for OfThread {
        fn drop(&mut self) {
            self.0.note(&self.1, "the thread ends");
        }
    }
    thread_local!(static THREAD: std::cell::RefCell<Option<OfThread>> = const { std::cell::RefCell::new(None) });
    diary.note(node, format!("attempt {}", cx.attempt()));
    if cx.attempt() == 1 {
        THREAD.set(Some(OfThread(diary.clone(), node.clone())));
        let is_over = || match way {
            Way::Returns | Way::Fails => diary.notes().iter().any(|note| note == "go"),
            Way::Asks => cx.is_cancelled(),
        };
        while !is_over() {
            std::thread::yield_now();
        }
        if way == Way::Fails {
            return Err("the first time".into());
        }
    }
    Ok("done")
}

/// A runtime, and on it a program that executes [`left_behind`].
fn leaves_behind(
    address: &str,
    diary: &Diary,
    way: Way,
    shuts_down: bool,
) -> (tokio::runtime::Runtime, jobs::RunId) {
    let mut runtime = match way {
        Way::Asks => tokio::runtime::Builder::new_multi_thread(),
        Way::Returns | Way::Fails => tokio::runtime::Builder::new_current_thread(),
    };
    let runtime = runtime.enable_all().build().unwrap();
    let run = runtime.block_on(async {
        let config = config(address, diary, "one").shutdown_timeout(Duration::ZERO);
        let one = jobs::start(config).await.unwrap();
        // One that is cut off is given back.
        one.now(cut_off {}).await.unwrap();
        let run = one.now(left_behind { way }).await.unwrap().id();
        diary.until(|notes| notes.len() == 2).await;
        if shuts_down {
            assert_eq!(one.shutdown().await.still_running, 1);
        }
        run
    });
    (runtime, run)
}

/// The end of `main`, where a tokio runtime drops all tasks and waits for the threads of plain functions: nobody else begins what
/// goes on there, and what it comes to counts.
#[test]
fn a_plain_function_outlives_the_tasks_of_its_runtime() {
    for (shuts_down, way) in [(false, Way::Returns), (true, Way::Returns), (true, Way::Fails)] {
        let (server, diary) = (Server::shared(), Diary::default());
        let address = server.database();
        let database = address.rsplit('/').next().unwrap();
        let (first, run) = leaves_behind(&address, &diary, way, shuts_down);
        let second = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let two = second.block_on(node(&address, &diary, "two"));
        // All of its tasks are dropped when this returns.
        first.shutdown_background();
        let standing = format!("select state || claim_no from jobs.run where id = '{run}'");
        assert_eq!(server.sql(database, &standing), "running1");
        // What was cut off is taken up meanwhile, and this would be as well.
        second.block_on(diary.until(|notes| notes.len() == 3));
        assert_eq!(diary.of("two"), ["cut off"]);
        assert_eq!(server.sql(database, &standing), "running1");
        diary.note(&Node("test"), "go");
        second.block_on(async {
            diary.until(|notes| notes.contains(&"the thread ends".to_owned())).await;
            // A runtime that waits for the thread has waited for this.
            assert_eq!(server.sql(database, "select name <> 'one' and not is_closing from jobs.node"), "t");
            bounded(async {
                while !server.sql(database, &standing).starts_with("succeeded") {
                    tokio::task::yield_now().await;
                }
            })
            .await;
            let after = two.run(run).await.unwrap();
            assert_eq!(after.output.as_deref(), Some("\"done\""));
            let (attempts, by_two): (u32, &[_]) = match way {
                Way::Fails => (2, &["cut off", "attempt 2"]),
                Way::Returns | Way::Asks => (1, &["cut off"]),
            };
            assert_eq!(
                (after.attempt, diary.of("two")),
                (attempts, by_two.iter().map(ToString::to_string).collect())
            );
            assert_eq!(server.sql(database, &standing), format!("succeeded{attempts}"));
            assert_eq!(after.attempts.len(), attempts as usize, "{after:?}");
        });
    }
}

/// The function has returned, and what the layer does after it is cut off: others try the run again.
#[test]
fn a_layer_goes_with_its_runtime() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let after = diary.clone();
        let config = config(&address, &diary, "one").middleware(move |cx, next| {
            let after = after.clone();
            async move {
                let result = next.run(cx).await;
                after.note(&Node("layer"), "after");
                std::future::pending::<()>().await;
                result
            }
        });
        let one = jobs::start(config).await.unwrap();
        diary.note(&Node("test"), "go");
        one.now(left_behind { way: Way::Returns }).await.unwrap();
        diary.until(|notes| notes.contains(&"after".to_owned())).await;
    });
    drop(runtime);
    let standing = "select state || attempt || (select count(*) from jobs.node) from jobs.run";
    assert_eq!(server.sql(database, standing), "available00");
}

/// As in a program whose `main` returns without a shutdown.
#[test]
fn a_plain_function_is_told_that_its_runtime_ends() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let (runtime, run) = leaves_behind(&address, &diary, Way::Asks, false);
    drop(runtime);
    let standing =
        "select string_agg(state, ',' order by id) || (select count(*) from jobs.node) from jobs.run";
    assert_eq!(server.sql(database, standing), "available,succeeded0", "{run}");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_that_was_taken_for_lost_still_executes_it_does_not_begin_beside_it() {
    let (server, diary) = (Server::shared(), Diary::default());
    let address = server.database();
    let database = address.rsplit('/').next().unwrap();
    let one = node(&address, &diary, "one").await;
    let run = one.now(stubborn {}).await.unwrap();
    diary.until(|notes| notes.len() == 1).await;
    server.sql(database, "delete from jobs.node");
    // It is given back, and nobody else is there to take it.
    bounded(async {
        while server.sql(database, "select claim_no > 1 or node is null from jobs.run") != "t" {
            tokio::task::yield_now().await;
        }
        // And taken again by the one that is there, which must not go on for ever.
        while server.sql(database, "select state = 'scheduled' and due > now() from jobs.run") != "t" {
            tokio::task::yield_now().await;
        }
    })
    .await;
    assert_eq!(diary.notes(), ["begins"]);
    diary.note(&Node("test"), "go");
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    // What the first came to did not count.
    assert_eq!(diary.notes(), ["begins", "go", "ends", "begins", "ends"]);
    one.shutdown().await;
}
