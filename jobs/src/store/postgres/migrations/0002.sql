-- Since when no live node was seen to register a schedule: after some minutes it is closed.
alter table jobs.schedule add column missing_since timestamptz;
