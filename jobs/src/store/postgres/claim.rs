//! Nodes take runs: many in one statement, and none twice.
//!
//! A *lane* is a queue, a job and a priority. The index of available runs is ordered by lanes, so a claim jumps from lane to
//! lane and looks only into those that it may take from: runs of a paused queue, unknown to this node or held back by a
//! limit cost it one step for each lane, however many they are. Which lanes the next runs are in is found without a
//! lock, and then so many are locked in each; a run that another node has locked is passed over.
//!
//! What has been claimed stays in the index until the server may forget it, which an old transaction somewhere holds up.
//! So a node remembers how far it has come in each lane, and goes on from there; now and then, and whenever there is
//! news, it begins at the beginning, as long as that is quick.

use std::cmp::Reverse;
use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use chrono::{DateTime, Utc};
use serde::Serialize;
use sqlx::postgres::{PgArguments, PgRow};
use sqlx::query::Query;
use sqlx::{PgConnection, Postgres, Row};

use super::db::{Db, LOCK_PATIENCE, interval};
use super::end::{Fence, listed};
use super::id::Id;
use crate::clock::monotonic_now;

/// What a node wants.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) node: Id,
    /// At most so many.
    pub(crate) count: usize,
    /// Jobs that it knows and that have no limits of their own.
    pub(crate) jobs: &'a [String],
    /// Queues that have room for no more than so many here.
    pub(crate) queues: &'a [(String, usize)],
    /// The oldest first whatever its priority, so that nothing starves.
    pub(crate) oldest: bool,
    /// Without what they bring along, which may be more than gets through: each is to be asked for afterwards.
    pub(crate) unseen: bool,
}

impl<'a> Wanted<'a> {
    /// Those that have no limits.
    fn rooms(&self) -> Rooms<'a> {
        self.jobs.iter().map(|job| (job.as_str(), room_of(self.count))).collect()
    }

    /// What was claimed, in the order in which it is to start.
    fn in_order(&self, mut claimed: Vec<Claimed>) -> Vec<Claimed> {
        claimed.sort_unstable_by_key(|claimed| {
            (Reverse(if self.oldest { 0 } else { claimed.priority }), claimed.id)
        });
        claimed
    }
}

/// A job with limits over the cluster.
#[derive(Debug, Clone)]
pub(crate) struct Limited {
    pub(crate) job: String,
    pub(crate) concurrency: Option<u32>,
    /// So many attempts in so much time.
    pub(crate) rate: Option<(u64, Duration)>,
}

/// A run that is this node's to try.
#[derive(Debug, Clone)]
pub(crate) struct Claimed {
    pub(crate) id: Id,
    pub(crate) job: String,
    pub(crate) queue: String,
    pub(crate) priority: i16,
    pub(crate) attempt: i32,
    pub(crate) retries: i32,
    /// The fence.
    pub(crate) claim_no: i32,
    pub(crate) origin: String,
    pub(crate) schedule: Option<String>,
    pub(crate) slot: Option<DateTime<Utc>>,
    pub(crate) args: String,
    pub(crate) record: Option<String>,
    /// Since when it might have started.
    pub(crate) due: DateTime<Utc>,
}

impl Claimed {
    /// How long what it brings along is.
    pub(crate) fn bytes(&self) -> u64 {
        (self.args.len() + self.record.as_ref().map_or(0, String::len)) as u64
    }
}

/// From the beginning: the lanes that have runs in them, each with the first of these.
macro_rules! all_lanes {
    ($and:literal) => {
        concat!(
            "\
with recursive lane as (
    (select queue, job, priority, id as first from jobs.run where state = 'available'",
            $and,
            "
    order by queue, job, priority, id limit 1)
    union all
    select n.* from lane l cross join lateral (
        select queue, job, priority, id from jobs.run r
        where state = 'available' and (r.queue, r.job, r.priority) > (l.queue, l.job, l.priority)
        order by r.queue, r.job, r.priority, r.id limit 1
    ) n
)"
        )
    };
}

pub(super) use all_lanes;

/// From where this node was.
macro_rules! known_lanes {
    () => {
        "\
with lane as (
    select * from unnest($9::text[], $10::text[], $11::smallint[], $12::uuid[]) as w (queue, job, priority, first)
)"
    };
}

/// What is claimed in the lanes.
///
/// It is written so that there is one good plan whatever is known of the table, since that may be of another time: the bounds
/// and the order of a lane fit one index only, and a list of identities is looked up, not joined.
macro_rules! claim_in {
    ($lanes:expr) => {
        concat!(
            $lanes,
            "\
, open as (
    select l.*, k.room, coalesce((select $7::jsonb) ->> l.job, l.job) as family, coalesce(f.room, $1) as queue_room
    -- An object, so that each lane finds its job without a look at all others.
    from lane l cross join lateral (select ((select $2::jsonb) ->> l.job)::bigint as room) k
    left join unnest($3::text[], $4::bigint[]) as f (queue, room) on f.queue = l.queue
    where k.room > 0 and coalesce(f.room, 1) > 0
        and not exists (select from jobs.queue q where q.name = l.queue and q.paused_since is not null)
        -- Not one that was taken for lost and has not heard it yet.
        and exists (select from jobs.node where id = $6)
), head as (
    select l.*, h.id from open l cross join lateral (
        select id from jobs.run r
        where state = 'available' and (r.queue, r.job, r.priority, r.id) >= (l.queue, l.job, l.priority, l.first)
            and (r.queue, r.job, r.priority) <= (l.queue, l.job, l.priority)
        order by r.queue, r.job, r.priority, r.id limit least($1, l.room, l.queue_room)
    ) h
    where (select count(*) from open) > 1
), fitting as (
    select *,
        row_number() over (partition by family order by case when $5 then 0 else -priority end, id) as place,
        row_number() over (partition by queue order by case when $5 then 0 else -priority end, id) as queue_place
    from head
), quota as (
    -- One alone has no others to share with.
    select queue, job, priority, first, least($1, room, queue_room) as count from open
    where (select count(*) from open) = 1
    union all
    select queue, job, priority, first, count(*) from (
        select * from fitting where place <= room and queue_place <= queue_room
        order by case when $5 then 0 else -priority end, id limit $1
    ) few group by queue, job, priority, first
), picked as materialized (
    select p.id from quota q cross join lateral (
        select id from jobs.run r
        where state = 'available' and (r.queue, r.job, r.priority, r.id) >= (q.queue, q.job, q.priority, q.first)
            and (r.queue, r.job, r.priority) <= (q.queue, q.job, q.priority)
        order by r.queue, r.job, r.priority, r.id limit q.count for update skip locked
    ) p
)
update jobs.run r
set state = 'running', node = $6, claim_no = claim_no + 1, attempt = attempt + 1, started = now()
where r.id = any (array(select id from picked))
returning r.id, r.job, r.queue, r.priority, r.attempt, r.retries, r.claim_no, r.origin, r.schedule, r.slot,
    case when $8 then '' else r.args end, case when not $8 then r.record end, r.due"
        )
    };
}

const CLAIM: &str = claim_in!(all_lanes!(""));
const CLAIM_FROM: &str = claim_in!(known_lanes!());
const LANES: &str = concat!(
    all_lanes!(""),
    " select queue, job, priority, first from lane where (select $1::jsonb) -> job is not null"
);

/// Of these runs, those that this node has, and as many of them as are not too long for one answer. They have another fence then:
/// whatever was asked before and is still on its way does not concern them. What a transaction of its job's has locked is left.
const ADRIFT: &str = concat!(
    "with free as materialized (
    select r.id, r.priority, octet_length(r.args) + coalesce(octet_length(r.record), 0) as size from jobs.run r join ",
    listed!("$2::integer[]", "claim_no"),
    " as e on r.id = e.id
    where r.claim_no = e.claim_no and r.node = $3 and r.state = 'running' for update of r skip locked
), mine as (
    select id from (
        select id, priority, sum(size) over (order by priority desc, id) - size as before from free
    ) sized where before < $4
)
update jobs.run r set claim_no = claim_no + 1 where r.id = any (array(select id from mine))
returning r.id, r.job, r.queue, r.priority, r.attempt, r.retries, r.claim_no, r.origin, r.schedule, r.slot,
    r.args, r.record, r.due"
);

/// How many bytes are read together for each run that is asked for, but for those of the last run.
const TOGETHER: i64 = 1 << 10;

/// Whoever has the row of a job decides about its limits; who does not get it leaves that to the other.
/// Names of one family have one lock.
const LOCK_JOBS: &str = "\
with led as materialized (
    select name, coalesce(family, name) as leader from jobs.job where name = any ($1::text[])
), locked as materialized (
    select name from jobs.job where name = any (array(select leader from led)) order by name for update skip locked
)
select led.name, led.leader from led join locked on locked.name = led.leader";

/// How many more of each job may start, and where the rate allows none, how long it is until it does. It is asked after the
/// lock is there, so that it sees what came before; none where it was renamed meanwhile, which has moved the lock. Where the bucket
/// was last used by another rate, as large a part of it is left under this; and none is emptier than empty, also where the server's
/// clock was set back.
const ROOM: &str = "\
with l as (
    select * from unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[], $5::interval[]) with ordinality
        as l (job, leader, concurrency, tokens, per, place)
), rescaled as (
    update jobs.job j set full_per = l.per,
        full_at = now() + least(j.full_per, greatest(interval '0', j.full_at - now()))
        * (extract(epoch from l.per) / extract(epoch from j.full_per))
    from l where j.name = l.leader and (j.full_per <> l.per or j.full_at > now() + l.per)
    returning j.name, j.full_at
), bucket as (
    select l.*, o.family, extract(epoch from coalesce(r.full_at, j.full_at, now()) - now()) as to_full
    from l join jobs.job o on o.name = l.job join jobs.job j on j.name = l.leader
    left join rescaled r on r.name = l.leader
)
select
    case when leader = coalesce(family, job) then greatest(0, least(
        coalesce(concurrency - (
            select coalesce(sum(x.count), 0) from (
                select b.job as name union select k.name from jobs.job k where k.family = b.family
            ) kin
            cross join jobs.node n cross join lateral (
                -- Each by the index, whatever is known of the table.
                select count(*) from jobs.run r where r.node = n.id and r.job = kin.name and r.state = 'running' offset 0
            ) x
        ), 1000000),
        coalesce(tokens - ceil(greatest(0, to_full) / extract(epoch from per) * tokens - 0.000001), 1000000)
    )) else 0 end::bigint,
    (to_full - extract(epoch from per) * (tokens - 1) / tokens)::float8
from bucket b
order by b.place";

const CHARGE: &str = "\
update jobs.job j set full_at = greatest(j.full_at, now()) + c.by, full_per = c.per
from unnest($1::text[], $2::interval[], $3::interval[]) as c (job, by, per) where j.name = c.job";

impl Db {
    /// Takes runs of jobs that have no limits of their own, in the order in which they are to start.
    pub(crate) async fn claim(&self, wanted: Wanted<'_>) -> sqlx::Result<Vec<Claimed>> {
        let mut connection = self.pool.acquire().await?;
        self.claim_on(&mut connection, wanted, &wanted.rooms(), &Leaders::new()).await
    }

    /// Takes up runs that this node has claimed and does not know of, as far as it has them still, the first of them: those that
    /// are left are for the next question.
    pub(crate) async fn adrift(&self, node: Id, unknown: &[Fence]) -> sqlx::Result<Vec<Claimed>> {
        let (ids, claims): (Vec<_>, Vec<_>) = unknown.iter().map(|fence| (fence.id, fence.claim_no)).unzip();
        let bytes = TOGETHER * unknown.len() as i64;
        let query = sqlx::query(self.sql(ADRIFT)).bind(ids).bind(claims).bind(node).bind(bytes);
        let mut found = query.try_map(claimed_run).fetch_all(&self.pool).await?;
        found.sort_unstable_by_key(|found| (Reverse(found.priority), found.id));
        Ok(found)
    }

    /// The lanes that have runs of these jobs, each with the first of them.
    pub(crate) async fn lanes(&self, wanted: Wanted<'_>) -> sqlx::Result<Lanes> {
        let lane = |row: PgRow| {
            let (queue, job, priority) = (row.try_get(0)?, row.try_get(1)?, row.try_get(2)?);
            Ok((Lane { queue, job, priority }, row.try_get(3)?))
        };
        let query = sqlx::query(self.sql(LANES)).bind(json_of(&wanted.rooms()));
        Ok(Lanes(query.try_map(lane).fetch_all(&self.pool).await?.into_iter().collect()))
    }

    /// The same, from where this node was, in lanes that it knows; it moves on in these. It begins so much time `back`, by the times
    /// that are in identities.
    pub(crate) async fn claim_from(
        &self,
        wanted: Wanted<'_>,
        lanes: &mut Lanes,
        back: Duration,
    ) -> sqlx::Result<Vec<Claimed>> {
        let query = sqlx::query(self.sql(CLAIM_FROM));
        let lane = |at: fn(&Lane) -> &str| lanes.0.keys().map(at).collect::<Vec<_>>();
        // An identity begins with its millisecond.
        let from = |first: &Id| Id(first.0.saturating_sub(back.as_millis() << 80));
        let claimed = Self::bind_claim(query, wanted, &wanted.rooms(), &Leaders::new())
            .bind(lane(|lane| &lane.queue))
            .bind(lane(|lane| &lane.job))
            .bind(lanes.0.keys().map(|lane| lane.priority).collect::<Vec<_>>())
            .bind(lanes.0.values().map(from).collect::<Vec<_>>())
            .try_map(claimed_run)
            .fetch_all(&self.pool)
            .await?;
        lanes.move_on(&claimed);
        Ok(wanted.in_order(claimed))
    }

    /// The same of [`claim`](Self::claim), and of jobs with limits as many as these and so many places let start. What another
    /// node is deciding about at this moment is passed over. It answers also how long it is until a rate lets a run start, and how
    /// long it took to find them.
    pub(crate) async fn claim_with(
        &self,
        wanted: Wanted<'_>,
        limited: &[Limited],
        places: usize,
    ) -> sqlx::Result<(Vec<Claimed>, Option<Duration>, Duration)> {
        let names: Vec<_> = limited.iter().map(|limited| limited.job.as_str()).collect();
        // Rows of jobs that others have are passed over, and so are runs.
        let mut tx = self.begin(LOCK_PATIENCE).await?;
        let locked: Vec<(String, String)> =
            sqlx::query_as(self.sql(LOCK_JOBS)).bind(names).fetch_all(&mut *tx).await?;
        let leaders: Leaders<'_> =
            locked.iter().map(|(job, leader)| (job.as_str(), leader.as_str())).collect();
        let leader_of = |limited: &&Limited| leaders.get(limited.job.as_str()).copied();
        let limited: Vec<_> = limited.iter().filter(|limited| leader_of(limited).is_some()).collect();
        let jobs: Vec<_> = limited.iter().map(|limited| limited.job.as_str()).collect();
        let led: Vec<_> = limited.iter().filter_map(leader_of).collect();
        let concurrency: Vec<_> = limited.iter().map(|limited| limited.concurrency.map(i64::from)).collect();
        let tokens =
            |limited: &&Limited| limited.rate.map(|(tokens, _)| i64::try_from(tokens).unwrap_or(i64::MAX));
        let tokens: Vec<_> = limited.iter().map(tokens).collect();
        let per: Vec<_> = limited.iter().map(|limited| limited.rate.map(|(_, per)| interval(per))).collect();
        let query = sqlx::query_as(self.sql(ROOM)).bind(&jobs).bind(led).bind(concurrency);
        let room: Vec<(i64, Option<f64>)> = query.bind(tokens).bind(per).fetch_all(&mut *tx).await?;
        let wait = room.iter().filter_map(|(_, wait)| wait.filter(|wait| *wait > 0.0)).min_by(f64::total_cmp);
        let wait = wait.map(|wait| Duration::try_from_secs_f64(wait).unwrap_or(Duration::MAX));
        let mut rooms = wanted.rooms();
        rooms.extend(jobs.into_iter().zip(room.into_iter().map(|(room, _)| room.min(room_of(places)))));
        let since = monotonic_now();
        let claimed = self.claim_on(&mut tx, wanted, &rooms, &leaders).await?;
        let took = since.elapsed();
        let charge = |limited: &&Limited| {
            let count = claimed.iter().filter(|claimed| claimed.job == limited.job).count();
            let (tokens, per) = limited.rate.filter(|_| count > 0)?;
            Some((leader_of(limited)?, (per.mul_f64(count as f64 / tokens as f64), per)))
        };
        // Once for each family.
        let mut charges = BTreeMap::<_, (Duration, Duration)>::new();
        for (leader, (by, per)) in limited.iter().filter_map(charge) {
            charges.entry(leader).or_insert((Duration::ZERO, per)).0 += by;
        }
        if !charges.is_empty() {
            let (by, per): (Vec<_>, Vec<_>) =
                charges.values().map(|(by, per)| (interval(*by), interval(*per))).unzip();
            let charged: Vec<_> = charges.into_keys().collect();
            sqlx::query(self.sql(CHARGE)).bind(charged).bind(by).bind(per).execute(&mut *tx).await?;
        }
        tx.commit().await?;
        Ok((claimed, wait, took))
    }

    async fn claim_on(
        &self,
        connection: &mut PgConnection,
        wanted: Wanted<'_>,
        rooms: &Rooms<'_>,
        leaders: &Leaders<'_>,
    ) -> sqlx::Result<Vec<Claimed>> {
        let query = Self::bind_claim(sqlx::query(self.sql(CLAIM)), wanted, rooms, leaders);
        Ok(wanted.in_order(query.try_map(claimed_run).fetch_all(connection).await?))
    }

    fn bind_claim<'q>(
        query: Query<'q, Postgres, PgArguments>,
        wanted: Wanted<'q>,
        rooms: &Rooms<'_>,
        leaders: &Leaders<'_>,
    ) -> Query<'q, Postgres, PgArguments> {
        let (queues, queue_rooms): (Vec<_>, Vec<_>) =
            wanted.queues.iter().map(|(queue, room)| (queue.as_str(), room_of(*room))).unzip();
        let query = query.bind(room_of(wanted.count)).bind(json_of(rooms)).bind(queues).bind(queue_rooms);
        query.bind(wanted.oldest).bind(wanted.node).bind(json_of(leaders)).bind(wanted.unseen)
    }
}

/// Of how many runs of each job there is room for a claim.
type Rooms<'a> = BTreeMap<&'a str, i64>;

/// Under which name limits of each job are counted.
type Leaders<'a> = BTreeMap<&'a str, &'a str>;

fn json_of<T: Serialize>(by_name: &BTreeMap<&str, T>) -> String {
    serde_json::to_string(by_name).expect("invariant: numbers and names by names are JSON")
}

fn room_of(count: usize) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX)
}

fn claimed_run(row: PgRow) -> sqlx::Result<Claimed> {
    Ok(Claimed {
        id: row.try_get(0)?,
        job: row.try_get(1)?,
        queue: row.try_get(2)?,
        priority: row.try_get(3)?,
        attempt: row.try_get(4)?,
        retries: row.try_get(5)?,
        claim_no: row.try_get(6)?,
        origin: row.try_get(7)?,
        schedule: row.try_get(8)?,
        slot: row.try_get(9)?,
        args: row.try_get(10)?,
        record: row.try_get(11)?,
        due: row.try_get(12)?,
    })
}

/// Runs that line up together.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Lane {
    queue: String,
    job: String,
    priority: i16,
}

/// How far a node has come in each lane: from which identity on it has not claimed there.
#[derive(Debug, Default)]
pub(crate) struct Lanes(HashMap<Lane, Id>);

impl Lanes {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    /// To where these are, in those that are among them.
    pub(crate) fn go_to(&mut self, lanes: Self) {
        self.0.extend(lanes.0);
    }

    /// There is nothing before this in any of them.
    pub(crate) fn pass(&mut self, first: Id) {
        self.0.values_mut().for_each(|next| *next = (*next).max(first));
    }

    /// Behind these as well, where it has not come further already.
    pub(crate) fn move_on(&mut self, claimed: &[Claimed]) {
        for Claimed { id, job, queue, priority, .. } in claimed {
            let lane = Lane { queue: queue.clone(), job: job.clone(), priority: *priority };
            let next = self.0.entry(lane).or_insert(*id);
            *next = (*next).max(Id(id.0.saturating_add(1)));
        }
    }
}
