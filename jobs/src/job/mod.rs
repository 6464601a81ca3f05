//! The job, as a type and as the scheduler sees it.

pub(crate) mod ambient;
pub(crate) mod argument;
#[cfg(feature = "testing")]
pub(crate) mod asking;
pub(crate) mod attempt;
pub(crate) mod body;
pub(crate) mod call;
pub(crate) mod context;
pub(crate) mod descriptor;
pub(crate) mod desk;
pub(crate) mod fate;
pub(crate) mod func;
pub(crate) mod info;
pub(crate) mod injected;
pub(crate) mod json;
pub(crate) mod name;
pub(crate) mod notes;
pub(crate) mod options;
pub(crate) mod output;
#[cfg(feature = "testing")]
pub(crate) mod probe;
pub(crate) mod registered;
pub(crate) mod report;
pub(crate) mod returned;
pub(crate) mod run;
pub(crate) mod sent;
pub(crate) mod signals;
pub(crate) mod slot;
pub(crate) mod snapshot;
pub(crate) mod state;
pub(crate) mod steer;
pub(crate) mod text;

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::BoxError;

pub use attempt::Attempt;
pub use context::JobContext;
use descriptor::Descriptor;
pub use func::{Func, func};
pub use notes::{LogLine, Progress};
pub use output::OutputError;
pub use report::{log, progress};
pub use run::{Outcome, RunId, RunIdError};
pub use snapshot::{MadeBy, RunSnapshot, RunState};
pub use steer::{Steered, discard, retry_in};

/// What an attempt of a job comes to.
pub type JobResult = Result<(), BoxError>;

/// A unit of background work, known by a stable name; its fields are its arguments.
///
/// [`#[job]`](macro@crate::job) implements it for the struct it makes of a function. Implement it by hand where a job
/// is better a type than a function; it is then submitted and scheduled like any other. A panic in `run` and an
/// error that it returns are outcomes of the attempt. It may be dropped where it awaits: when the run is cancelled, when
/// the attempt takes longer than a `timeout` of the config, and at the end of a shutdown. A submission that fails is tried
/// again, up to 20 times where the config says nothing; each attempt runs a clone of the value.
///
/// ```
/// use jobs::{Config, Job, JobContext, JobResult};
///
/// #[derive(Clone, serde::Serialize, serde::Deserialize)]
/// struct Resize {
///     image: u64,
/// }
///
/// impl Job for Resize {
///     const NAME: &'static str = "resize";
///
///     async fn run(self, cx: JobContext) -> JobResult {
///         println!("{} image {}", cx.job(), self.image);
///         Ok(())
///     }
/// }
///
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// let jobs = jobs::start(Config::default().register::<Resize>()).await?;
/// jobs.now(Resize { image: 7 }).await?;
/// # Ok(())
/// # }
/// ```
pub trait Job: Clone + Serialize + DeserializeOwned + Send + 'static {
    /// The stable name of the job: `[a-z0-9_-]`, unique in the program.
    const NAME: &'static str;

    /// Makes one attempt.
    fn run(self, cx: JobContext) -> impl Future<Output = JobResult> + Send + 'static;

    #[doc(hidden)]
    fn __descriptor() -> Option<&'static Descriptor> {
        None
    }
}
