//! What a page says about the action that led to it. The address carries a word of ours and never a text, so that no
//! link can put words into the page's mouth.

use maud::{Markup, html};

use super::format::counted;
use super::pages::Tone;
use super::paths::escaped;
use super::screen::Screen;

pub(super) struct Notice {
    pub(super) tone: Tone,
    pub(super) text: Markup,
}

/// The notice that the address asks for.
pub(super) fn of(screen: &Screen) -> Option<Notice> {
    let count: Option<usize> = screen.query.get("n").and_then(|n| n.parse().ok());
    let (tone, text) = match screen.query.get("did")? {
        "run" => (Tone::Good, html! { "The run is queued. " (look(screen)) }),
        "same" => (Tone::Held, html! { "Nothing was made: there is such a run already. " (look(screen)) }),
        "pause" => (Tone::Good, html! { "The job is paused: its slots pass without a run." }),
        "resume" => (Tone::Good, html! { "The job fires again from its next slot on." }),
        "cancel" => (Tone::Good, html! { "The run is cancelled." }),
        "ended" => (Tone::Held, html! { "Nothing was done: the run has ended already." }),
        "retry" => (Tone::Good, html! { "This is the new run; the old one stays as it was." }),
        "pause-queue" => (Tone::Good, html! { "The queue is paused: what is in it does not start." }),
        "resume-queue" => (Tone::Good, html! { "What is in the queue starts again." }),
        "cancelled" => (Tone::Good, html! { (counted(count?, "run", "runs")) " cancelled." }),
        "retried" => (Tone::Good, html! { (counted(count?, "run is", "runs are")) " queued once more." }),
        _ => return None,
    };
    Some(Notice { tone, text })
}

/// A link to the run that the address names.
fn look(screen: &Screen) -> Markup {
    let id = screen.query.get("run").and_then(|id| id.parse::<crate::job::RunId>().ok());
    html! {
        @if let Some(id) = id {
            a href=(screen.base.to(&format!("runs/{}", escaped(&id.to_string())))) { "Look at it" }
        }
    }
}
