//! Many submissions in one.

use std::fmt;
use std::pin::Pin;

use super::Jobs;
use super::error::SubmitError;
use super::handle::RunHandle;
use super::order::Order;
use super::submission::Submission;
use super::submit::Submit;

/// Submits many runs at once: on a durable store in one commit, which is many times as fast as one after another.
///
/// Each may have a time and options of its own. They are of one kind of job; those of several kinds are submitted by a call for
/// each, or in one [transaction](SubmitMany::in_tx).
///
/// **Guarantee**: everything that can be wrong with one of them is found before the first is submitted, and then none is. In a
/// cluster they come and go together, whatever happens. They start in the order in which they are given. One that is a duplicate,
/// by `unique`, gives the handle of the run that stands for it.
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
    submissions: Vec<Submission<J>>,
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
        for order in orders {
            accepted.push(order.hand_over(&jobs)?);
        }
        // One commit has them all.
        let mut handles = Vec::with_capacity(accepted.len());
        for accepted in accepted {
            handles.push(accepted.safe().await?);
        }
        Ok(handles)
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
