//! Steering jobs by their name or an alias.

use std::sync::PoisonError;

use super::error::SubmitError;
use super::handle::RunHandle;
use super::{Inner, Jobs, Phase};
use crate::hooks::{Event, JobChange, JobEvent};
use crate::job::body::{Body, Template};
use crate::job::descriptor::Descriptor;
use crate::job::options::Origin;
use crate::scheduler::planned::ScheduleKey;
use crate::store::memory::{JobIx, JobState, Memory};

impl Jobs {
    /// Runs a job once, now, by its name or an alias: with the arguments of its first schedule, or else with the defaults of
    /// its parameters. It runs as if submitted with [`now`](Self::now): beside a run of a slot, and also where the
    /// job is paused or not enabled. In a cluster it waits for a process in which the job is enabled.
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one or the list of all; a job with arguments that have no value; an instance that has
    /// been shut down.
    pub async fn run_now(&self, job: &str) -> Result<RunHandle, SubmitError> {
        self.run_now_for(job, None).await
    }

    /// The same, with who asked for it on the status page.
    pub(crate) async fn run_now_for(&self, job: &str, who: Option<&str>) -> Result<RunHandle, SubmitError> {
        let ix = self.job_named(job)?;
        let Some(template) = self.template_of(ix) else { return Err(SubmitError::no_default(job)) };
        let (body, origin) = (Body::Template(template), Origin::RunNow);
        self.clone().submit_known(ix, body, origin, who)?.safe().await
    }

    /// Pauses a job: its slots pass without a run until [`resume`](Self::resume), and are counted as paused.
    /// What is queued or running goes on, and it can still be submitted. Pausing a paused job changes nothing.
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one or the list of all; an instance that has been shut down.
    pub async fn pause(&self, job: &str) -> Result<(), SubmitError> {
        let ix = self.job_named(job)?;
        self.share_pause(ix, true).await?;
        self.set_paused(ix, true);
        Ok(())
    }

    /// Lets a paused job fire again, from its next slot on. Resuming a job that is not paused changes nothing.
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one or the list of all; an instance that has been shut down.
    pub async fn resume(&self, job: &str) -> Result<(), SubmitError> {
        let ix = self.job_named(job)?;
        self.share_pause(ix, false).await?;
        self.set_paused(ix, false);
        Ok(())
    }

    #[cfg(feature = "testing")]
    pub(crate) fn kill_scheduler(&self) {
        self.inner.scheduler.kill();
    }

    /// Lets the other processes of a cluster know.
    async fn share_pause(&self, ix: JobIx, paused: bool) -> Result<(), SubmitError> {
        #[cfg(feature = "postgres")]
        if let Some(cluster) = self.inner.cluster.get() {
            let job = self.inner.pool.read(|memory| memory.job(ix).info.name.to_string());
            return cluster.pause_job(job, paused).await;
        }
        let _ = (ix, paused);
        Ok(())
    }

    fn set_paused(&self, ix: JobIx, paused: bool) {
        let Inner { pool, hooks, clock, .. } = &*self.inner;
        if pool.set_paused(ix, paused) != paused {
            let what = if paused { JobChange::Paused } else { JobChange::Resumed };
            let job = || pool.read(|memory| memory.job(ix).info.name.to_string());
            hooks.bus.tell(|| Event::Job(JobEvent { at: clock.now().wall.to_chrono(), job: job(), what }));
        }
    }

    /// Takes all schedules of a job out, and says how many there were. The job itself stays and can be submitted;
    /// runs that are queued or running go on. In a cluster it is this process that fires them no more: others that have them go on.
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one or the list of all; an instance that has been shut down.
    pub async fn remove(&self, job: &str) -> Result<usize, SubmitError> {
        let ix = self.job_named(job)?;
        let keys: Vec<_> = self.inner.scheduler.read(|timers| {
            timers.schedules().filter(|(_, planned)| planned.job == ix).map(|(key, _)| key).collect()
        });
        Ok(self.take_out(&keys).await)
    }

    /// Takes schedules out, with what is known of them elsewhere, and says how many there were.
    pub(super) async fn take_out(&self, keys: &[ScheduleKey]) -> usize {
        self.inner.zones.lock().unwrap_or_else(PoisonError::into_inner).retain(|key, _| !keys.contains(key));
        let count = self.inner.scheduler.remove(keys);
        #[cfg(feature = "postgres")]
        self.unshare_schedules(keys).await;
        count
    }

    pub(super) fn is_shut_down(&self) -> bool {
        matches!(*self.inner.phase.borrow(), Phase::ShuttingDown | Phase::Ended(_))
    }

    /// The job to steer, while there is something to steer.
    pub(super) fn job_named(&self, name: &str) -> Result<JobIx, SubmitError> {
        if self.is_shut_down() {
            return Err(SubmitError::shut_down());
        }
        self.find_job(name)
    }

    /// The job of that name or alias, to look at.
    pub(super) fn find_job(&self, name: &str) -> Result<JobIx, SubmitError> {
        let found = self.inner.pool.read(|memory| {
            let known = |(_, job): (JobIx, &JobState)| (job.info.name.clone(), job.info.descriptor);
            find_job(memory, name).ok_or_else(|| memory.jobs().map(known).collect::<Vec<_>>())
        });
        // The nearest among thousands is looked for without the lock.
        found.map_err(|known| {
            let aliases = |job: &Option<&'static Descriptor>| job.map_or(&[][..], |job| job.aliases);
            let mut known: Vec<&str> = known
                .iter()
                .flat_map(|(name, job)| std::iter::once(&**name).chain(aliases(job).iter().copied()))
                .collect();
            known.sort_unstable();
            SubmitError::unknown_job(name, &known)
        })
    }

    pub(super) fn template_of(&self, ix: JobIx) -> Option<Template> {
        let scheduled = self.inner.scheduler.read(|timers| {
            timers
                .schedules()
                .find(|(_, planned)| planned.job == ix)
                .map(|(_, planned)| planned.template.clone())
        });
        scheduled.or_else(|| {
            let descriptor = self.inner.pool.read(|memory| memory.job(ix).info.descriptor)?;
            let first = descriptor.schedules.first().map(|decl| decl.job);
            first.or(descriptor.default).map(Template::Make)
        })
    }
}

fn find_job(memory: &Memory, name: &str) -> Option<JobIx> {
    let has_alias = |descriptor: &Descriptor| descriptor.aliases.contains(&name);
    let by_alias = || {
        let mut jobs = memory.jobs();
        jobs.find(|(_, job)| job.info.descriptor.is_some_and(has_alias)).map(|(ix, _)| ix)
    };
    memory.job_named(name).or_else(by_alias)
}
