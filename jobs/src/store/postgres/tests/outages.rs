use std::collections::HashSet;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, tcp};
use tokio::task::JoinSet;

use super::program::{Program, bounded, joined, watching};
use super::*;
use crate::store::postgres::node::Standing;
use crate::store::postgres::trouble::Trouble;

/// What fails while the server is down does so before long.
async fn impatient(server: &Server) -> Db {
    let pool = PgPoolOptions::new().max_connections(4).acquire_timeout(Duration::from_secs(10));
    let pool = pool.connect(&server.database()).await.unwrap();
    migrate(&pool, &Schema::default(), false).await.unwrap();
    Db::new(pool, Schema::default())
}

/// Submits until the server dies, and tells when it is well under way.
async fn submit_until_it_dies(db: Db, under_way: tokio::sync::oneshot::Sender<()>) -> Vec<Id> {
    let mut accepted = Vec::new();
    let mut under_way = Some(under_way);
    loop {
        let batch: Vec<_> = (0..20).map(|_| mail()).collect();
        if db.submit(&batch).await.is_err() {
            return accepted;
        }
        accepted.extend(batch.iter().map(|run| run.id));
        if accepted.len() >= 400
            && let Some(under_way) = under_way.take()
        {
            under_way.send(()).unwrap();
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_accepted_outlives_a_killed_server() {
    let server = Server::start(&[]);
    let db = impatient(&server).await;
    db.know_jobs(&["mail".into()]).await.unwrap();
    let mut accepted = Vec::new();
    for _ in 0..3 {
        let (sender, under_way) = tokio::sync::oneshot::channel();
        let mut submitters = tokio::task::JoinSet::new();
        submitters.spawn(submit_until_it_dies(db.clone(), sender));
        under_way.await.unwrap();
        server.kill();
        accepted.extend(submitters.join_all().await.into_iter().flatten());
        server.start_again();
        let present: i64 = sqlx::query_scalar("select count(*) from jobs.run where id = any ($1)")
            .bind(&accepted)
            .fetch_one(&db.pool)
            .await
            .unwrap();
        assert_eq!(present, i64::try_from(accepted.len()).unwrap());
    }
    // The same pool claims after each of these.
    assert_eq!(db.take(Id(1), 100).await.len(), 100);
}

#[tokio::test]
async fn an_ordinary_restart_is_survived_by_the_same_pool() {
    let server = Server::start(&[]);
    let db = impatient(&server).await;
    db.submit(&[mail()]).await.unwrap();
    server.stop();
    assert!(db.submit(&[mail()]).await.is_err());
    server.start_again();
    db.submit(&[mail()]).await.unwrap();
    assert_eq!(db.take(Id(1), 10).await.len(), 2);
}

/// Somebody holds a row for long, and more questions wait for it than the node has connections.
#[tokio::test(flavor = "multi_thread")]
async fn questions_that_are_not_answered_take_no_connections() {
    let address = Server::shared().database();
    let node = joined(&address, 1, &Program::with_room(0)).await;
    let db = watching(&address);
    let holder = watching(&address);
    let mut held = holder.hold().await;
    sqlx::raw_sql("select from jobs.job where name = 'mail' for update").execute(&mut *held).await.unwrap();
    let node = Arc::new(node);
    let mut asked = JoinSet::new();
    for _ in 0..12 {
        let node = Arc::clone(&node);
        asked.spawn(async move { node.ask(|db| async move { db.pause_job("mail", true).await }).await });
    }
    for answer in bounded(asked.join_all()).await {
        assert!(matches!(answer, Err(Trouble::Passing(_))), "{answer:?}");
    }
    bounded(node.submit(mail())).await.unwrap().unwrap();
    // The server does not go on with them either.
    let waiting = "select count(*) from pg_stat_activity \
        where datname = current_database() and query like '%or family = (select%' and wait_event_type = 'Lock'";
    db.until(waiting, "0").await;
    held.rollback().await.unwrap();
    node.leave().await;
}

#[tokio::test]
async fn a_question_that_was_given_up_takes_no_connection() {
    let options = Server::shared().database().parse().unwrap();
    let pool = crate::store::postgres::connections::pool(options, 1);
    let mut long = Box::pin(sqlx::query("select pg_sleep(600)").execute(&pool));
    let sleeps = "select count(*) from pg_stat_activity where query like '%pg_sleep(600)%' and state = 'active' \
        and pid <> pg_backend_pid()";
    let db = watching(&Server::shared().database());
    tokio::select! {
        slept = &mut long => panic!("{slept:?}"),
        () = db.until(sleeps, "1") => {}
    }
    drop(long);
    sqlx::query("select 1").execute(&pool).await.unwrap();
}

/// Stands between a node and the server. From a moment on nothing gets through the connections that there are, which stay open.
struct Swallower {
    address: String,
    swallows: tokio::sync::watch::Sender<u32>,
    _work: JoinSet<()>,
}

impl Swallower {
    async fn before(address: &str) -> Self {
        let server = address.split(['@', '/']).nth(3).unwrap().to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = address.replace(&server, &listener.local_addr().unwrap().to_string());
        let (swallows, told) = tokio::sync::watch::channel(0);
        let mut work = JoinSet::new();
        work.spawn(async move {
            let mut connections = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                let server = TcpStream::connect(&server).await.unwrap();
                let ((asked, asker), (answers, answerer)) = (client.into_split(), server.into_split());
                let since = *told.borrow();
                connections.spawn(pass_on(asked, answerer, told.clone(), since));
                connections.spawn(pass_on(answers, asker, told.clone(), since));
            }
        });
        Self { address, swallows, _work: work }
    }

    /// Those that are made from now on get through.
    fn swallow(&self) {
        self.swallows.send_modify(|times| *times += 1);
    }
}

async fn pass_on(
    mut from: tcp::OwnedReadHalf,
    mut to: tcp::OwnedWriteHalf,
    told: tokio::sync::watch::Receiver<u32>,
    since: u32,
) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count) = from.read(&mut bytes).await {
        if *told.borrow() > since {
            // It is read, and that is all.
            if count == 0 {
                std::future::pending::<()>().await;
            }
        } else if count == 0 || to.write_all(&bytes[..count]).await.is_err() {
            return;
        }
    }
}

/// As after a failover behind an address that stays the same.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_its_connections_that_fall_silent() {
    let address = Server::shared().database();
    let swallower = Swallower::before(&address).await;
    let program = Program::with_room(10);
    let node = joined(&swallower.address, 1, &program).await;
    let db = watching(&address);
    node.submit(mail()).await.unwrap().unwrap();
    program.execute(&node, 1).await;
    for _ in 0..2 {
        swallower.swallow();
        let now = db.text("select now()").await;
        bounded(node.submit(mail())).await.unwrap().unwrap();
        program.execute(&node, 1).await;
        db.until(&format!("select heartbeat > '{now}' from jobs.node"), "true").await;
    }
    db.until("select count(*) from jobs.run where state = 'succeeded'", "3").await;
    node.leave().await;
}

/// Who listens is not told that nobody speaks any more.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_ears_fall_silent_listens_anew() {
    let address = Server::shared().database();
    let swallower = Swallower::before(&address).await;
    let node = joined(&swallower.address, 1, &Program::with_room(0)).await;
    let db = watching(&address);
    let listening = |since: &str| {
        format!(
            "select count(*) > 0 from pg_stat_activity where datname = current_database()
             and (query ilike 'listen%' or query like 'select %heard_') and backend_start > '{since}'"
        )
    };
    db.until(&listening("-infinity"), "true").await;
    let now = db.text("select now()").await;
    swallower.swallow();
    db.until(&listening(&now), "true").await;
    node.leave().await;
}

/// Heartbeats fail, and all else works: it is not told to be well in between.
#[tokio::test(flavor = "multi_thread")]
async fn a_trouble_of_one_part_is_not_over_when_others_have_none() {
    let address = Server::shared().database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    db.run_sql(
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no heartbeats today'; end $$;
         create trigger refuse before update on jobs.node execute function refuse()",
    )
    .await;
    let (mut well, mut troubled) = (0, 0);
    bounded(node.until(|standing| *standing != Standing::Well)).await;
    for _ in 0..20 {
        node.submit(mail()).await.unwrap().unwrap();
        program.execute(&node, 1).await;
        match node.standing() {
            Standing::Well => well += 1,
            Standing::Troubled(_, why) => troubled += usize::from(why.contains("no heartbeats today")),
        }
    }
    assert_eq!((well, troubled), (0, 20));
    db.run_sql("drop trigger refuse on jobs.node").await;
    bounded(node.until(|standing| *standing == Standing::Well)).await;
    node.leave().await;
}

/// As after a failover, until the other server is promoted: who submits waits, nothing is lost and nothing done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_a_server_that_only_reads() {
    let server = Server::start(&[]);
    let address = server.database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    node.submit(mail()).await.unwrap().unwrap();
    program.has_taken().await;
    server.sql("postgres", "alter system set default_transaction_read_only = on");
    server.sql("postgres", "select pg_reload_conf()");
    db.until("select current_setting('default_transaction_read_only')", "on").await;
    // One ends and others come while nothing is written.
    let [begun] = program.drain().try_into().unwrap();
    node.ends().end(success_of(&begun));
    let submitted: Vec<_> = (0..20).map(|_| node.submit(mail())).collect();
    let is_told = |standing: &Standing| matches!(standing, Standing::Troubled(_, why) if why.contains("in a read-only transaction"));
    bounded(node.until(is_told)).await;
    assert_eq!(db.text("select count(*) from jobs.run").await, "1");
    server.sql("postgres", "alter system reset default_transaction_read_only");
    server.sql("postgres", "select pg_reload_conf()");
    for submitted in submitted {
        bounded(submitted).await.unwrap().unwrap();
    }
    program.execute(&node, 20).await;
    bounded(node.until(|standing| *standing == Standing::Well)).await;
    node.leave().await;
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'succeeded' and claim_no = 1").await,
        "21"
    );
}

/// A password that is being changed, and for a while is another than the node's.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_until_the_node_is_let_in_again() {
    let server = Server::start_with_passwords();
    server.sql("postgres", "alter role jobs password 'old'");
    let address = server.database().replace("jobs@", "jobs:old@");
    let name = address.rsplit('/').next().unwrap().to_owned();
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    node.submit(mail()).await.unwrap().unwrap();
    let claimed = program.takes_one().await;
    *program.room.lock().unwrap() = 0;
    server.sql("postgres", "alter role jobs password 'new'");
    server.sql(
        "postgres",
        &format!("select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"),
    );
    node.ends().end(success_of(&claimed));
    let is_told = |standing: &Standing| matches!(standing, Standing::Troubled(_, why) if why.contains("authentication failed"));
    bounded(node.until(is_told)).await;
    assert_eq!(server.sql(&name, "select state from jobs.run"), "running");
    server.sql("postgres", "alter role jobs password 'old'");
    watching(&address).until("select state || claim_no from jobs.run", "succeeded1").await;
    bounded(node.until(|standing| *standing == Standing::Well)).await;
    node.leave().await;
}

/// What the database is set to is meant for others.
#[tokio::test(flavor = "multi_thread")]
async fn an_end_waits_for_its_row_however_short_the_patience_of_the_database() {
    let address = Server::shared().database();
    let (db, other) = (watching(&address), watching(&address));
    db.run_sql(&format!("alter database {} set lock_timeout = '300ms'", address.rsplit('/').next().unwrap()))
        .await;
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    node.submit(mail()).await.unwrap().unwrap();
    let claimed = program.takes_one().await;
    let mut holds = other.hold().await;
    sqlx::query("select from jobs.run for update").execute(&mut *holds).await.unwrap();
    let record = Some(r#"{"output":{"json":"7"}}"#.to_owned());
    node.ends().end(End { record: record.clone(), ..success_of(&claimed) });
    // Until it has been given up and asked again.
    let waiting = "select xact_start from pg_stat_activity
        where datname = current_database() and wait_event_type = 'Lock' and query like 'update %run r%'";
    let mut tries = HashSet::new();
    bounded(async {
        while tries.len() < 3 {
            tries.insert(db.text(waiting).await);
            tries.remove("");
            tokio::task::yield_now().await;
        }
    })
    .await;
    holds.rollback().await.unwrap();
    db.until("select state from jobs.run", "succeeded").await;
    assert_eq!(Some(db.text("select record from jobs.run").await), record);
    node.leave().await;
}

/// Others have nearly all connections of the server: the node gets on with few, and has them all when it can.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_gets_on_with_few_connections() {
    let server = Server::start(&["max_connections=20", "superuser_reserved_connections=0"]);
    let address = server.database();
    let mut others = Vec::new();
    for _ in 0..15 {
        others.push(<sqlx::PgConnection as sqlx::Connection>::connect(&address).await.unwrap());
    }
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let node = Arc::new(node);
    let mut asked = JoinSet::new();
    for _ in 0..40 {
        let node = Arc::clone(&node);
        asked.spawn(async move { node.submit(mail()).await.unwrap().unwrap() });
    }
    bounded(program.execute(&node, 40)).await;
    bounded(asked.join_all()).await;
    let mut one = others.pop().unwrap();
    let sql = "select count(*)::integer from jobs.node where heartbeat > now() - interval '15 s'";
    bounded(async { while sqlx::query_scalar::<_, i32>(sql).fetch_one(&mut one).await.unwrap() == 0 {} })
        .await;
    drop((one, others));
    let mut questions = JoinSet::new();
    for _ in 0..8 {
        let node = Arc::clone(&node);
        questions.spawn(async move {
            node.ask(|db| async move {
                db.text("select 1 from pg_sleep(0.3)").await.parse().map_err(sqlx::Error::decode)
            })
            .await
        });
    }
    let answers: Vec<u32> = bounded(questions.join_all()).await.into_iter().map(Result::unwrap).collect();
    assert_eq!(answers, [1; 8]);
    bounded(node.until(|standing| *standing == Standing::Well)).await;
    node.leave().await;
}

/// Questions have all connections for work: the heartbeat has its own.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_with_a_full_pool_goes_on_living() {
    let address = Server::shared().database();
    let program = Program::with_room(10);
    let node = Arc::new(joined(&address, 1, &program).await);
    let db = watching(&address);
    let holder = watching(&address);
    let mut held = holder.hold().await;
    sqlx::raw_sql("select from jobs.job where name = 'mail' for update").execute(&mut *held).await.unwrap();
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut asking = JoinSet::new();
    for _ in 0..16 {
        let (node, stopped) = (Arc::clone(&node), stopped.clone());
        asking.spawn(async move {
            while !*stopped.borrow() {
                let _ = node.ask(|db| async move { db.pause_job("mail", false).await }).await;
            }
        });
    }
    let waiting = "select count(*) >= 6 from pg_stat_activity \
        where datname = current_database() and query like '%or family = (select%' and wait_event_type = 'Lock'";
    db.until(waiting, "true").await;
    let now = db.text("select now()").await;
    db.until(&format!("select heartbeat > '{now}'::timestamptz + interval '15 s' from jobs.node"), "true")
        .await;
    stop.send_replace(true);
    held.rollback().await.unwrap();
    bounded(asking.join_all()).await;
    let run = mail();
    bounded(node.submit(run.clone())).await.unwrap().unwrap();
    assert_eq!(program.execute(&node, 1).await, [run.id]);
    node.leave().await;
}
