//! What is found afterwards: by the database, by what the jobs wrote, and by what was told.

use std::collections::{HashMap, HashSet};

use chrono::{DateTime, Utc};
use sqlx::PgPool;
use sqlx::postgres::types::PgInterval;

use super::Hit;
use super::diary::Written;
use super::program::DELAY;
use super::submitting::Submitted;

/// An attempt was taken from who had it, by the clock of the server.
#[derive(Debug)]
pub(crate) struct Loss {
    claimed: DateTime<Utc>,
    taken: DateTime<Utc>,
}

/// What was taken from processes, by the run and the number of the attempt.
pub(crate) struct Taken<'a> {
    losses: HashMap<(String, i32), Vec<Loss>>,
    hit: &'a [Hit],
}

impl<'a> Taken<'a> {
    pub(crate) async fn read(pool: &PgPool, hit: &'a [Hit]) -> Self {
        let taken: Vec<(String, i32, DateTime<Utc>, DateTime<Utc>)> =
            sqlx::query_as("select run, attempt, claimed, taken from taken").fetch_all(pool).await.unwrap();
        let mut losses = HashMap::<_, Vec<_>>::new();
        for (run, attempt, claimed, taken) in taken {
            losses.entry((run, attempt)).or_default().push(Loss { claimed, taken });
        }
        Self { losses, hit }
    }

    pub(crate) fn losses(&self, run: &str, number: i32) -> &[Loss] {
        self.losses.get(&(run.to_owned(), number)).map_or(&[], |losses| losses)
    }

    /// Since when this attempt is no concern of its process any more: that was hit while it had it, and it was taken from it.
    pub(crate) fn by_hit(&self, run: &str, number: i32, process: u32) -> Option<DateTime<Utc>> {
        let losses = self.losses(run, number);
        let had_it = |hit: &&Hit| {
            losses.iter().any(|loss| loss.taken >= hit.from && hit.to.is_none_or(|to| loss.claimed <= to))
        };
        self.hit.iter().filter(|hit| hit.process == process).find(had_it).map(|hit| hit.from)
    }
}

pub(crate) struct Found {
    /// How many attempts were begun anew by somebody else.
    pub(crate) repeated: u64,
}

pub(crate) async fn check(
    pool: &PgPool,
    written: &Written,
    taken: &Taken<'_>,
    submitted: &Submitted,
) -> Found {
    let rows: Vec<(String, String, String, i32, String, Option<String>)> = sqlx::query_as(
        "select id::text, job, state, attempt, args, record::json #>> '{notes,output,json}' from jobs.run",
    )
    .fetch_all(pool)
    .await
    .unwrap();

    // No accepted submission is lost, and none that was rolled back is there.
    let of_submissions = || rows.iter().filter(|(_, job, ..)| job == "note" || job == "flaky");
    let done: HashMap<u64, &str> = of_submissions()
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
    assert_eq!(done.len(), of_submissions().count(), "a number is there twice");
    let known = submitted.accepted.len() + submitted.unknown.len();
    assert!(done.len() <= known, "{} runs of {known} submissions", done.len());

    // What has succeeded was begun, and its result is that of the process which had the last claim.
    let mut repeated = 0;
    for (id, job, state, attempt, _, output) in &rows {
        let begun = written.runs.get(id);
        if state == "succeeded" {
            let by = begun.and_then(|attempts| attempts.get(attempt));
            assert!(
                by.is_some(),
                "{job} {id} has succeeded at attempt {attempt}, and was begun as {begun:?}"
            );
            assert_eq!(
                output.as_deref(),
                by.map(|attempt| attempt.process.to_string()).as_deref(),
                "{job} {id}, begun as {begun:?}"
            );
        }
        // Whatever was begun before has failed, or was taken from a process that was hit while it had it.
        for (number, begun) in begun.into_iter().flatten().filter(|(number, _)| *number < attempt) {
            let is_by_hit = taken.by_hit(id, *number, begun.process).is_some();
            assert!(
                is_by_hit || begun.has_failed,
                "attempt {number} of {job} {id} was repeated, was taken from {} at {:?}, and that was not hit then",
                begun.process,
                taken.losses(id, *number)
            );
            repeated += u64::from(is_by_hit);
        }
    }
    let there: HashSet<&str> = rows.iter().map(|(id, ..)| id.as_str()).collect();
    let unknown: Vec<_> = written.runs.keys().filter(|id| !there.contains(id.as_str())).collect();
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
