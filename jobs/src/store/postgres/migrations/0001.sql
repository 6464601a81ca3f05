-- What tells these tables from those of the same names in another database.
create table jobs.installation (
    id uuid primary key default gen_random_uuid()
);
insert into jobs.installation default values;

-- Names are compared byte by byte, as the program does it, whatever the database thinks of their order.

-- A row of `run` is one execution of a job, from its submission until it is pruned.
create table jobs.run (
    -- Made by the submitter, ordered by time: the order of submission is the order of the identity.
    id uuid primary key,
    job text collate "C" not null,
    queue text collate "C" not null,
    priority smallint not null,
    -- scheduled, available, waiting (for its predecessor), running; succeeded, dead, cancelled.
    state text collate "C" not null,
    -- Since when it may start, or when it will.
    due timestamptz not null,
    -- Attempts begun, but for those that were cut off in good order, and how many may follow the first.
    attempt integer not null default 0,
    retries integer not null,
    -- The fence: every claim raises it, and only the claim that stands may end the run.
    claim_no integer not null default 0,
    -- How often it was taken from a node that was lost.
    rescues smallint not null default 0,
    -- Who has claimed it.
    node uuid,
    -- Somebody wants it ended; its node looks here.
    cancel boolean not null default false,
    origin text collate "C" not null,
    -- The slot that it is for.
    schedule text collate "C",
    slot timestamptz,
    -- A digest of what the submissions have in common that are one, null when it stands for no other; and their job, by the name of
    -- its family if it has one.
    unique_key bytea,
    unique_job text collate "C",
    -- It stands for others also after it has succeeded, until this.
    unique_until timestamptz,
    retry_of uuid,
    -- JSON as text: `jsonb` refuses a NUL.
    args text not null,
    -- What its attempts left, as JSON: errors, log, progress, and the value that it gave.
    record text,
    submitted timestamptz not null default now(),
    -- When it was claimed; its end says when it began.
    started timestamptz,
    finished timestamptz,
    -- What it came to, with the message of an error.
    outcome text,
    message text
) with (
    -- Every run is updated twice in its life. Without this a fifth of a table of millions would have to die first.
    autovacuum_vacuum_scale_factor = 0.02,
    autovacuum_vacuum_insert_scale_factor = 0.05,
    autovacuum_analyze_scale_factor = 0.05,
    autovacuum_vacuum_cost_delay = 1
);

-- Every index but the first two is partial: a run costs what it makes use of, and one that has ended costs claims nothing.

-- Claims: the lanes, and the first of each. What is paused, unknown or held back is a lane that is not looked into.
create index run_available on jobs.run (queue, job, priority, id) where state = 'available';
-- Whose time has come.
create index run_scheduled on jobs.run (due) where state = 'scheduled';
-- What a node has, to rescue it; how many of a job execute, for `concurrency`.
create index run_running on jobs.run (node, job) where state = 'running';
-- What a node has and somebody wants ended.
create index run_cancel on jobs.run (node) where cancel and finished is null;
-- The overlap policy: live runs of slots, and the first that waits, however many there are.
create index run_live_slot on jobs.run (job, state, id)
    where slot is not null and state in ('scheduled', 'available', 'waiting', 'running');
-- No slot twice, whatever else goes wrong.
create unique index run_slot on jobs.run (job, schedule, slot) where slot is not null;
-- `unique`: a submission finds the run that stands for it.
create unique index run_unique on jobs.run (unique_job, unique_key) where unique_key is not null;
-- The history of a job, and its end.
create index run_finished on jobs.run (job, finished) where finished is not null;

-- A job that some node knows: its pause, and the bucket of its `rate`. Its row is the lock of what is decided by job.
create table jobs.job (
    name text collate "C" primary key,
    -- What the names have in common that one job has had: one of them, whose row has the lock and the bucket of all.
    family text collate "C",
    -- Runs may still stand for others under this name that are of another family now.
    unsettled boolean not null default false,
    paused_since timestamptz,
    -- When the token bucket would be full again, and how long an empty one takes by the rate that it was last used by.
    full_at timestamptz,
    full_per interval
) with (fillfactor = 50);
create index job_family on jobs.job (family) where family is not null;
create index job_paused on jobs.job (name) where paused_since is not null;
create index job_unsettled on jobs.job (name) where unsettled;

-- Queues that are paused.
create table jobs.queue (
    name text collate "C" primary key,
    paused_since timestamptz
);

-- A process of the cluster. Not indexed beyond its key, so that a heartbeat stays on its page.
create table jobs.node (
    id uuid primary key,
    -- The host and process, for people.
    name text collate "C" not null,
    started timestamptz not null default now(),
    heartbeat timestamptz not null default now(),
    -- Since when its heartbeats came without a gap, and the last one before the gap.
    good_since timestamptz not null default now(),
    gap_from timestamptz,
    -- Its program has shut down, and what it executes still is cut off by its end.
    is_closing boolean not null default false
) with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 200);

-- The truth about a schedule.
create table jobs.schedule (
    job text collate "C" not null,
    key text collate "C" not null,
    -- The definition in force, as its canonical text and behind a tab what tells the data of its zone from others, and the node that
    -- gave it.
    definition text collate "C" not null,
    node uuid not null,
    -- A program says it; the others were added while one ran.
    declared boolean not null default false,
    -- Where an interval counts from.
    anchor timestamptz not null default now(),
    -- The slot that fires next; whoever fires it replaces it.
    next_slot timestamptz,
    -- The next slot is so long after the end of the run of the last; until then there is none.
    delay interval,
    -- Since when no live node registers it, and since when it is closed for that.
    orphaned_since timestamptz,
    closed_since timestamptz,
    -- The entry of the ledger that the next slot may join.
    entry_first timestamptz,
    entry_reason text collate "C",
    primary key (job, key)
) with (fillfactor = 50);
-- Nodes hear by it of a slot that the end of a run has armed.
create index schedule_delay on jobs.schedule (job, key) where delay is not null;

-- Which live node registers which schedule, and as what.
create table jobs.registration (
    node uuid not null references jobs.node on delete cascade,
    job text collate "C" not null,
    key text collate "C" not null,
    -- Null where a node knows the job, which has no such schedule any more.
    definition text collate "C",
    primary key (job, key, node)
);
-- For the cascade.
create index registration_node on jobs.registration (node);

-- What became of slots: consecutive ones with one reason are one entry.
create table jobs.ledger (
    job text collate "C" not null,
    key text collate "C" not null,
    first timestamptz not null,
    last timestamptz not null,
    count bigint not null,
    reason text collate "C" not null,
    primary key (job, key, first)
) with (fillfactor = 80);
