//! What a person can do from the page. Every action is a POST, says who did it in the log, and leads back to a page.

use axum::extract::{Form, Path, State};
use axum::response::{IntoResponse, Redirect, Response};
use tokio::task::JoinSet;

use super::Page;
use super::access::Refusal;
use super::arguments;
use super::pages;
use super::paths::escaped;
use super::query::Query;
use super::screen::Screen;
use crate::job::RunId;
use crate::runtime::{Jobs, RunHandle, SubmitError};
use crate::telemetry;

/// The fields of a form, in their order.
pub(super) type Fields = Vec<(String, String)>;

fn field<'a>(fields: &'a Fields, name: &str) -> Option<&'a str> {
    fields.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
}

/// Whether a page of ours has made the form. Where the browser says so itself, the form may be of another process of
/// the program, or of before it was started anew.
fn check(page: &Page, screen: &Screen, fields: &Fields) -> Result<(), Refusal> {
    if screen.visitor.by_page_of_ours {
        return Ok(());
    }
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
    if let Err(refusal) = check(&page, &screen, &fields) {
        return refusal.into_response();
    }
    let jobs = &page.jobs;
    let (done, did) = match action.as_str() {
        "run" => match run(jobs, &job, &fields, &screen.visitor.to_string()).await {
            Ok(run) => {
                let did = if run.is_duplicate() { "same" } else { "run" };
                (Ok(()), format!("?did={did}&run={}", escaped(&run.id().to_string())))
            }
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

/// With the arguments of the form, where it has some.
async fn run(jobs: &Jobs, job: &str, fields: &Fields, who: &str) -> Result<RunHandle, SubmitError> {
    match arguments::given(&jobs.argument_fields(job), fields) {
        Ok(Some(arguments)) => jobs.run_with_for(job, &arguments, Some(who)).await,
        Ok(None) => jobs.run_now_for(job, Some(who)).await,
        Err(why) => Err(SubmitError::bad_arguments(job, why)),
    }
}

/// What can be done to one run.
pub(super) async fn steer_run(
    State(page): State<Page>,
    Path((run, action)): Path<(String, String)>,
    screen: Screen,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(refusal) = check(&page, &screen, &fields) {
        return refusal.into_response();
    }
    let Ok(id) = run.parse::<RunId>() else {
        return pages::not_found(&screen, "This is not the identity of a run");
    };
    let to = match action.as_str() {
        "cancel" => {
            if page.jobs.run(id).await.is_none() {
                if page.jobs.is_store_silent().await {
                    return pages::silent(&screen);
                }
                return pages::not_found(&screen, "No run has this identity");
            }
            let did = match page.jobs.try_cancel(id).await {
                Ok(true) => "cancel",
                Ok(false) => "ended",
                Err(error) => return refused(&screen, &error),
            };
            format!("{}?did={did}", screen.base.to(&format!("runs/{id}")))
        }
        "retry" => match page.jobs.retry_for(id, Some(&screen.visitor.to_string())).await {
            Ok(made) => format!("{}?did=retry", screen.base.to(&format!("runs/{}", made.id()))),
            Err(error) => return refused(&screen, &error),
        },
        _ => return pages::not_found(&screen, "There is no such action"),
    };
    telemetry::steered(&screen.visitor, &action, &id.to_string());
    Redirect::to(&to).into_response()
}

/// What can be done to many runs.
pub(super) async fn steer_runs(
    State(page): State<Page>,
    screen: Screen,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(refusal) = check(&page, &screen, &fields) {
        return refusal.into_response();
    }
    let (action, all) = match field(&fields, "action") {
        Some("cancel") => (Bulk::Cancel, false),
        Some("cancel-all") => (Bulk::Cancel, true),
        Some("retry") => (Bulk::Retry, false),
        Some("retry-all") => (Bulk::Retry, true),
        _ => return pages::not_found(&screen, "There is no such action"),
    };
    let ids: Vec<RunId> = match all {
        true => match matching(&page, &screen.query, action).await {
            Ok(Some(ids)) => ids,
            Ok(None) => return pages::silent(&screen),
            Err(why) => return pages::bad_request(&screen, &why),
        },
        false => {
            let chosen = fields.iter().filter(|(name, _)| name == "run");
            chosen.filter_map(|(_, id)| id.parse().ok()).collect()
        }
    };
    let done = steer_each(&page.jobs, action, &ids, &screen.visitor.to_string()).await;
    let did = match action {
        Bulk::Cancel => "cancelled",
        Bulk::Retry => "retried",
    };
    if done > 0 {
        telemetry::steered(&screen.visitor, did, &format!("{done} runs"));
    }
    let back = screen.query.with(&pages::runs::KEPT, "did", did);
    Redirect::to(&format!("{}{back}&n={done}", screen.base.to("runs"))).into_response()
}

/// How many are steered at a time: a store that outlives the process writes those down together.
const AT_A_TIME: usize = 64;

/// Answers with how many it was done to.
async fn steer_each(jobs: &Jobs, action: Bulk, ids: &[RunId], who: &str) -> usize {
    let mut done = 0;
    for part in ids.chunks(AT_A_TIME) {
        let mut steered = JoinSet::new();
        for id in part.iter().copied() {
            let (jobs, who) = (jobs.clone(), who.to_owned());
            steered.spawn(async move {
                match action {
                    Bulk::Cancel => jobs.cancel(id).await,
                    Bulk::Retry => jobs.retry_for(id, Some(&who)).await.is_ok(),
                }
            });
        }
        while let Some(one) = steered.join_next().await {
            done += usize::from(one.unwrap_or(false));
        }
    }
    done
}

/// What is done to many runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Bulk {
    Cancel,
    Retry,
}

/// The runs that an address is about and to which something can be done: found before anything is, since a run that
/// is made again would be found as well. None where the store does not answer; the error says why it is not asked.
async fn matching(page: &Page, query: &Query, action: Bulk) -> Result<Option<Vec<RunId>>, String> {
    if !pages::runs::is_filtered(query) {
        return Err("all runs at once are too many: filter them first".to_owned());
    }
    let asked = pages::runs::asked(page.jobs.runs(), &query.without("before"))?;
    let most = pages::runs::MOST_AT_ONCE;
    let found = asked.limit(most).only_final(action == Bulk::Retry).part(pages::runs::LOOKS).await;
    Ok(found.error.is_none().then(|| found.runs.into_iter().map(|run| run.id).collect()))
}

/// What can be done to a queue.
pub(super) async fn steer_queue(
    State(page): State<Page>,
    Path((queue, action)): Path<(String, String)>,
    screen: Screen,
    Form(fields): Form<Fields>,
) -> Response {
    if let Err(refusal) = check(&page, &screen, &fields) {
        return refusal.into_response();
    }
    let done = match action.as_str() {
        "pause" => page.jobs.pause_queue(&queue).await,
        "resume" => page.jobs.resume_queue(&queue).await,
        _ => return pages::not_found(&screen, "There is no such action"),
    };
    if let Err(error) = done {
        return refused(&screen, &error);
    }
    telemetry::steered(&screen.visitor, &action, &format!("queue {queue}"));
    Redirect::to(&format!("{}?did={action}-queue", screen.base.to("pool"))).into_response()
}

fn refused(screen: &Screen, error: &SubmitError) -> Response {
    if error.is_unknown_job() || error.is_unknown_run() || error.is_unknown_queue() {
        return pages::not_found(screen, &error.to_string());
    }
    if error.is_bad_arguments() {
        return pages::bad_request(screen, &error.to_string());
    }
    if error.is_not_answered() {
        return pages::silent(screen);
    }
    pages::conflict(screen, &error.to_string())
}
