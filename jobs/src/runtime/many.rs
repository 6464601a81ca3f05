//! Many submissions in one.

use std::fmt;
use std::pin::Pin;

use super::Jobs;
use super::accepted::take_back;
use super::error::SubmitError;
use super::handle::RunHandle;
use super::order::Order;
use super::submission::Submission;
use super::submit::Submit;

/// Submits many runs at once: in a cluster in one commit, on SQLite in one or a few. One after another would have a commit each.
///
/// Each may have a time and options of its own. They are of one kind of job; those of several kinds are submitted by a call for
/// each, or in one [transaction](SubmitMany::in_tx).
///
/// **Guarantee**: where one cannot be submitted none is. What can be wrong with one is found before the first is submitted; where
/// the store fails later, those that it has are taken back, but for what has started already. In a cluster they come and go
/// together, whatever happens. They start in the order in which they are given. One that is a duplicate, by `unique`, gives the
/// handle of the run that stands for it.
///
/// ```
/// # use jobs::job;
/// #[job]
/// async fn confirm(order: u64) {}
///
/// # async fn example(orders: Vec<u64>) -> Result<(), jobs::SubmitError> {
/// let runs = jobs::submit_many(orders.into_iter().map(|order| jobs::now(confirm { order }))).await?;
/// println!("{} are on their way", runs.len());
/// # Ok(())
/// # }
/// ```
pub fn submit_many<J: Submit>(submissions: impl IntoIterator<Item = Submission<J>>) -> SubmitMany<J> {
    SubmitMany { submissions: submissions.into_iter().collect() }
}

/// Submissions in the making: awaiting it submits them, by [`submit_many`].
#[must_use = "nothing is submitted until this is awaited"]
pub struct SubmitMany<J: 'static> {
    pub(super) submissions: Vec<Submission<J>>,
}

impl<J: 'static> SubmitMany<J> {
    /// The orders, where all of them are well, and the instance that they are for.
    pub(super) fn orders(self) -> Result<Option<(Jobs, Vec<Order>)>, SubmitError> {
        let mut of: Option<Jobs> = None;
        let mut orders = Vec::with_capacity(self.submissions.len());
        for submission in self.submissions {
            let (jobs, order) = submission.order()?;
            if of.get_or_insert_with(|| jobs.clone()).is_same(&jobs) {
                orders.push(order);
            } else {
                return Err(SubmitError::bad_option(
                    "these submissions are for several instances of jobs; submit those of each by a call of its own"
                        .to_owned(),
                ));
            }
        }
        Ok(of.map(|jobs| (jobs, orders)))
    }

    async fn submit(self) -> Result<Vec<RunHandle>, SubmitError> {
        #[cfg(feature = "testing")]
        if let Some(Ok(jobs)) = self.submissions.first().map(|first| first.jobs.clone())
            && jobs.probe().is_some()
        {
            // A test is told of each.
            let mut handles = Vec::with_capacity(self.submissions.len());
            for submission in self.submissions {
                handles.push(submission.await?);
            }
            return Ok(handles);
        }
        let Some((jobs, orders)) = self.orders()? else { return Ok(Vec::new()) };
        #[cfg(feature = "postgres")]
        if let Some(cluster) = jobs.inner.cluster.get()
            && let Some(of) = orders.first().map(|order| order.job)
            && cluster.executes(&jobs, of)?
        {
            return cluster.submit_many(&jobs, orders).await;
        }
        let mut accepted = Vec::with_capacity(orders.len());
        let mut failed = None;
        for order in orders {
            match order.hand_over(&jobs) {
                Ok(run) => accepted.push(run),
                Err(error) => {
                    failed = Some(error);
                    break;
                }
            }
        }
        // The first to be committed has most of the others with it.
        let mut handles = Vec::with_capacity(accepted.len());
        for run in accepted {
            match run.safe().await {
                Ok(handle) => handles.push(handle),
                Err(error) => failed = failed.or(Some(error)),
            }
        }
        let Some(error) = failed else { return Ok(handles) };
        handles.iter().for_each(take_back);
        Err(error)
    }
}

impl<J: Send + 'static> IntoFuture for SubmitMany<J> {
    type Output = Result<Vec<RunHandle>, SubmitError>;
    type IntoFuture = Pin<Box<dyn Future<Output = Self::Output> + Send>>;

    fn into_future(self) -> Self::IntoFuture {
        Box::pin(self.submit())
    }
}

impl<J: 'static> fmt::Debug for SubmitMany<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubmitMany").field("submissions", &self.submissions.len()).finish_non_exhaustive()
    }
}
