//! What a person can do from the page. Every action is a POST, says who did it in the log, and leads back to a page.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::Page;
use super::access::Refusal;
use super::pages;
use super::paths::escaped;
use super::screen::Screen;
use crate::runtime::SubmitError;
use crate::telemetry;

/// The fields of a form, in their order.
pub(super) type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Whether a page of ours has made the form.
fn check(page: &Page, fields: &Fields) -> Result<(), Refusal> {
    let given = field(fields, "token").unwrap_or_default();
    if page.access.is_token(given) { Ok(()) } else { Err(Refusal::StaleForm) }
}

/// What can be done to a job.
pub(super) async fn steer_job(
    State(page): State<Page>,
    Path((job, action)): Path<(String, String)>,
    screen: Screen,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(refusal) = check(&page, &fields) {
        return refusal.into_response();
    }
    let jobs = &page.jobs;
    let (done, did) = match action.as_str() {
        "run" => match jobs.run_now(&job).await {
            Ok(run) => (Ok(()), format!("?did=run&run={}", escaped(&run.id().to_string()))),
            Err(error) => (Err(error), String::new()),
        },
        "pause" => (jobs.pause(&job).await, "?did=pause".to_owned()),
        "resume" => (jobs.resume(&job).await, "?did=resume".to_owned()),
        _ => return pages::not_found(&screen, "There is no such action"),
    };
    match done {
        Ok(()) => {
            telemetry::steered(&screen.visitor, &action, &job);
            let back = screen.base.to(&format!("jobs/{}", escaped(&job)));
            Redirect::to(&format!("{back}{did}")).into_response()
        }
        Err(error) => refused(&screen, &error),
    }
}

fn refused(screen: &Screen, error: &SubmitError) -> Response {
    if error.is_unknown_job() {
        return pages::not_found(screen, &error.to_string());
    }
    pages::conflict(screen, &error.to_string())
}
