//! What a run came to, as the server keeps it: a word for people who look into the table, and what there is to say.

use std::time::Duration;

use crate::job::run::Outcome;

/// The word and the message of an outcome.
pub(super) fn written(outcome: &Outcome) -> (&'static str, Option<String>) {
    let message = match outcome {
        Outcome::TimedOut(after) => Some(after.as_nanos().to_string()),
        outcome => outcome.message().map(str::to_owned),
    };
    (outcome.as_str(), message)
}

/// The outcome that was written; [`Outcome::Unknown`] where a later version has written something else.
pub(super) fn read(word: Option<&str>, message: Option<String>) -> Outcome {
    let text = || message.clone().unwrap_or_default();
    match word {
        Some("succeeded") => Outcome::Succeeded,
        // What its nodes died of, by all appearance.
        Some("failed" | "quarantined") => Outcome::Failed(text()),
        Some("panicked") => Outcome::Panicked(text()),
        Some("timed out") => Outcome::TimedOut(Duration::from_nanos(text().parse().unwrap_or(0))),
        Some("discarded") => Outcome::Discarded(text()),
        Some("cancelled") => Outcome::Cancelled,
        Some("interrupted") => Outcome::Interrupted,
        Some("lost") => Outcome::Lost,
        _ => Outcome::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        for outcome in [
            Outcome::Succeeded,
            Outcome::Failed("no route to host".into()),
            Outcome::Panicked("oh no".into()),
            Outcome::TimedOut(Duration::from_millis(1500)),
            Outcome::Discarded("not needed".into()),
            Outcome::Cancelled,
            Outcome::Interrupted,
            Outcome::Lost,
            Outcome::Unknown,
        ] {
            let (word, message) = written(&outcome);
            assert_eq!(read(Some(word), message), outcome);
        }
        assert_eq!(read(Some("of a later version"), None), Outcome::Unknown);
    }
}
