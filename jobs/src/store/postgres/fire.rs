//! A slot fires: the row of the schedule, the ledger and the run, or the reason why there is none, in one transaction.

use std::collections::HashSet;

use chrono::{DateTime, Utc};
use jobs_syntax::Overlap;
use sqlx::postgres::PgRow;
use sqlx::{Postgres, Row, Transaction};

use super::db::{Db, LOCK_PATIENCE, SHORT, settle};
use super::id::Id;
use super::parts::parts;
use super::schedules::Registration;
use super::succession::first_live;
use super::trouble::is_held;

/// What made a run whose slot was missed; that of any other slot is `slot`.
pub(crate) const CAUGHT_UP: &str = "caught_up";

/// A slot that has come.
#[derive(Debug, Clone)]
pub(crate) struct Slot {
    pub(crate) job: String,
    pub(crate) key: String,
    pub(crate) definition: String,
    pub(crate) slot: DateTime<Utc>,
    /// What takes its place in the row.
    pub(crate) next: Option<DateTime<Utc>>,
    /// How the ledger calls it if it becomes a run: `ran`, `caught up`.
    pub(crate) reason: &'static str,
    /// The run that it becomes.
    pub(crate) run: Id,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) retries: i32,
    pub(crate) args: String,
    pub(crate) overlap: Overlap,
}

impl Slot {
    /// No other run of the job has a say in it.
    fn is_alone(&self) -> bool {
        self.overlap == Overlap::Allow
    }
}

/// What became of a slot that this node wanted to fire, and how things stand with its schedule.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fired {
    pub(crate) job: String,
    pub(crate) key: String,
    /// The run that it was to become.
    pub(crate) run: Id,
    /// `available`, `waiting`, or why there is no run; none where it was not this node's to fire.
    pub(crate) became: Option<String>,
    /// The slot that fires next.
    pub(crate) next_slot: Option<DateTime<Utc>>,
    /// The definition in force is the one that the slot is of.
    pub(crate) is_ours: bool,
    /// What had become of the slot before.
    pub(crate) before: Option<String>,
    /// Somebody else's transaction holds the job or the schedule, so that nothing is known: it is to be asked for again.
    pub(crate) is_held: bool,
}

impl Fired {
    fn held(slot: &Slot) -> Self {
        Self {
            job: slot.job.clone(),
            key: slot.key.clone(),
            run: slot.run,
            became: None,
            next_slot: Some(slot.slot),
            is_ours: true,
            before: None,
            is_held: true,
        }
    }
}

/// A job's row is the lock of its overlap policy. In order, so that nodes do not wait for each other in a circle.
macro_rules! lock_jobs {
    ($how:literal) => {
        concat!("select name from jobs.job where name = any ($1::text[]) order by name for update", $how)
    };
}

const LOCK: &str = lock_jobs!("");
const LOCK_FREE: &str = lock_jobs!(" skip locked");

/// Where no policy is to be kept to, the rows of the schedules are enough, in order as well. What another has fired is not locked:
/// most nodes come too late for most slots.
const LOCK_SCHEDULES: &str = "\
select from unnest($1::text[], $2::text[], $3::timestamptz[]) as w (job, key, slot)
join jobs.schedule s on s.job = w.job and s.key = w.key and s.next_slot = w.slot
order by s.job, s.key for update of s";
const LOCK_FREE_SCHEDULES: &str = "\
select s.job, s.key
from unnest($1::text[], $2::text[]) as w (job, key) join jobs.schedule s on s.job = w.job and s.key = w.key
order by s.job, s.key for update of s skip locked";

const CANCEL_OTHERS: &str = concat!(
    "update jobs.run set ",
    cancelled!(),
    "
from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[]) as w (job, key, definition, slot)
join jobs.schedule s on s.job = w.job and s.key = w.key and s.definition = w.definition and s.next_slot = w.slot
    and s.closed_since is null and s.next_slot <= now() + interval '1 s'
join jobs.job j on j.name = w.job and j.paused_since is null
where run.job = w.job and run.slot is not null and run.state in ('scheduled', 'available', 'waiting', 'running')"
);

/// How many slots are fired in one statement, in which each may be held against each other.
const AT_ONCE: usize = 200;

/// A slot comes by the clock of the server; that of a node is as exact as answers are quick.
const FIRE: &str = concat!(
    "\
with wanted as (
    select w.*,
        -- Only where it is asked for: of runs that may overlap there can be any number.
        case when w.overlap = 'allow' then false else ",
    first_live!("w.job", "'available'", "'waiting'"),
    " is not null end as busy,
        case when w.overlap <> 'buffer_one' then false else ",
    first_live!("w.job", "'waiting'", "'waiting'"),
    " is not null end as crowded
    from unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[], $5::timestamptz[], $6::text[], $7::uuid[],
        $8::text[], $9::smallint[], $10::integer[], $11::text[], $12::text[])
        as w (job, key, definition, slot, next, reason, run, queue, priority, retries, args, overlap)
), decided as (
    select w.*, case
        when j.paused_since is not null then 'paused'
        when not w.busy then 'available'
        when w.overlap = 'skip' or w.crowded then 'overlap'
        else 'waiting' end as became,
        s.entry_first, s.entry_reason
    from wanted w join jobs.schedule s on s.job = w.job and s.key = w.key join jobs.job j on j.name = w.job
), told as (
    select d.*, case when became in ('available', 'waiting') then reason else became end as entry from decided d
), won as (
    update jobs.schedule s set
        -- A fixed delay counts from the end of the run, and from here where there is none.
        next_slot = case
            when s.delay is null or t.became in ('available', 'waiting') then t.next else now() + s.delay end,
        entry_first = case when s.entry_reason = t.entry then s.entry_first else t.slot end,
        entry_reason = t.entry
    from told t
    where s.job = t.job and s.key = t.key and s.next_slot = t.slot and s.definition = t.definition
        and s.closed_since is null and s.next_slot <= now() + interval '1 s'
    returning t.*, s.entry_first as joined, s.next_slot as armed
), entries as (
    insert into jobs.ledger as l (job, key, first, last, count, reason)
    select job, key, joined, slot, 1, entry from won
    on conflict (job, key, first) do update set last = excluded.last, count = l.count + 1
), made as (
    insert into jobs.run (id, job, queue, priority, state, due, retries, origin, schedule, slot, args, submitted)
    select run, job, queue, priority, became, now(), retries,
        case when reason = 'caught up' then 'caught_up' else 'slot' end, key, slot, args, now()
    from won where became in ('available', 'waiting')
    on conflict (job, schedule, slot) where slot is not null do nothing
)
select w.job, w.key, w.run, t.became, case when t.run is null then s.next_slot else t.armed end,
    s.definition = w.definition and s.closed_since is null, s.entry_reason
from wanted w join jobs.schedule s on s.job = w.job and s.key = w.key
left join (select run, became, armed from won) t on t.run = w.run"
);

impl Db {
    /// Fires slots, and answers what became of those that were this node's: the others another has fired, or they are not to
    /// be fired any more, or have not come by the clock of the server. Nothing of a schedule that there is not.
    pub(crate) async fn fire(&self, slots: &[Slot]) -> sqlx::Result<Vec<Fired>> {
        let mut fired: Vec<Fired> = Vec::new();
        let mut rest: Vec<&Slot> = slots.iter().collect();
        // What becomes of one slot of a schedule, or of a job whose runs do not overlap, depends on the one before, so they are not
        // fired in one statement.
        while !rest.is_empty() {
            let mut first = HashSet::new();
            let (now, later): (Vec<_>, Vec<_>) = rest.into_iter().partition(|slot| {
                let key = slot.is_alone().then_some(slot.key.as_str());
                first.insert((slot.job.as_str(), key))
            });
            let mut held = HashSet::new();
            for part in parts(&now, AT_ONCE, |slot| slot.args.len()) {
                // Somebody who holds one may hold many: it is waited for once.
                let answers = match fired.iter().any(|fired| fired.is_held) {
                    true => self.fire_rest(part).await?,
                    false => self.fire_first(part).await?,
                };
                held.extend(answers.iter().filter(|fired| fired.is_held).map(|fired| fired.job.clone()));
                fired.extend(answers);
            }
            let (held, later): (Vec<_>, Vec<_>) =
                later.into_iter().partition(|slot| held.contains(&slot.job));
            fired.extend(held.into_iter().map(Fired::held));
            rest = later;
        }
        Ok(fired)
    }

    /// Fires what nobody holds.
    async fn fire_first(&self, slots: &[&Slot]) -> sqlx::Result<Vec<Fired>> {
        let waited = async {
            let mut tx = self.begin(LOCK_PATIENCE).await?;
            let fired = match self.lock(&mut tx, slots).await {
                Ok(()) => self.fire_locked(&mut tx, slots).await,
                Err(error) => Err(error),
            };
            settle(tx, fired).await
        };
        match waited.await {
            Err(error) if is_held(&error) => {}
            answer => return answer,
        }
        self.fire_rest(slots).await
    }

    /// Fires those of which nobody holds anything at this moment.
    async fn fire_rest(&self, slots: &[&Slot]) -> sqlx::Result<Vec<Fired>> {
        // Those that cancel others may have to wait for more than can be seen, and go by themselves.
        let (cancelling, others): (Vec<&Slot>, Vec<&Slot>) =
            slots.iter().partition(|slot| slot.overlap == Overlap::CancelOther);
        let mut fired = Vec::new();
        for part in std::iter::once(&others[..]).chain(cancelling.chunks(1)) {
            match self.fire_free(part).await {
                Ok(answers) => fired.extend(answers),
                Err(error) if is_held(&error) => fired.extend(part.iter().map(|slot| Fired::held(slot))),
                Err(error) => return Err(error),
            }
        }
        Ok(fired)
    }

    /// Fires those of which nobody has locked the rows.
    async fn fire_free(&self, slots: &[&Slot]) -> sqlx::Result<Vec<Fired>> {
        if slots.is_empty() {
            return Ok(Vec::new());
        }
        let mut tx = self.begin(SHORT).await?;
        let fired = self.fire_free_in(&mut tx, slots).await;
        settle(tx, fired).await
    }

    async fn fire_free_in(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        slots: &[&Slot],
    ) -> sqlx::Result<Vec<Fired>> {
        let others: Vec<_> =
            slots.iter().filter(|slot| !slot.is_alone()).map(|slot| slot.job.as_str()).collect();
        let jobs: HashSet<String> = sqlx::query_scalar(self.sql(LOCK_FREE))
            .bind(others)
            .fetch_all(&mut **tx)
            .await?
            .into_iter()
            .collect();
        let schedules: HashSet<(String, String)> = sqlx::query_as(self.sql(LOCK_FREE_SCHEDULES))
            .bind(slots.iter().map(|slot| slot.job.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.key.as_str()).collect::<Vec<_>>())
            .fetch_all(&mut **tx)
            .await?
            .into_iter()
            .collect();
        let (free, held): (Vec<&Slot>, Vec<&Slot>) = slots.iter().partition(|slot| {
            (slot.is_alone() || jobs.contains(&slot.job))
                && schedules.contains(&(slot.job.clone(), slot.key.clone()))
        });
        let mut fired = self.fire_locked(tx, &free).await?;
        fired.extend(held.into_iter().map(Fired::held));
        Ok(fired)
    }

    async fn lock(&self, tx: &mut Transaction<'_, Postgres>, slots: &[&Slot]) -> sqlx::Result<()> {
        let (alone, others): (Vec<&Slot>, Vec<&Slot>) =
            slots.iter().copied().partition(|slot| slot.is_alone());
        let jobs = |slots: &[&Slot]| slots.iter().map(|slot| slot.job.clone()).collect::<Vec<_>>();
        if !others.is_empty() {
            sqlx::query(self.sql(LOCK)).bind(jobs(&others)).execute(&mut **tx).await?;
        }
        if !alone.is_empty() {
            let keys: Vec<_> = alone.iter().map(|slot| slot.key.as_str()).collect();
            let slots: Vec<_> = alone.iter().map(|slot| slot.slot).collect();
            let lock = sqlx::query(self.sql(LOCK_SCHEDULES)).bind(jobs(&alone)).bind(keys).bind(slots);
            lock.execute(&mut **tx).await?;
        }
        Ok(())
    }

    async fn fire_locked(
        &self,
        tx: &mut Transaction<'_, Postgres>,
        slots: &[&Slot],
    ) -> sqlx::Result<Vec<Fired>> {
        let cancelling: Vec<_> =
            slots.iter().filter(|slot| slot.overlap == Overlap::CancelOther).copied().collect();
        if !cancelling.is_empty() {
            self.cancel_others(tx, &cancelling).await?;
        }
        sqlx::query(self.sql(FIRE))
            .bind(slots.iter().map(|slot| slot.job.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.key.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.definition.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.slot).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.next).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.reason).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.run).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.queue.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.priority).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.retries).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.args.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.overlap.as_str()).collect::<Vec<_>>())
            .try_map(|row: PgRow| {
                Ok(Fired {
                    job: row.try_get(0)?,
                    key: row.try_get(1)?,
                    run: row.try_get(2)?,
                    became: row.try_get(3)?,
                    next_slot: row.try_get(4)?,
                    is_ours: row.try_get(5)?,
                    before: row.try_get(6)?,
                    is_held: false,
                })
            })
            .fetch_all(&mut **tx)
            .await
    }

    async fn cancel_others(&self, tx: &mut Transaction<'_, Postgres>, slots: &[&Slot]) -> sqlx::Result<()> {
        sqlx::query(self.sql(CANCEL_OTHERS))
            .bind(slots.iter().map(|slot| slot.job.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.key.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.definition.as_str()).collect::<Vec<_>>())
            .bind(slots.iter().map(|slot| slot.slot).collect::<Vec<_>>())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}

/// An entry of the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) first: DateTime<Utc>,
    pub(crate) last: DateTime<Utc>,
    pub(crate) count: i64,
    pub(crate) reason: String,
}

const PASS: &str = "\
with passed as (
    update jobs.schedule set
        next_slot = $5,
        entry_first = case when entry_reason = $9 then entry_first else $6 end,
        entry_reason = $9
    where job = $1 and key = $2 and definition = $3 and next_slot = $4 and closed_since is null
        and $7 <= now() + interval '1 s'
    returning entry_first
), entry as (
    insert into jobs.ledger as l (job, key, first, last, count, reason)
    select $1, $2, entry_first, $7, $8, $9 from passed
    on conflict (job, key, first) do update set last = excluded.last, count = l.count + excluded.count
)
select exists (select from passed)";

const LEDGERS: &str = "\
select w.job, w.key, l.first, l.last, l.count, l.reason
from unnest($1::text[], $2::text[]) as w (job, key) cross join lateral (
    select * from jobs.ledger l where l.job = w.job and l.key = w.key order by l.first desc limit $3
) l
order by w.job collate \"C\", w.key collate \"C\", l.first";

impl Db {
    /// Passes over slots that do not fire, up to `next`, unless another node has gone on meanwhile or they have not come by the
    /// clock of the server. Answers whether this one has.
    pub(crate) async fn pass(
        &self,
        of: &Registration,
        from: DateTime<Utc>,
        next: Option<DateTime<Utc>>,
        entry: &Entry,
    ) -> sqlx::Result<bool> {
        let mut tx = self.begin(LOCK_PATIENCE).await?;
        let query = sqlx::query_scalar(self.sql(PASS)).bind(&of.job).bind(&of.key).bind(&of.definition);
        let query = query.bind(from).bind(next).bind(entry.first).bind(entry.last).bind(entry.count);
        let has_gone_on = query.bind(&entry.reason).fetch_one(&mut *tx).await?;
        tx.commit().await?;
        Ok(has_gone_on)
    }

    /// What became of the slots of schedules, of each the last entries, the earliest first.
    pub(crate) async fn ledgers(
        &self,
        schedules: &[(&str, &str)],
        most: usize,
    ) -> sqlx::Result<Vec<(String, String, Entry)>> {
        let (jobs, keys): (Vec<_>, Vec<_>) = schedules.iter().copied().unzip();
        let entry = |row: PgRow| {
            let (first, last) = (row.try_get(2)?, row.try_get(3)?);
            let entry = Entry { first, last, count: row.try_get(4)?, reason: row.try_get(5)? };
            Ok((row.try_get(0)?, row.try_get(1)?, entry))
        };
        let query = sqlx::query(self.sql(LEDGERS)).bind(jobs).bind(keys);
        query.bind(i64::try_from(most).unwrap_or(i64::MAX)).try_map(entry).fetch_all(&self.pool).await
    }
}
