-- What the names have in common that one job has had.
alter table jobs.job add column family text collate "C";
create index job_family on jobs.job (family) where family is not null;

-- A program says it; the others were added while one ran.
alter table jobs.schedule add column declared boolean not null default false;

-- Null where a node knows the job, which has no such schedule any more.
alter table jobs.registration alter column definition drop not null;
