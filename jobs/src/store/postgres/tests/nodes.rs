use super::program::{Program, bounded, identity, joined, joined_with, watching};
use super::*;
use crate::store::postgres::node::{Identity, JoinError, Node, Standing};
use crate::store::postgres::submit::Submitted;
use crate::store::postgres::trouble::Trouble;

#[tokio::test]
async fn what_one_submits_another_executes() {
    let address = Server::shared().database();
    let (idle, busy) = (Program::with_room(10), Program::with_room(0));
    let executor = joined(&address, 1, &idle).await;
    let submitter = joined(&address, 2, &busy).await;
    let runs: Vec<_> = (0..50).map(|_| mail()).collect();
    let submitted = runs.iter().map(|run| submitter.submit(run.clone()));
    for submitted in submitted {
        submitted.await.unwrap().unwrap();
    }
    let mut ended = idle.execute(&executor, 50).await;
    ended.sort();
    assert_eq!(ended, runs.iter().map(|run| run.id).collect::<Vec<_>>());
    executor.leave().await;
    submitter.leave().await;
    let db = watching(&address);
    assert_eq!(db.text("select count(*) from jobs.run where state = 'succeeded'").await, "50");
    assert_eq!(db.text("select count(*) from jobs.node").await, "0");
}

/// Fifty callers, each told after its commit, have it together.
#[tokio::test]
async fn what_is_submitted_meanwhile_is_committed_together() {
    let address = Server::shared().database();
    let node = Arc::new(joined(&address, 1, &Program::with_room(0)).await);
    let mut callers = tokio::task::JoinSet::new();
    for _ in 0..50 {
        let node = Arc::clone(&node);
        callers.spawn(async move {
            for _ in 0..20 {
                node.submit(mail()).await.unwrap().unwrap();
            }
        });
    }
    callers.join_all().await;
    let commits = watching(&address).text("select count(distinct xmin::text) from jobs.run").await;
    println!("{commits} commits for 1000 submissions");
    assert!((20..=200).contains(&commits.parse().unwrap()), "{commits} commits for 1000 submissions");
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_hoards_more_than_there_is_room_for() {
    let address = Server::shared().database();
    let slow = Program::with_room(3);
    let node = joined(&address, 1, &slow).await;
    for _ in 0..20 {
        node.submit(mail()).await.unwrap().unwrap();
    }
    while slow.taken.lock().unwrap().len() < 3 {
        bounded(slow.news.notified()).await;
    }
    let idle = Program::with_room(100);
    let other = joined(&address, 2, &idle).await;
    assert_eq!(idle.execute(&other, 17).await.len(), 17);
    assert_eq!(slow.drain().len(), 3);
}

/// Runs were short, and those that come next are not: what the node has claimed ahead is for others.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_claimed_ahead_and_would_wait_goes_back() {
    let address = Server::shared().database();
    let program = Program::with_room(5);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let runs: Vec<_> = (0..4000).map(|_| mail()).collect();
    db.submit(&runs).await.unwrap();
    let ended = program.execute(&node, 2000).await.len();
    let left = 4000 - ended;
    db.until(
        "select (count(*) filter (where state = 'running') <= 5, count(*) filter (where state = 'succeeded')) from jobs.run",
        &format!("(t,{ended})"),
    )
    .await;
    // And it is executed by another, or when they are short again.
    let other = Program::with_room(5);
    let second = joined(&address, 2, &other).await;
    other.execute(&second, left - 5).await;
    program.execute(&node, 5).await;
    db.until("select count(*) from jobs.run where state = 'succeeded' and attempt = 1", "4000").await;
}

#[tokio::test]
async fn what_is_given_back_is_executed_by_another() {
    let address = Server::shared().database();
    let leaving = Program::with_room(1);
    let node = joined(&address, 1, &leaving).await;
    node.submit(mail()).await.unwrap().unwrap();
    bounded(leaving.news.notified()).await;
    *leaving.room.lock().unwrap() = 0;
    let [claimed] = leaving.drain().try_into().unwrap();
    node.ends().give_back(fence_of(&claimed));
    node.leave().await;
    let program = Program::with_room(1);
    let other = joined(&address, 2, &program).await;
    assert_eq!(program.execute(&other, 1).await, [claimed.id]);
}

#[tokio::test]
async fn one_that_the_server_refuses_is_refused_alone() {
    let address = Server::shared().database();
    let node = joined(&address, 1, &Program::with_room(0)).await;
    let poison = NewRun { args: "\0".into(), ..mail() };
    let (one, refused, other) = tokio::join!(node.submit(mail()), node.submit(poison), node.submit(mail()));
    assert!(one.unwrap().is_ok() && other.unwrap().is_ok());
    assert!(matches!(refused, Ok(Err(Trouble::Lasting(_)))), "{refused:?}");
}

/// Somebody submits in a transaction of his own, and goes for lunch.
#[tokio::test]
async fn one_that_is_held_up_holds_nobody_up() {
    let address = Server::shared().database();
    let node = joined(&address, 1, &Program::with_room(0)).await;
    let db = watching(&address);
    let unique = |key: &str| {
        let unique = crate::store::postgres::submit::Unique { key: key.to_owned(), until: None };
        NewRun { unique: Some(unique), ..mail() }
    };
    let first = unique("lunch");
    let mut tx = db.hold().await;
    db.submit_unique_on(&mut tx, std::slice::from_ref(&first)).await.unwrap();
    let same = node.submit(unique("lunch"));
    tokio::pin!(same);
    let others = async {
        for _ in 0..20 {
            let (plain, unique) = tokio::join!(node.submit(mail()), node.submit(unique(&id().0.to_string())));
            plain.unwrap().and(unique.unwrap()).unwrap();
        }
    };
    tokio::select! {
        same = &mut same => panic!("it stands for one that is not committed: {same:?}"),
        () = bounded(others) => {}
    }
    tx.commit().await.unwrap();
    assert_eq!(bounded(same).await.unwrap().unwrap(), Submitted::Existing(first.id));
}

/// More of them than the node has connections.
#[tokio::test]
async fn many_at_once_that_are_held_up_hold_nobody_up() {
    let address = Server::shared().database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let unique = || {
        let unique = crate::store::postgres::submit::Unique { key: "lunch".to_owned(), until: None };
        NewRun { unique: Some(unique), ..run_of("sweep") }
    };
    let first = unique();
    let mut tx = db.hold().await;
    db.submit_unique_on(&mut tx, std::slice::from_ref(&first)).await.unwrap();
    let held: Vec<_> = (0..10).map(|_| node.submit_all(vec![unique(), run_of("sweep")])).collect();
    for _ in 0..5 {
        bounded(node.submit_all(vec![mail(), mail()])).await.unwrap().unwrap();
        bounded(node.submit(mail())).await.unwrap().unwrap();
    }
    program.execute(&node, 15).await;
    let standing = node.standing();
    assert!(
        !matches!(&standing, Standing::Troubled(_, why) if why == Trouble::Held.message()),
        "{standing:?}"
    );
    tx.commit().await.unwrap();
    for held in held {
        let submitted = bounded(held).await.unwrap().unwrap();
        assert_eq!(submitted, [Submitted::Existing(first.id), Submitted::New]);
    }
    node.leave().await;
}

#[tokio::test]
async fn a_node_goes_by_the_time_of_the_server() {
    let address = Server::shared().database();
    let time = Arc::new(Clock::system());
    // The clock of this machine is wrong.
    let now = time.now();
    time.follow(now, now.wall.saturating_add(Duration::from_secs(3600)), now);
    let program = Program::with_room(0);
    let node = joined_with(&address, 1, &program, &time).await;
    let server = watching(&address).text("select clock_timestamp()").await;
    let server = chrono::DateTime::parse_from_str(&format!("{server}00"), "%F %T%.f%z").unwrap();
    let apart = (time.look().0.wall.to_chrono() - server.to_utc()).abs();
    assert!(apart < chrono::TimeDelta::seconds(5), "{apart}");
    node.leave().await;
}

#[tokio::test]
async fn a_cancelled_run_is_told_to_who_executes_it() {
    let address = Server::shared().database();
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    let run = mail();
    node.submit(run.clone()).await.unwrap().unwrap();
    bounded(program.news.notified()).await;
    watching(&address).cancel(run.id).await.unwrap();
    bounded(program.news.notified()).await;
    assert_eq!(program.cancelled.lock().unwrap()[0], run.id);
}

/// Restarted as by an administrator, then killed: who submits waits, who executes goes on, and nothing is lost or done twice.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_outlives_its_server() {
    let server = Arc::new(Server::start(&[]));
    let address = server.database();
    let program = Program::with_room(10);
    let node = Arc::new(joined(&address, 1, &program).await);
    let mut all = Vec::new();
    for kill in [false, true] {
        let (stopping, going) = (Arc::clone(&server), Arc::clone(&node));
        let outage = tokio::task::spawn_blocking(move || {
            if kill {
                stopping.kill()
            } else {
                stopping.stop()
            }
            stopping.start_again();
        });
        let mut submitters = tokio::task::JoinSet::new();
        for _ in 0..200 {
            let (node, run) = (Arc::clone(&going), mail());
            all.push(run.id);
            submitters.spawn(async move { node.submit(run).await.unwrap().unwrap() });
        }
        program.execute(&node, 200).await;
        bounded(submitters.join_all()).await;
        bounded(outage).await.unwrap();
        // And afterwards it works as before.
        let run = mail();
        all.push(run.id);
        bounded(node.submit(run.clone())).await.unwrap().unwrap();
        assert_eq!(program.execute(&node, 1).await, [run.id]);
    }
    Arc::into_inner(node).unwrap().leave().await;
    let db = watching(&address);
    all.sort();
    let ids = all.iter().map(|id| format!("{:032x}", id.0)).collect::<Vec<_>>().join(",");
    assert_eq!(db.text("select replace(id::text, '-', '') from jobs.run order by id").await, ids);
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'succeeded' and attempt = 1").await,
        "402"
    );
}

#[tokio::test]
async fn a_node_that_was_taken_for_lost_learns_it_and_comes_back() {
    let address = Server::shared().database();
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    db.leave(Id(1), &[]).await.unwrap();
    let mut lost = program.lost.subscribe();
    bounded(lost.wait_for(|lost| *lost > 0)).await.unwrap();
    node.submit(mail()).await.unwrap().unwrap();
    program.execute(&node, 1).await;
    node.leave().await;
    assert_eq!(db.text("select state from jobs.run").await, "succeeded");
}

#[tokio::test]
async fn who_cannot_join_is_told_why_without_the_password() {
    let missing = Server::shared().database().replace("test_", "no_such_").replace("jobs@", "jobs:hunter2@");
    let identity = Identity { id: Id(1), name: "test".into(), names: Vec::new(), fires: Vec::new() };
    let refused =
        Node::join(Address::parse(&missing).unwrap(), identity, clock(), Program::with_room(0)).await;
    let Err(refused @ JoinError::Unreachable(_)) = refused else { panic!("it has joined") };
    let message = refused.to_string();
    assert!(message.contains("no_such_") && !message.contains("hunter2"), "{message}");
}

/// What the server does not take of an end is left out, and the run is not executed again; the others are written as they are.
#[tokio::test]
async fn an_end_that_the_server_does_not_take_is_written_without_its_text() {
    let address = Server::shared().database();
    let program = Program::with_room(2);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    db.run_sql("alter table jobs.run add check (message not like '%poison%')").await;
    for _ in 0..2 {
        node.submit(mail()).await.unwrap().unwrap();
    }
    let mut taken = Vec::new();
    while taken.len() < 2 {
        bounded(program.news.notified()).await;
        taken.extend(program.drain());
    }
    *program.room.lock().unwrap() = 0;
    for (claimed, message) in taken.iter().zip(["poison", "no route to host"]) {
        let end = end_of(claimed, Follows::End("dead"));
        node.ends().end(End { message: Some(message.into()), record: Some("{}".into()), ..end });
    }
    db.until("select count(*) from jobs.run where state = 'dead' and claim_no = 1", "2").await;
    let found = db.text("select (message, record) from jobs.run order by id").await;
    let unwritten = "the server does not take the message of this attempt and what it has recorded";
    assert_eq!(found, format!("(\"{unwritten}\",),(\"no route to host\",{{}})"));
    node.leave().await;
}

/// A right that is missing for a while, as it may be for everything.
#[tokio::test]
async fn ends_that_the_server_refuses_are_written_when_it_does_not() {
    let server = Server::shared();
    let address = server.database();
    let name = address.rsplit('/').next().unwrap().to_owned();
    let program = Program::with_room(2);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    for _ in 0..2 {
        node.submit(mail()).await.unwrap().unwrap();
    }
    let mut taken = Vec::new();
    while taken.len() < 2 {
        bounded(program.news.notified()).await;
        taken.extend(program.drain());
    }
    *program.room.lock().unwrap() = 0;
    server.sql(
        &name,
        "create function refuse() returns trigger language plpgsql as
            $$ begin raise exception 'no' using errcode = '42501'; end $$;
         create trigger refuse before update on jobs.run execute function refuse()",
    );
    node.ends().end(success_of(&taken[0]));
    node.ends().give_back(fence_of(&taken[1]));
    bounded(node.until(|standing| *standing != Standing::Well)).await;
    assert_eq!(db.text("select count(*) from jobs.run where state = 'running' and claim_no = 1").await, "2");
    server.sql(&name, "drop trigger refuse on jobs.run");
    db.until("select string_agg(state || claim_no, ' ' order by id) from jobs.run", "succeeded1 available1")
        .await;
    node.leave().await;
}

/// The longest name that a schema may have.
#[tokio::test]
async fn nodes_hear_each_other_in_every_schema() {
    let schema = "s".repeat(58);
    let address = format!("{}?schema={schema}", Server::shared().database());
    let node = joined(&address, 1, &Program::with_room(0)).await;
    let other = joined(&address, 2, &Program::with_room(0)).await;
    let mut listener = sqlx::postgres::PgListener::connect_with(&pool(&address, 1)).await.unwrap();
    listener.listen(&format!("jobs_{schema}")).await.unwrap();
    // Until it knows that it is not alone it tells nobody.
    let heard = async {
        loop {
            node.submit(mail()).await.unwrap().unwrap();
            let news = tokio::time::timeout(Duration::from_millis(100), listener.recv()).await;
            if news.is_ok_and(|news| news.unwrap().payload() == format!("{:032x}", 1)) {
                break;
            }
        }
    };
    bounded(heard).await;
    node.leave().await;
    other.leave().await;
}

#[tokio::test]
async fn a_database_of_another_encoding_is_refused() {
    let server = Server::shared();
    server.sql("postgres", "create database latin encoding 'LATIN1' template template0");
    let address = Address::parse(&server.address("latin")).unwrap();
    let refused = Node::join(address, identity(1), clock(), Program::with_room(0)).await;
    let Err(refused @ JoinError::Unreachable(_)) = refused else { panic!("it has joined") };
    assert!(refused.to_string().contains("is encoded in LATIN1, and has to be in UTF8"), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn trouble_is_told_and_so_is_its_end() {
    let server = Server::start(&[]);
    let node = joined(&server.database(), 1, &Program::with_room(1)).await;
    assert_eq!(node.standing(), Standing::Well);
    server.stop();
    let (submitted, ()) = tokio::join!(node.submit(mail()), async {
        bounded(node.until(|standing| *standing != Standing::Well)).await;
        server.start_again();
    });
    submitted.unwrap().unwrap();
    bounded(node.until(|standing| *standing == Standing::Well)).await;
}

/// It looks by itself once a second, so that those who are not told wait for half of that.
#[tokio::test(flavor = "multi_thread")]
async fn what_one_submits_wakes_another() {
    let address = Server::shared().quick_database();
    let idle = Program::with_room(10);
    let executor = joined(&address, 1, &idle).await;
    let submitter = joined(&address, 2, &Program::with_room(0)).await;
    // By then they know of each other.
    submitter.submit(mail()).await.unwrap().unwrap();
    idle.execute(&executor, 1).await;
    let mut took = Vec::new();
    for _ in 0..40 {
        let start = crate::clock::monotonic_now();
        submitter.submit(mail()).await.unwrap().unwrap();
        idle.execute(&executor, 1).await;
        took.push(start.elapsed());
    }
    took.sort();
    // Each begins at once after the last, so that it would wait for nearly all of a second.
    assert!(took[9] < Duration::from_millis(400), "40 runs, one after another, took {took:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_waits_is_told_what_another_node_made_of_it() {
    let address = Server::shared().database();
    let program = Program::with_room(5);
    let executor = joined(&address, 1, &program).await;
    let submitter = joined(&address, 2, &Program::with_room(0)).await;
    let run = mail();
    submitter.submit(run.clone()).await.unwrap().unwrap();
    let (ended, _) = tokio::join!(bounded(submitter.ended(run.id)), program.execute(&executor, 1));
    let ended = ended.unwrap();
    assert_eq!((ended.outcome.as_deref(), ended.is_unknown), (Some("succeeded"), false));
    // At once, and on the node that has executed it; and of a run that nobody knows.
    assert_eq!(bounded(executor.ended(run.id)).await.unwrap(), ended);
    assert!(bounded(executor.ended(Id(7 << 64))).await.unwrap().is_unknown);
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_are_asked_on_the_thread_of_the_node() {
    let address = Server::shared().database();
    let node = joined(&address, 1, &Program::with_room(0)).await;
    let run = mail();
    node.submit(run.clone()).await.unwrap().unwrap();
    let id = run.id;
    let found = node.ask(move |db| async move { db.run(id).await }).await.unwrap();
    assert_eq!(found.unwrap().job, "mail");
    let live = node.ask(|db| async move { db.live().await }).await.unwrap();
    assert_eq!((live.len(), live[0].job.as_str(), live[0].runs), (1, "mail", 1));
    node.leave().await;
}

/// The program has closed its pool: it does not take what was on its way.
#[tokio::test]
async fn who_leaves_gives_back_what_was_not_begun_and_nothing_else() {
    let address = Server::shared().database();
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let (begun, claimed) = (mail(), mail());
    node.submit(begun.clone()).await.unwrap().unwrap();
    program.has_taken().await;
    node.submit(claimed.clone()).await.unwrap().unwrap();
    program.closed.store(true, Ordering::SeqCst);
    assert_eq!(ids(&db.take(Id(1), 1).await), [claimed.id]);
    node.leave().await;
    let found =
        db.text("select (state, attempt, retries, rescues, node is null) from jobs.run order by id").await;
    assert_eq!(found, "(running,1,20,0,f),(available,0,20,0,t)");
    assert_eq!(db.text("select count(*) from jobs.node").await, "0");
}

/// Each end by itself would take hours.
#[tokio::test(flavor = "multi_thread")]
async fn who_leaves_does_not_wait_long_for_a_dead_server() {
    let server = Server::start(&[]);
    let program = Program::with_room(300);
    let node = joined(&server.database(), 1, &program).await;
    for submitted in (0..300).map(|_| node.submit(mail())).collect::<Vec<_>>() {
        submitted.await.unwrap().unwrap();
    }
    let mut taken = Vec::new();
    while taken.len() < 300 {
        bounded(program.news.notified()).await;
        taken.extend(program.drain());
    }
    *program.room.lock().unwrap() = 0;
    server.kill();
    taken.iter().for_each(|claimed| node.ends().end(success_of(claimed)));
    tokio::time::timeout(Duration::from_secs(180), node.leave()).await.expect("it leaves");
}

/// Nothing of ours dies silently.
#[tokio::test(flavor = "multi_thread")]
async fn a_node_whose_task_panics_begins_anew() {
    let address = Server::shared().database();
    let program = Program::with_room(5);
    let node = joined(&address, 1, &program).await;
    node.submit(mail()).await.unwrap().unwrap();
    program.execute(&node, 1).await;
    program.panics.store(true, Ordering::SeqCst);
    let run = mail();
    // It may be claimed before it is told that it was submitted.
    let _ = node.submit(run.clone()).await;
    // It had claimed the run, and finds it again.
    assert_eq!(program.execute(&node, 1).await, [run.id]);
    assert!(*program.lost.borrow() > 0);
    bounded(node.until(|standing| *standing == Standing::Well)).await;
    node.leave().await;
    assert_eq!(watching(&address).text("select state from jobs.run").await, "succeeded,succeeded");
}

/// Nobody tells the node of any of them. Ten for each time that it looks by itself would be three minutes.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_is_drained_without_a_word_from_anybody() {
    let address = Server::shared().quick_database();
    let program = Program::with_room(10);
    let node = joined(&address, 1, &program).await;
    let runs: Vec<_> = (0..2000).map(|_| mail()).collect();
    watching(&address).submit(&runs).await.unwrap();
    let ended = bounded(program.execute(&node, 2000)).await;
    assert_eq!(ended.len(), 2000);
}

/// Nothing ends meanwhile either.
#[tokio::test(flavor = "multi_thread")]
async fn a_backlog_that_there_is_room_for_is_taken_at_once() {
    let address = Server::shared().database();
    let program = Program::with_room(2000);
    let _node = joined(&address, 1, &program).await;
    let runs = "insert into jobs.run (id, job, queue, priority, state, due, retries, origin, args)
        select gen_random_uuid(), 'mail', 'default', 0, 'available', now(), 0, 'submission', '{}'
        from generate_series(1, 2000)";
    watching(&address).run_sql(runs).await;
    bounded(async {
        while program.taken.lock().unwrap().len() < 2000 {
            program.news.notified().await;
        }
    })
    .await;
}
