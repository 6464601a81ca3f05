//! What became of the slots: every one fires at its time, once, or the ledger says why it has not.

use chrono::{DateTime, Utc};
use sqlx::PgPool;

use super::program::THREES;

/// How many schedules have stopped or are behind. The next slot of a delay is not known while its run goes on.
pub(crate) const BEHIND: &str = "select count(*) from jobs.schedule s
    where not coalesce(next_slot > now() - interval '15 s', delay is not null and exists (
        select from jobs.run r where r.job = s.job and r.schedule = s.key and r.finished is null))";

/// How many runs of slots wait for longer than they have to. Those of a job with `concurrency` wait for one another: while the
/// places of a lost node are taken they become many.
pub(crate) const UNDONE: &str = "select count(*) from jobs.run
    where slot is not null and finished is null and slot < now() - interval '5 s' and job <> 'three'";

/// Every second of every schedule has one reason, those that have fired before a time are done, and all fire to the end.
pub(crate) async fn check(pool: &PgPool, ticks: u64, done_before: DateTime<Utc>, ended_at: DateTime<Utc>) {
    let undone: Vec<(String, String)> = sqlx::query_as(
        "select job || ' ' || schedule || ' ' || slot, state from jobs.run
        where slot < $1 and state <> 'succeeded' and not (job = 'three' and state = 'available')
        order by slot",
    )
    .bind(done_before)
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(undone.is_empty(), "slots of before {done_before} are not done: {undone:?}");

    let late: Vec<f64> = sqlx::query_scalar(
        "select unnest(percentile_disc(array[0.5, 0.99, 1]) within group
            (order by extract(epoch from submitted - slot)::float8)) from jobs.run where slot is not null",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    println!("slots were late by so many seconds (p50, p99, most): {late:.3?}");

    let stopped: Vec<String> = sqlx::query_scalar(
        "select s.job || ' ' || s.key || ': ' || coalesce(max(r.slot) || ', ' || max(r.finished), 'none')
        from jobs.schedule s left join jobs.run r on r.job = s.job and r.schedule = s.key
        group by s.job, s.key
        having not coalesce(least(max(r.slot), max(r.finished)) > $1 - interval '10 s', false)",
    )
    .bind(ended_at)
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(
        stopped.is_empty(),
        "by {ended_at} these had stopped, of each the last slot and end: {stopped:#?}"
    );

    let waiting: Vec<String> = sqlx::query_scalar(
        "select w.job || ' ' || w.slot from jobs.run w where w.state = 'waiting' and not exists (
            select from jobs.run l where l.job = w.job and l.slot is not null
                and l.state in ('scheduled', 'available', 'running'))",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(waiting.is_empty(), "these wait for nothing: {waiting:?}");

    entries_are_whole(pool).await;

    let keys: Vec<(String, i64, i64)> = sqlx::query_as(
        "select job, (select count(distinct key) from jobs.ledger l where l.job = s.job), count(*)
        from jobs.schedule s group by job order by job = 'tick', job",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    let keys: Vec<_> = keys.iter().map(|(job, entered, there)| (job.as_str(), *entered, *there)).collect();
    let (ticks, threes) = (ticks.cast_signed(), THREES.cast_signed());
    let wanted = [("delayed", 1, 1), ("queued", 1, 1), ("three", threes, threes), ("tick", ticks, ticks)];
    assert_eq!(keys, wanted, "schedules in the ledger, and schedules");
}

/// The ledger has no holes, and says of each slot what the runs say.
async fn entries_are_whole(pool: &PgPool) {
    // The server was never away for the minute after which a slot is missed, so each has one reason.
    let others: Vec<String> = sqlx::query_scalar(
        "select job || ' ' || key || ': ' || count || ' ' || reason || ' from ' || first || ' to ' || last
        from jobs.ledger where reason <> 'ran' and not (job = 'queued' and reason = 'overlap')
        order by first, key",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(others.is_empty(), "some have not run at their time: {others:#?}");

    // Entries have no holes within them or between them.
    let broken: Vec<String> = sqlx::query_scalar(
        "with entered as (
            select *, lead(first) over (partition by job, key order by first) as next
            from jobs.ledger where job <> 'delayed'
        )
        select job || ' ' || key || ': ' || count || ' from ' || first || ' to ' || last
            || ', then ' || coalesce(next::text, 'none')
        from entered
        where count <> extract(epoch from last - first) + 1 or next <> last + interval '1 s'
        order by job, key, first",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(broken.is_empty(), "the ledger has holes: {broken:#?}");

    let wrong: Vec<(String, i64, i64, i64, i64)> = sqlx::query_as(
        "with fired as (
            select job, schedule as key, count(*) as runs, count(distinct slot) as slots
            from jobs.run where slot is not null group by 1, 2
        ), entered as (
            select job, key, sum(count) filter (where reason = 'ran')::bigint as ran, sum(count)::bigint as slots,
                case when job <> 'delayed' then (extract(epoch from max(last) - min(first)) + 1)::bigint
                    else sum(count)::bigint end as seconds
            from jobs.ledger group by 1, 2
        )
        select job || ' ' || key, coalesce(f.runs, 0), coalesce(e.ran, 0), coalesce(e.slots, 0), coalesce(e.seconds, 0)
        from fired f full join entered e using (job, key)
        where f.runs is distinct from e.ran or f.slots is distinct from f.runs
            or e.slots is distinct from e.seconds",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(wrong.is_empty(), "schedule, runs, those in the ledger, slots there, seconds: {wrong:?}");

    let unsaid: Vec<String> = sqlx::query_scalar(
        "select r.job || ' ' || r.schedule || ' ' || r.slot from jobs.run r
        where r.slot is not null and not exists (
            select from jobs.ledger l where l.job = r.job and l.key = r.schedule and l.reason = 'ran'
                and r.slot between l.first and l.last)",
    )
    .fetch_all(pool)
    .await
    .unwrap();
    assert!(unsaid.is_empty(), "these have run, and the ledger says that they have not: {unsaid:?}");
}

/// While a node was lost, and the server was not, slots fired all the same, before it was missed. How late they were depends on what
/// the machine is busy with; a node that stands still in a transaction holds them up for the 5 s after which the server ends it.
pub(crate) async fn have_fired(pool: &PgPool, losses: &[(DateTime<Utc>, DateTime<Utc>)]) {
    for (from, to) in losses {
        let (due, fired, most): (i64, i64, f64) = sqlx::query_as(
            "select count(*) filter (where slot between $1 and $2), count(*) filter (where submitted between $1 and $2),
                coalesce(max(extract(epoch from submitted - slot)) filter (where slot between $1 and $2), 0)::float8
            from jobs.run where job = 'tick'",
        )
        .bind(from)
        .bind(to)
        .fetch_one(pool)
        .await
        .unwrap();
        println!(
            "while a node was missed, {due} slots came and {fired} were fired; those were late by {most:.3} s at most"
        );
        assert!(due > 0 && fired > due / 4, "from {from} to {to} {fired} of {due} slots were fired");
    }
}
