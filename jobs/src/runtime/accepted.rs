//! A run that was handed over, and what is still to come before it is safe.

#[cfg(any(feature = "sqlite", feature = "postgres"))]
use super::Jobs;
use super::RunHandle;
use super::error::SubmitError;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::job::body::Body;
#[cfg(any(feature = "sqlite", feature = "postgres"))]
use crate::pool::Unwritten;

/// A run that was handed over.
pub(super) struct Accepted {
    pub(super) handle: RunHandle,
    until: Until,
    /// A test is to know of it when it is answered.
    #[cfg(all(feature = "testing", feature = "postgres"))]
    noting: Option<Box<super::trial::Noting>>,
}

/// What is still to come.
enum Until {
    /// It is as safe as the store makes it.
    Safe,
    /// The store on this machine writes it down.
    #[cfg(feature = "sqlite")]
    Written,
    /// The server answers.
    #[cfg(feature = "postgres")]
    Answered(super::cluster::Answer),
}

impl Accepted {
    /// A run that the pool of this process has taken.
    pub(super) fn here(handle: RunHandle) -> Self {
        #[cfg(feature = "sqlite")]
        if handle.jobs.inner.durable.is_some() {
            return Self::new(handle, Until::Written);
        }
        Self::new(handle, Until::Safe)
    }

    fn new(handle: RunHandle, until: Until) -> Self {
        Self {
            handle,
            until,
            #[cfg(all(feature = "testing", feature = "postgres"))]
            noting: None,
        }
    }

    /// A run that is on its way to the server.
    #[cfg(feature = "postgres")]
    pub(super) fn sent(handle: RunHandle, answer: super::cluster::Answer) -> Self {
        Self::new(handle, Until::Answered(answer))
    }

    /// Lets a test know of it as soon as it is known which run it is.
    #[cfg(feature = "testing")]
    pub(super) fn noted(self, noting: super::trial::Noting) -> Self {
        #[cfg(feature = "postgres")]
        if let Until::Answered(_) = self.until {
            return Self { noting: Some(Box::new(noting)), ..self };
        }
        noting.submitted(&self.handle);
        self
    }

    /// Whether nothing is to be waited for.
    #[cfg(any(feature = "sqlite", feature = "postgres"))]
    pub(super) fn is_safe(&self) -> bool {
        matches!(self.until, Until::Safe)
    }

    /// The handle, once the run is safe; a run that could not be made so is taken back where it has not started.
    pub(super) async fn safe(self) -> Result<RunHandle, SubmitError> {
        match self.until {
            Until::Safe => Ok(self.handle),
            #[cfg(feature = "sqlite")]
            Until::Written => match self.handle.jobs.commit().await {
                Ok(()) => Ok(self.handle),
                Err(error) => {
                    take_back(&self.handle);
                    Err(error)
                }
            },
            #[cfg(feature = "postgres")]
            Until::Answered(answer) => {
                let answer = answer.apply(self.handle).await;
                #[cfg(feature = "testing")]
                if let (Ok(handle), Some(noting)) = (&answer, self.noting) {
                    noting.submitted(handle);
                }
                answer
            }
        }
    }

    /// The same for code that is not async. It blocks its thread.
    pub(super) fn safe_blocking(self) -> Result<RunHandle, SubmitError> {
        match self.until {
            Until::Safe => Ok(self.handle),
            #[cfg(feature = "sqlite")]
            Until::Written => match self.handle.jobs.commit_blocking() {
                Ok(()) => Ok(self.handle),
                Err(error) => {
                    take_back(&self.handle);
                    Err(error)
                }
            },
            #[cfg(feature = "postgres")]
            Until::Answered(_) => super::cluster::block_on(self.safe()),
        }
    }
}

/// Takes a run back that this submission has made, where it has not started.
pub(super) fn take_back(handle: &RunHandle) {
    if let Some(key) = handle.key
        && !handle.duplicate
    {
        handle.jobs.inner.pool.cancel_unstarted(key);
    }
}

#[cfg(any(feature = "sqlite", feature = "postgres"))]
impl Jobs {
    /// The work of a run with its arguments written down, where runs outlive the process. `job` is its name.
    pub(super) fn written(&self, job: &str, body: Body) -> Result<Body, SubmitError> {
        self.inner.pool.written(body).map_err(|unwritten| match unwritten {
            Unwritten::TooLarge => SubmitError::bad_arguments(
                job,
                "they take more than the 1 MiB that is kept; store them elsewhere, and submit where"
                    .to_owned(),
            ),
            Unwritten::Unwritable(why) => {
                SubmitError::bad_arguments(job, format!("they cannot be written as JSON: {why}"))
            }
        })
    }
}
