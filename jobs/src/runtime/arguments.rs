//! Running a job by its name with arguments that are written in JSON.

use serde_json::{Map, Value};

use super::Jobs;
use super::error::SubmitError;
use super::handle::RunHandle;
use crate::job::descriptor::ArgumentDecl;
use crate::job::options::Origin;
use crate::telemetry::panics;

impl Jobs {
    /// Runs a job once, now, by its name or an alias, with arguments as a JSON object. What is left out takes the default of
    /// its parameter. Like [`run_now`](Self::run_now) otherwise.
    ///
    /// ```
    /// # async fn example(jobs: jobs::Jobs) -> Result<(), jobs::SubmitError> {
    /// jobs.run_with("confirm_order", r#"{"to": "ada@example.org", "order": 7}"#).await?;
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// A name that no job has, with the nearest one or the list of all; a closure or a job implemented by hand, whose values
    /// only code can make; a text that is no JSON object, an argument that the job does not have, one that it needs, or
    /// one of the wrong type; an instance that has been shut down.
    pub async fn run_with(&self, job: &str, arguments: &str) -> Result<RunHandle, SubmitError> {
        self.run_with_for(job, arguments, None).await
    }

    /// The same, with who asked for it on the status page.
    pub(crate) async fn run_with_for(
        &self,
        job: &str,
        arguments: &str,
        who: Option<&str>,
    ) -> Result<RunHandle, SubmitError> {
        let ix = self.job_named(job)?;
        let wrong = |why: String| SubmitError::bad_arguments(job, why);
        let descriptor = self.inner.pool.read(|memory| memory.job(ix).info.descriptor);
        let descriptor = descriptor
            .ok_or_else(|| wrong("it is not made by `#[job]`, and only code can make its values".into()))?;
        // Without the values of what is no object: they may be what nobody is to see.
        let given: Map<String, Value> =
            serde_json::from_str(arguments).map_err(|error| match error.is_data() {
                true => wrong("not a JSON object".into()),
                false => wrong(format!("not a JSON object: {error}")),
            })?;
        for name in given.keys() {
            check_name(name, descriptor.arguments).map_err(wrong)?;
        }
        // It reads by code of the user.
        let read = panics::catch(|| (descriptor.read)(arguments));
        let value = read.map_err(|panic| wrong(format!("reading them panicked: {}", panic.message)))?;
        let value = value.map_err(|error| wrong(error.to_string()))?;
        self.clone().submit_known(ix, value.into_body(), Origin::RunNow, who)?.safe().await
    }
}

/// What is misspelt would silently take the default.
fn check_name(name: &str, known: &[ArgumentDecl]) -> Result<(), String> {
    if known.iter().any(|argument| argument.name == name) {
        return Ok(());
    }
    let names: Vec<&str> = known.iter().map(|argument| argument.name).collect();
    let name = name.escape_debug();
    Err(match (jobs_syntax::nearest(&name.to_string(), names.iter().copied()), names.as_slice()) {
        (Some(near), _) => format!("it has no argument `{name}`; did you mean `{near}`?"),
        (None, []) => format!("it has no argument `{name}`, and none at all"),
        (None, names) => format!("it has no argument `{name}`; it has `{}`", names.join("`, `")),
    })
}
