//! Runs that end if the transaction commits.

use super::*;

/// What the job that completes its run is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub(super) enum Ends {
    Well,
    /// It commits, and returns an error all the same.
    Badly,
    /// It commits, and goes on until its time is up.
    Never,
    /// It rolls its first attempt back.
    Again,
    /// It rolls back and completes once more.
    Twice,
    /// Somebody has taken its run away.
    Late,
}

/// A job that completes its run in a transaction, and one whose attempts leave their contexts to the next.
macro_rules! completing {
    ($charge:ident, $leaves:ident, $of:ident, $begin:literal) => {
        #[job(retries = 3, backoff = "10ms..20ms")]
        pub(super) async fn $charge(
            #[state] databases: &Databases,
            #[state] diary: &Diary,
            cx: &JobContext,
            ends: Ends,
        ) -> Result<(), BoxError> {
            let pool = databases.$of.as_ref().unwrap();
            cx.log("charges");
            cx.output(&cx.attempt());
            if ends == Ends::Twice {
                let mut tx = pool.begin_with($begin).await?;
                cx.complete_in(&mut tx).await?;
                tx.rollback().await?;
            }
            let mut tx = pool.begin_with($begin).await?;
            let order = i32::try_from(cx.attempt())?;
            sqlx::query("insert into orders values ($1)").bind(order).execute(&mut *tx).await?;
            if ends == Ends::Late {
                sqlx::query("update jobs.run set claim_no = claim_no + 1").execute(pool).await?;
            }
            match cx.complete_in(&mut tx).await {
                Ok(()) => assert_ne!(ends, Ends::Late),
                Err(error) => {
                    assert!(error.is_lost(), "{error}");
                    diary.0.lock().unwrap().push("lost".to_owned());
                    return Err(error.into());
                }
            }
            let again = cx.complete_in(&mut tx).await.expect_err("it is completed already");
            assert!(again.is_lost(), "{again}");
            if ends == Ends::Again && cx.attempt() == 1 {
                tx.rollback().await?;
                return Err("not yet".into());
            }
            tx.commit().await?;
            diary.0.lock().unwrap().push("charged".to_owned());
            match ends {
                Ends::Badly => Err("too late".into()),
                Ends::Never => std::future::pending().await,
                _ => Ok(()),
            }
        }

        /// As a task that it has spawned would have it.
        #[job(retries = 1, backoff = "10ms..20ms")]
        async fn $leaves(#[state] databases: &Databases, cx: &JobContext) -> Result<(), BoxError> {
            static LEFT: Mutex<Option<JobContext>> = Mutex::new(None);
            let before = LEFT.lock().unwrap().replace(cx.clone());
            let Some(before) = before else { return Err("not yet".into()) };
            let mut tx = databases.$of.as_ref().unwrap().begin_with($begin).await?;
            let error = before.complete_in(&mut tx).await.expect_err("that attempt is over");
            assert!(error.is_lost(), "{error}");
            cx.complete_in(&mut tx).await?;
            tx.commit().await?;
            Ok(())
        }
    };
}
completing!(charge, leaves, postgres, "begin");
completing!(charge_in_file, leaves_in_file, sqlite, "begin immediate");

impl Program<Postgres> {
    fn databases(&self) -> Databases {
        Databases { postgres: Some(self.pool.clone()), sqlite: None }
    }
}

impl Program<Sqlite> {
    fn databases(&self) -> Databases {
        Databases { postgres: None, sqlite: Some(self.pool.clone()) }
    }
}

macro_rules! is_completed_with_what_it_has_written {
    ($program:expr, $charge:ident, [$($ends:ident),*]) => {
        for (ends, order, note) in [
            $((Ends::$ends, if Ends::$ends == Ends::Again { 2 } else { 1 }, "charged"),)*
        ] {
            let program = $program;
            program.jobs.shutdown().await;
            let diary = Diary::default();
            let mut config = beside(&program.address, &diary, program.databases());
            if ends == Ends::Never {
                config = with_timeout(config, stringify!($charge));
            }
            let jobs = jobs::start(config).await.unwrap();
            let run = jobs.now($charge { ends }).await.unwrap();
            assert_eq!(bounded(run.wait()).await, Outcome::Succeeded, "{ends:?}");
            let told = jobs.run(run.id()).await.unwrap();
            assert_eq!((told.state, told.outcome), (RunState::Succeeded, Some(Outcome::Succeeded)), "{ends:?}");
            jobs.shutdown().await;
            let orders = sqlx::query_scalar("select id from orders order by id");
            let orders: Vec<i32> = orders.fetch_all(&program.pool).await.unwrap();
            assert_eq!((orders, diary.notes()), (vec![order], vec![note.to_owned()]), "{ends:?}");
        }
    };
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_completed_with_what_it_has_written() {
    is_completed_with_what_it_has_written!(on_postgres().await, charge, [Well, Badly, Never, Again, Twice]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_in_a_file_is_completed_with_what_it_has_written() {
    is_completed_with_what_it_has_written!(
        on_sqlite().await,
        charge_in_file,
        [Well, Badly, Never, Again, Twice]
    );
}

/// Transactions that outlive the attempts that have begun them.
#[derive(Debug, Clone, Default)]
pub(super) struct Open(Arc<Mutex<Vec<Transaction<'static, Postgres>>>>);

#[job(retries = 0)]
async fn leaves_open(
    #[state] databases: &Databases,
    #[state] open: &Open,
    cx: &JobContext,
) -> Result<(), BoxError> {
    let mut tx = databases.postgres.as_ref().unwrap().begin().await?;
    cx.complete_in(&mut tx).await?;
    open.0.lock().unwrap().push(tx);
    Err("not yet".into())
}

/// Whether one commits or not, nobody else waits for it.
#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_outlives_its_attempt_holds_up_no_other_end() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let open = Open::default();
    let config = Config::default().store(&program.address).state(program.diary.clone());
    let jobs = jobs::start(config.state(program.databases()).state(open.clone())).await.unwrap();
    for (commits, outcome) in [(true, Outcome::Succeeded), (false, Outcome::Failed("not yet".into()))] {
        let run = jobs.now(leaves_open {}).await.unwrap();
        let tx = bounded(async {
            loop {
                let tx = open.0.lock().unwrap().pop();
                match tx {
                    Some(tx) => break tx,
                    None => tokio::task::yield_now().await,
                }
            }
        })
        .await;
        for n in 0..3 {
            let other = jobs.now(text(&format!("{n}"))).await.unwrap();
            assert_eq!(bounded(other.wait()).await, Outcome::Succeeded);
        }
        let state =
            sqlx::query_scalar("select state from jobs.run where job = 'leaves_open' and finished is null");
        let states: Vec<String> = state.fetch_all(&program.pool).await.unwrap();
        assert_eq!(states, ["running"]);
        if commits {
            tx.commit().await.unwrap()
        } else {
            tx.rollback().await.unwrap()
        }
        assert_eq!(bounded(run.wait()).await, outcome);
    }
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_that_was_taken_away_is_not_completed() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let diary = Diary::default();
    let jobs = start_beside(&program.address, &diary, program.databases()).await;
    jobs.now(charge { ends: Ends::Late }).await.unwrap();
    bounded(async {
        while diary.notes().is_empty() {
            tokio::task::yield_now().await;
        }
    })
    .await;
    jobs.shutdown().await;
    let orders: Vec<i32> =
        sqlx::query_scalar("select id from orders").fetch_all(&program.pool).await.unwrap();
    assert_eq!((orders, diary.notes()), (vec![], vec!["lost".to_owned()]));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_attempt_that_is_over_completes_nothing() {
    let program = on_postgres().await;
    program.jobs.shutdown().await;
    let jobs = start_beside(&program.address, &program.diary, program.databases()).await;
    let run = jobs.now(leaves {}).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
    let program = on_sqlite().await;
    program.jobs.shutdown().await;
    let jobs = start_beside(&program.address, &program.diary, program.databases()).await;
    let run = jobs.now(leaves_in_file {}).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
}

/// What the run has said by then is kept on SQLite.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_completed_run_has_said_outlives_the_process() {
    let program = on_sqlite().await;
    program.jobs.shutdown().await;
    let config = beside(&program.address, &program.diary, program.databases());
    let jobs = jobs::start(with_timeout(config, "charge_in_file")).await.unwrap();
    let run = jobs.now(charge_in_file { ends: Ends::Never }).await.unwrap();
    assert_eq!(bounded(run.wait()).await, Outcome::Succeeded);
    jobs.shutdown().await;
    let jobs = start(&program.address, &program.diary).await;
    let told = jobs.run(run.id()).await.unwrap();
    assert_eq!((told.outcome, told.output.as_deref()), (Some(Outcome::Succeeded), Some("1")));
    assert_eq!((told.log.len(), told.arguments.as_deref()), (1, Some(r#"{"ends":"Never"}"#)));
    jobs.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_run_is_not_completed_in_another_file() {
    let (one, other) = (on_sqlite().await, on_sqlite().await);
    one.jobs.shutdown().await;
    let jobs = start_beside(&one.address, &one.diary, other.databases()).await;
    let run = jobs.now(charge_in_file { ends: Ends::Well }).await.unwrap();
    let outcome = bounded(run.wait()).await;
    assert!(matches!(&outcome, Outcome::Panicked(why) if why.contains("is not one on")), "{outcome:?}");
    jobs.shutdown().await;
    other.jobs.shutdown().await;
}
