//! What is found afterwards: by the database, by what the jobs wrote, and by what was told.

use std::collections::{HashMap, HashSet};

use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;

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

pub(crate) async fn check(pool: &PgPool, folder: &Folder, submitted: &Submitted, hit: &HashSet<u32>) {
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
        // Whatever was begun before was taken from a process that was hit.
        for (number, process) in begun.into_iter().flatten().filter(|(number, _)| *number < attempt) {
            repeated += 1;
            assert!(
                hit.contains(process),
                "attempt {number} of {job} {id} was repeated, and {process} was not hit"
            );
        }
    }
    let there: HashSet<&str> = rows.iter().map(|(id, ..)| id.as_str()).collect();
    let unknown: Vec<_> = written.0.keys().filter(|id| !there.contains(id.as_str())).collect();
    assert!(unknown.is_empty(), "these were begun and are not there: {unknown:?}");

    // No slot twice (the index of the table holds that), and none left out without a reason.
    let wrong: Vec<(String, i64, i64, i64)> = sqlx::query_as(
        "with fired as (
            select schedule as key, count(*) as runs from jobs.run where job = 'tick' group by 1
        ), entered as (
            select key, sum(count)::bigint as slots,
                (sum(count) filter (where reason in ('ran', 'shifted', 'caught up')))::bigint as ran,
                (extract(epoch from max(last) - min(first)) + 1)::bigint as seconds
            from jobs.ledger where job = 'tick' group by 1
        )
        select key, coalesce(runs, 0), coalesce(slots, 0), coalesce(seconds, 0)
        from fired full join entered using (key)
        where slots is distinct from seconds or runs is distinct from ran",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(wrong.is_empty(), "schedule, runs, slots in the ledger, seconds: {wrong:?}");
    times_are_the_servers(pool).await;
    let slots = rows.iter().filter(|(_, job, ..)| job == "tick").count();
    println!(
        "{} accepted, {} rolled back, {} unknown; {slots} slots; {repeated} attempts were repeated",
        submitted.accepted.len(),
        submitted.rolled_back.len(),
        submitted.unknown.len()
    );
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
        where named > submitted + interval '1 s' or due > greatest(submitted, started) + $1 + interval '1 s'
            or started > finished or finished > now() + interval '1 s' or started < submitted - interval '1 s'
            or slot > submitted + interval '1 s'",
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
