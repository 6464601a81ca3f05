//! What is found afterwards: by the database, by what the jobs wrote, and by what was told.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;

use super::Hit;
use super::program::DELAY;
use super::submitting::Submitted;
use super::support::folder::Folder;

/// What the jobs wrote: of each run the processes that have begun it, by the attempt.
struct Written(HashMap<String, HashMap<i32, u32>>);

impl Written {
    fn read(folder: &Folder) -> Self {
        let mut runs: HashMap<String, HashMap<i32, u32>> = HashMap::new();
        for diary in std::fs::read_dir(folder.path()).unwrap() {
            let text = std::fs::read_to_string(diary.unwrap().path()).unwrap();
            // A process may have been killed while it wrote the last.
            for line in text.split_inclusive('\n').filter(|line| line.ends_with('\n')) {
                let fields: Vec<_> = line.split_whitespace().collect();
                let [_, run, attempt, process] = &fields[..] else { panic!("a line is `{line}`") };
                let attempts = runs.entry((*run).to_owned()).or_default();
                let twice = attempts.insert(attempt.parse().unwrap(), process.parse().unwrap());
                assert_eq!(twice, None, "attempt {attempt} of {run} was begun twice");
            }
        }
        Self(runs)
    }
}

pub(crate) struct Found {
    /// How many attempts were begun anew by somebody else.
    pub(crate) repeated: u64,
}

pub(crate) async fn check(pool: &PgPool, folder: &Folder, submitted: &Submitted, hit: &[Hit]) -> Found {
    let written = Written::read(folder);
    let rows: Vec<(String, String, String, i32, String, Option<String>)> = sqlx::query_as(
        "select id::text, job, state, attempt, args, record::json #>> '{notes,output,json}' from jobs.run",
    )
    .fetch_all(pool)
    .await
    .unwrap();

    // No accepted submission is lost, and none that was rolled back is there.
    let notes = rows.iter().filter(|(_, job, ..)| job == "note");
    let done: HashMap<u64, &str> = notes
        .map(|(_, _, state, _, args, _)| {
            let number = args.strip_prefix("{\"number\":").and_then(|rest| rest.strip_suffix('}')).unwrap();
            (number.parse().unwrap(), state.as_str())
        })
        .collect();
    let lost: Vec<_> =
        submitted.accepted.iter().filter(|number| done.get(number) != Some(&"succeeded")).collect();
    assert!(lost.is_empty(), "of {} accepted are lost: {lost:?}", submitted.accepted.len());
    assert!(submitted.accepted.len() > 200, "only {} were accepted", submitted.accepted.len());
    let undone: Vec<_> = submitted.rolled_back.iter().filter(|number| done.contains_key(number)).collect();
    assert!(undone.is_empty(), "of {} rolled back are there: {undone:?}", submitted.rolled_back.len());
    assert!(submitted.rolled_back.len() > 10, "only {} were rolled back", submitted.rolled_back.len());
    assert_eq!(
        done.len(),
        rows.iter().filter(|(_, job, ..)| job == "note").count(),
        "a number is there twice"
    );
    let known = submitted.accepted.len() + submitted.unknown.len();
    assert!(done.len() <= known, "{} runs of {known} submissions", done.len());

    let taken: Vec<(String, i32, DateTime<Utc>, DateTime<Utc>)> =
        sqlx::query_as("select run, attempt, claimed, taken from taken").fetch_all(pool).await.unwrap();
    let mut taken_from = HashMap::<_, Vec<_>>::new();
    for (run, attempt, claimed, taken) in &taken {
        taken_from.entry((run.as_str(), *attempt)).or_default().push((*claimed, *taken));
    }

    // What has succeeded was begun, and its result is that of the process which had the last claim.
    let mut repeated = 0;
    for (id, job, state, attempt, _, output) in &rows {
        let begun = written.0.get(id);
        if state == "succeeded" {
            let by = begun.and_then(|attempts| attempts.get(attempt));
            assert!(
                by.is_some(),
                "{job} {id} has succeeded at attempt {attempt}, and was begun as {begun:?}"
            );
            assert_eq!(
                output.as_deref(),
                by.map(u32::to_string).as_deref(),
                "{job} {id}, begun as {begun:?}"
            );
        }
        // Whatever was begun before was taken from a process that was hit while it had it.
        for (number, process) in begun.into_iter().flatten().filter(|(number, _)| *number < attempt) {
            repeated += 1;
            let times = taken_from.get(&(id.as_str(), *number)).map_or(&[][..], |times| times);
            let mut hits = hit.iter().filter(|hit| hit.process == *process);
            let is_explained = hits.any(|hit| {
                let was_hit = |(claimed, taken): &(DateTime<Utc>, DateTime<Utc>)| {
                    *taken >= hit.from && hit.to.is_none_or(|to| *claimed <= to)
                };
                times.iter().any(was_hit)
            });
            assert!(
                is_explained,
                "attempt {number} of {job} {id} was repeated, was taken from {process} at {times:?}, and that was not hit then"
            );
        }
    }
    let there: HashSet<&str> = rows.iter().map(|(id, ..)| id.as_str()).collect();
    let unknown: Vec<_> = written.0.keys().filter(|id| !there.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "these were begun and are not there: {unknown:?}");

    times_are_the_servers(pool).await;
    let slots = rows.iter().filter(|(_, job, ..)| job == "tick").count();
    println!(
        "{} accepted, {} rolled back, {} unknown; {slots} slots; {repeated} attempts were repeated",
        submitted.accepted.len(),
        submitted.rolled_back.len(),
        submitted.unknown.len()
    );
    Found { repeated }
}

/// Every second of every schedule has fired once, and those of before a time are done.
pub(crate) async fn schedules(pool: &PgPool, count: u64, done_before: DateTime<Utc>) {
    let undone: Vec<(String, String)> = sqlx::query_as(
        "select schedule || ' ' || slot, state from jobs.run
        where job = 'tick' and slot < $1 and state <> 'succeeded' order by slot",
    )
    .bind(done_before)
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(undone.is_empty(), "slots of before {done_before} are not done: {undone:?}");

    let late: Vec<f64> = sqlx::query_scalar(
        "select unnest(percentile_disc(array[0.5, 0.99, 1]) within group
            (order by extract(epoch from submitted - slot)::float8)) from jobs.run where job = 'tick'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    println!("slots were late by so many seconds (p50, p99, most): {late:.3?}");

    // The server was never away for the minute after which a slot is missed, so each has one reason.
    let others: Vec<String> = sqlx::query_scalar(
        "select key || ': ' || count || ' ' || reason || ' from ' || first || ' to ' || last
        from jobs.ledger where job = 'tick' and reason <> 'ran' order by first, key",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(others.is_empty(), "some have not run at their time: {others:#?}");

    // Entries have no holes within them or between them.
    let broken: Vec<String> = sqlx::query_scalar(
        "with entered as (
            select *, lead(first) over (partition by key order by first) as next
            from jobs.ledger where job = 'tick'
        )
        select key || ': ' || count || ' from ' || first || ' to ' || last || ', then ' || coalesce(next::text, 'none')
        from entered
        where count <> extract(epoch from last - first) + 1 or next <> last + interval '1 s'
        order by key, first",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(broken.is_empty(), "the ledger has holes: {broken:#?}");

    let wrong: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "with fired as (
            select schedule as key, count(*) as runs, count(distinct slot) as slots
            from jobs.run where job = 'tick' group by 1
        ), entered as (
            select key, sum(count)::bigint as slots,
                (extract(epoch from max(last) - min(first)) + 1)::bigint as seconds
            from jobs.ledger where job = 'tick' group by 1
        )
        select key, coalesce(f.runs, 0), coalesce(f.slots, 0), coalesce(e.slots, 0), coalesce(e.seconds, 0)
        from fired f full join entered e using (key)
        where f.runs is distinct from e.slots or f.slots is distinct from e.slots
            or e.slots is distinct from e.seconds",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(wrong.is_empty(), "schedule, runs, slots of them, slots in the ledger, seconds: {wrong:?}");
    let keys: Vec<i64> = sqlx::query_scalar(
        "select count(distinct key) from jobs.ledger where job = 'tick'
        union all select count(*) from jobs.schedule where job = 'tick'",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert_eq!(keys, [count.cast_signed(); 2], "schedules");
}

/// Whatever the clocks of the machines say, which are wrong by minutes: what they have written is by the clock of the server.
async fn times_are_the_servers(pool: &PgPool) {
    let wrong: Vec<String> = sqlx::query_scalar(
        "with made as (
            select r.*, to_timestamp(('x' || substr(replace(id::text, '-', ''), 1, 12))::bit(48)::bigint / 1000.0) as named from jobs.run r
        )
        select id || ': named ' || named || ', submitted ' || submitted || ', due ' || due || ', started ' || started
            || ', finished ' || finished || ', slot ' || coalesce(slot::text, 'none')
        from made
        where named > submitted + interval '5 s' or due > greatest(submitted, started) + $1 + interval '5 s'
            or started > finished or finished > now() + interval '5 s' or started < submitted - interval '5 s'
            or slot > submitted + interval '5 s'",
    )
    .bind(PgInterval::try_from(DELAY).unwrap())
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(
        wrong.is_empty(),
        "of {} runs the times are wrong: {:#?}",
        wrong.len(),
        &wrong[..wrong.len().min(10)]
    );
}
