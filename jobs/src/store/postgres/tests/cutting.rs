//! Connections that end in the middle of what is said.

use std::collections::HashSet;

use tokio::io::{AsyncReadExt, copy};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::program::{Program, bounded, joined, watching};
use super::*;
use crate::store::postgres::claim::Limited;
use crate::store::postgres::submit::{Submitted, Unique};

/// The way to a database on which every connection ends after so many bytes of questions or of answers.
async fn cutting(address: &str, bytes: impl FnMut() -> (u64, u64) + Send + 'static) -> (String, JoinSet<()>) {
    narrow(address, false, bytes).await
}

/// The same, or one on which nothing more comes of what is behind that, and nobody says so.
async fn narrow(
    address: &str,
    stalls: bool,
    mut bytes: impl FnMut() -> (u64, u64) + Send + 'static,
) -> (String, JoinSet<()>) {
    let server = address.split(['@', '/']).nth(3).unwrap().to_owned();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let through = address.replace(&server, &listener.local_addr().unwrap().to_string());
    let mut proxy = JoinSet::new();
    proxy.spawn(async move { pass(listener, server, stalls, &mut bytes).await });
    (through, proxy)
}

async fn pass(
    listener: TcpListener,
    server: String,
    stalls: bool,
    bytes: &mut (impl FnMut() -> (u64, u64) + Send),
) {
    let mut connections = JoinSet::new();
    while let Ok((mut client, _)) = listener.accept().await {
        let (of_questions, of_answers) = bytes();
        let server = server.clone();
        connections.spawn(async move {
            let mut server = TcpStream::connect(server).await.unwrap();
            let (asked, mut questions) = client.split();
            let (answers, mut answered) = server.split();
            let (mut asked, mut answers) = (asked.take(of_questions), answers.take(of_answers));
            let answering = async {
                let _ = copy(&mut answers, &mut questions).await;
                if stalls && answers.limit() == 0 {
                    std::future::pending::<()>().await;
                }
            };
            tokio::select! {
                _ = copy(&mut asked, &mut answered) => {}
                () = answering => {}
            }
        });
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_that_ends_in_the_middle_loses_and_doubles_nothing() {
    let address = Server::shared().database();
    let mut random = 88_172_645_463_325_252_u64;
    let some_thousand = move || {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        (u64::MAX, 3_000 + random % 20_000)
    };
    let (through, _proxy) = cutting(&address, some_thousand).await;

    let program = Program::with_room(10);
    let node = joined(&through, 1, &program).await;
    let submit = async {
        for _ in 0..30 {
            let runs: Vec<_> = (0..20).map(|_| mail()).collect();
            let mut callers: Vec<_> = runs.iter().map(|run| Box::pin(node.submit(run.clone()))).collect();
            for caller in &mut callers {
                caller.await.unwrap().unwrap();
            }
        }
    };
    let work = async { tokio::join!(program.execute(&node, 600), submit) };
    let (ended, ()) = tokio::time::timeout(Duration::from_secs(180), work).await.expect("it gets through");
    node.leave().await;
    assert_eq!(ended.iter().collect::<HashSet<_>>().len(), 600);
    let db = watching(&address);
    assert_eq!(
        db.text("select count(*) from jobs.run where state = 'succeeded' and attempt = 1").await,
        "600"
    );
}

/// As with one that ends what takes long, whatever it is.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_too_much_for_the_way_to_the_server_goes_in_parts() {
    for bytes in [(40_000, u64::MAX), (u64::MAX, 20_000)] {
        let address = Server::shared().database();
        let (through, _proxy) = cutting(&address, move || bytes).await;
        let program = Program::with_room(2000);
        let node = joined(&through, 1, &program).await;
        let unique = |number: usize| Some(Unique { key: number.to_string(), until: None });
        let first = NewRun { unique: unique(0), ..mail() };
        node.submit(first.clone()).await.unwrap().unwrap();
        // Each second one stands for the first.
        let submitted: Vec<_> = (1..=1000)
            .map(|number| NewRun { unique: unique(if number % 2 == 0 { 0 } else { number }), ..mail() })
            .map(|run| node.submit(run))
            .collect();
        let plain: Vec<_> = (0..500).map(|_| node.submit(mail())).collect();
        let all = async {
            for (number, submitted) in (1..).zip(submitted) {
                let expected = if number % 2 == 0 { Submitted::Existing(first.id) } else { Submitted::New };
                assert_eq!(submitted.await.unwrap().unwrap(), expected, "{number}");
            }
            for submitted in plain {
                assert_eq!(submitted.await.unwrap().unwrap(), Submitted::New);
            }
            let mut taken = Vec::new();
            while taken.len() <= 1000 {
                program.has_taken().await;
                taken.extend(program.drain());
            }
            for claimed in &taken {
                node.ends().end(success_of(claimed));
            }
            watching(&address).until("select count(*) from jobs.run where state = 'succeeded'", "1001").await;
        };
        tokio::time::timeout(Duration::from_secs(180), all).await.expect("it gets through");
        node.leave().await;
    }
}

/// A run that is so long comes first, and neither the answer to a claim of it gets through nor that it is taken up.
async fn the_others_get_through(program: Arc<Program>, length: usize, stalls: bool, answers: u64) {
    let address = Server::shared().database();
    let (through, _proxy) = narrow(&address, stalls, move || (u64::MAX, answers)).await;
    // It makes the tables, and executes nothing.
    let other = joined(&address, 2, &Program::with_room(0)).await;
    let large = mail();
    other.submit(large.clone()).await.unwrap().unwrap();
    let db = watching(&address);
    db.run_sql(&format!("update jobs.run set args = repeat('x', {length})")).await;
    let node = joined(&through, 1, &program).await;
    let runs: Vec<_> = (0..20).map(|_| mail()).collect();
    let submitted: Vec<_> = runs.iter().map(|run| node.submit(run.clone())).collect();
    let work = async {
        for submitted in submitted {
            submitted.await.unwrap().unwrap();
        }
        let mut ended = HashSet::new();
        while ended.len() < runs.len() {
            program.news.notified().await;
            for claimed in program.drain() {
                node.ends().end(success_of(&claimed));
                ended.insert(claimed.id);
            }
            node.ends().wake();
        }
        ended
    };
    let ended = tokio::time::timeout(Duration::from_secs(300), work).await.expect("the others get through");
    assert!(!ended.contains(&large.id));
    node.leave().await;
    let left = db.text("select (state, attempt) from jobs.run where length(args) > 1000").await;
    assert!(["(available,0)", "(scheduled,0)"].contains(&left.as_str()), "{left}");
    other.leave().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_never_gets_through_keeps_a_node_from_nothing_else() {
    // It is claimed, though the answer is lost.
    the_others_get_through(Program::with_room(1), 100_000, false, 20_000).await;
    // The claim is taken back: it is in a transaction, or the answer is longer than what is on the way between two machines.
    let limited = [Limited { job: "mail".to_owned(), concurrency: Some(10), rate: None }];
    the_others_get_through(Program::with_limits(1, &limited, &[]), 100_000, false, 20_000).await;
    the_others_get_through(Program::with_room(1), 16_000_000, false, 20_000).await;
}

/// The server has it locked for a while after the node has given up.
#[tokio::test(flavor = "multi_thread")]
async fn what_takes_too_long_to_come_keeps_a_node_from_nothing_else() {
    the_others_get_through(Program::with_room(1), 16_000_000, true, 1_000_000).await;
}

/// Each of them is a run that would execute again if this process were lost.
#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_claimed_while_too_many_ends_are_not_written() {
    let address = Server::shared().database();
    let (db, other) = (watching(&address), watching(&address));
    let program = Program::with_room(1000);
    let node = joined(&address, 1, &program).await;
    node.submit(mail()).await.unwrap().unwrap();
    let first = program.takes_one().await;
    let mut holds = other.hold().await;
    sqlx::query("select from jobs.run for update").execute(&mut *holds).await.unwrap();
    node.ends().end(success_of(&first));
    let runs: Vec<_> = (0..15_000).map(|_| mail()).collect();
    for runs in runs.chunks(1000) {
        db.submit(runs).await.unwrap();
    }
    let until_behind = async {
        while !node.is_behind() {
            tokio::task::yield_now().await;
        }
        let claimed: i64 =
            db.text("select count(*) from jobs.run where state = 'running'").await.parse().unwrap();
        assert!((4000..15_000).contains(&claimed), "{claimed} are claimed");
        holds.commit().await.unwrap();
    };
    tokio::join!(program.execute(&node, 15_000), bounded(until_behind));
    db.until("select count(*) from jobs.run where state = 'succeeded'", "15001").await;
    node.leave().await;
}

#[tokio::test]
async fn a_claim_whose_answer_was_lost_is_found() {
    let address = Server::shared().database();
    let program = Program::with_room(0);
    let node = joined(&address, 1, &program).await;
    let run = mail();
    node.submit(run.clone()).await.unwrap().unwrap();
    // As if the node had asked, and not heard.
    assert_eq!(watching(&address).take(Id(1), 1).await.len(), 1);
    *program.room.lock().unwrap() = 1;
    assert_eq!(program.execute(&node, 1).await, [run.id]);
}

/// More than it looks at a time.
#[tokio::test]
async fn claims_that_the_program_does_not_know_are_found_among_many() {
    let address = Server::shared().database();
    let program = Program::with_room(4000);
    let node = joined(&address, 1, &program).await;
    let db = watching(&address);
    let known: Vec<_> = (0..3500).map(|_| mail()).collect();
    for runs in known.chunks(1000) {
        db.submit(runs).await.unwrap();
    }
    node.wake();
    while program.taken.lock().unwrap().len() < known.len() {
        bounded(program.news.notified()).await;
    }
    let unknown: Vec<_> = (0..50).map(|_| mail()).collect();
    db.submit(&unknown).await.unwrap();
    // As if the node had asked, and not heard; it may have been quicker with some.
    db.take(Id(1), 50).await;
    while program.taken.lock().unwrap().len() < known.len() + unknown.len() {
        bounded(program.news.notified()).await;
    }
    let found: HashSet<_> = program.drain().iter().map(|claimed| claimed.id).collect();
    assert!(known.iter().chain(&unknown).all(|run| found.contains(&run.id)));
    node.leave().await;
}

#[tokio::test]
async fn a_claim_that_the_program_does_not_know_is_found_among_others() {
    let address = Server::shared().database();
    let program = Program::with_room(1);
    let node = joined(&address, 1, &program).await;
    let (known, unknown) = (mail(), mail());
    node.submit(known.clone()).await.unwrap().unwrap();
    program.has_taken().await;
    // What the node has is not what the server says it has, though it is as many.
    let db = watching(&address);
    db.run_sql("delete from jobs.run").await;
    node.submit(unknown.clone()).await.unwrap().unwrap();
    assert_eq!(db.take(Id(1), 1).await.len(), 1);
    while program.taken.lock().unwrap().len() < 2 {
        bounded(program.news.notified()).await;
    }
    assert_eq!(ids(&program.drain()), [known.id, unknown.id]);
}

/// So that the answer comes over a slow link too.
#[tokio::test]
async fn claims_with_large_arguments_are_found_a_few_at_a_time() {
    let args = format!("{{\"text\":\"{}\"}}", "x".repeat(600_000));
    let runs: Vec<_> = (0..5).map(|_| NewRun { args: args.clone(), ..mail() }).collect();
    let db = db().await;
    db.submit(&runs).await.unwrap();
    let claimed = db.take(Id(1), 5).await;
    let fences: Vec<_> = claimed.iter().map(fence_of).collect();
    assert_eq!(ids(&db.adrift(Id(1), &fences).await.unwrap()), ids(&claimed[..1]));
    assert_eq!(ids(&db.adrift(Id(1), &fences[4..]).await.unwrap()), ids(&claimed[4..]));

    let address = Server::shared().database();
    let program = Program::with_room(0);
    let _node = joined(&address, 1, &program).await;
    let db = watching(&address);
    db.submit(&runs).await.unwrap();
    db.take(Id(1), 5).await;
    bounded(async {
        while program.taken.lock().unwrap().len() < 5 {
            program.news.notified().await;
        }
    })
    .await;
    assert_eq!(ids(&program.drain()), ids(&claimed));
}

#[tokio::test]
async fn a_claim_that_the_program_does_not_take_is_given_back() {
    let address = Server::shared().database();
    let node = joined(&address, 1, &Program::with_room(10)).await;
    let run = run_of("report");
    node.submit(run.clone()).await.unwrap().unwrap();
    let db = watching(&address);
    assert_eq!(db.take(Id(1), 1).await.len(), 1);
    db.until("select (state, node, attempt) from jobs.run", "(available,,0)").await;
    node.leave().await;
}
