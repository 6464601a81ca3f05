//! The arguments of a job as JSON: whole, to be compared; and without what is redacted, to be shown.
//!
//! Writing them calls code of the user, which may panic and may take its time.

use serde_json::{Map, Value};

use super::Job;

/// What pages and logs show in the place of an argument with `#[redact]`.
const REDACTED: &str = "[redacted]";

/// The arguments of a job, and which of them are not to be shown.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct WrittenArguments {
    fields: Value,
    redacted: Vec<&'static str>,
}

impl WrittenArguments {
    /// Those of a value; none where one cannot be written as JSON.
    pub(crate) fn of<J: Job>(job: &J) -> Option<Self> {
        let fields = serde_json::to_value(job).ok()?;
        let declared = J::__descriptor().map_or(&[][..], |descriptor| descriptor.arguments);
        let redacted = declared.iter().filter(|argument| argument.redacted).map(|argument| argument.name);
        Some(Self { fields, redacted: redacted.collect() })
    }

    /// Those of what has none.
    pub(crate) fn none() -> Self {
        Self { fields: Value::Null, redacted: Vec::new() }
    }

    /// As pages and logs show them.
    pub(crate) fn shown(mut self) -> Value {
        if let Value::Object(fields) = &mut self.fields {
            for name in self.redacted {
                if let Some(value) = fields.get_mut(name) {
                    *value = Value::from(REDACTED);
                }
            }
        }
        self.fields
    }

    /// Equal texts for equal arguments: without white space, the keys of every object in order. With `fields`, only
    /// these; one that there is not counts as `null`.
    pub(crate) fn canonical(&self, fields: Option<&[&str]>) -> String {
        let mut text = String::new();
        match fields {
            None => write(&self.fields, &mut text),
            Some(names) => {
                let chosen: Map<String, Value> = names
                    .iter()
                    .map(|name| ((*name).to_owned(), self.fields.get(name).cloned().unwrap_or(Value::Null)))
                    .collect();
                write(&Value::Object(chosen), &mut text);
            }
        }
        text
    }
}

/// The order of the keys is ours, since that of a map depends on a feature that other crates may switch on.
fn write(value: &Value, text: &mut String) {
    match value {
        Value::Array(items) => {
            text.push('[');
            for (index, item) in items.iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                write(item, text);
            }
            text.push(']');
        }
        Value::Object(fields) => {
            let mut fields: Vec<(&String, &Value)> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (index, (name, value)) in fields.into_iter().enumerate() {
                if index > 0 {
                    text.push(',');
                }
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                write(value, text);
            }
            text.push('}');
        }
        scalar => text.push_str(&scalar.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn written(fields: Value) -> WrittenArguments {
        WrittenArguments { fields, redacted: vec!["token"] }
    }

    #[test]
    fn what_is_redacted_is_not_shown_and_still_compared() {
        let arguments = written(json!({ "to": "ada", "token": { "secret": 7 } }));
        assert_eq!(arguments.clone().shown(), json!({ "to": "ada", "token": "[redacted]" }));
        assert_eq!(arguments.canonical(None), r#"{"to":"ada","token":{"secret":7}}"#);
    }

    #[test]
    fn the_order_of_keys_makes_no_difference() {
        let one: Value = serde_json::from_str(r#"{ "b": [1, {"y": null, "x": "\""}], "a": 1.5 }"#).unwrap();
        let other: Value = serde_json::from_str(r#"{ "a": 1.5, "b": [1, {"x": "\"", "y": null}] }"#).unwrap();
        let text = r#"{"a":1.5,"b":[1,{"x":"\"","y":null}]}"#;
        assert_eq!(written(one).canonical(None), text);
        assert_eq!(written(other).canonical(None), text);
    }

    #[test]
    fn some_of_the_arguments_can_be_chosen() {
        let arguments = written(json!({ "to": "ada", "order": 7, "note": null }));
        assert_eq!(arguments.canonical(Some(&["to", "order"])), r#"{"order":7,"to":"ada"}"#);
        assert_eq!(arguments.canonical(Some(&["gone"])), r#"{"gone":null}"#);
    }
}
