//! The entry of a job in the program's list of jobs.

use serde::de::Error;
use serde_json::Value;

use super::Job;
use super::argument::MISSING;
use super::body::Erased;
use super::descriptor::Descriptor;

/// The entry of a job in the program's list. It names the type, so that a job which nobody submits is no dead code.
pub const fn registered<J: Job>(descriptor: &'static Descriptor) -> &'static Descriptor {
    descriptor
}

/// Makes a value of the job of arguments in JSON. What cannot be read is said without the value of an argument with
/// `#[redact]`, since errors end up on pages and in logs.
pub fn read<J: Job>(json: &str) -> Result<Erased, serde_json::Error> {
    serde_json::from_str(json).map(Erased::new::<J>).map_err(|error| discreet::<J>(error, json))
}

fn discreet<J: Job>(error: serde_json::Error, json: &str) -> serde_json::Error {
    let declared = J::__descriptor().map_or(&[][..], |descriptor| descriptor.arguments);
    let redacted: Vec<&str> =
        declared.iter().filter(|argument| argument.redacted).map(|argument| argument.name).collect();
    // Of JSON that is none nothing is told but the place.
    if redacted.is_empty() || !error.is_data() || without_place(&error).starts_with(MISSING) {
        return error;
    }
    if let Ok(Value::Object(mut fields)) = serde_json::from_str(json) {
        redacted.iter().for_each(|name| drop(fields.remove(*name)));
        // What goes wrong without them as well has nothing of theirs in it.
        let again = serde_json::from_str::<J>(&Value::Object(fields).to_string()).err();
        if again.is_some_and(|again| without_place(&again) == without_place(&error)) {
            return error;
        }
    }
    let names = redacted.join("`, `");
    serde_json::Error::custom(match redacted.len() {
        1 => format!("the argument `{names}`, which is not shown, has the wrong type or value"),
        _ => format!("one of the arguments `{names}`, which are not shown, has the wrong type or value"),
    })
}

fn without_place(error: &serde_json::Error) -> String {
    let text = error.to_string();
    text.rsplit_once(" at line ").map_or_else(|| text.clone(), |(said, _)| said.to_owned())
}
