//! The arguments of a job as fields of a form, and what is written in them as JSON.

use serde_json::{Map, Value};

use crate::runtime::page::ArgumentField;

/// How a field for an argument looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    Whole,
    Number,
    YesOrNo,
    Json,
}

impl Kind {
    pub(super) fn of(field: &ArgumentField) -> Self {
        match field.type_name {
            "alloc::string::String" => Self::Text,
            "u8" | "u16" | "u32" | "u64" | "usize" | "i8" | "i16" | "i32" | "i64" | "isize" => Self::Whole,
            "f32" | "f64" => Self::Number,
            "bool" => Self::YesOrNo,
            _ => Self::Json,
        }
    }

    /// What a field is filled with.
    pub(super) fn shown(self, value: &Value) -> String {
        match (self, value) {
            (Self::Text, Value::String(text)) => text.clone(),
            (_, value) => value.to_string(),
        }
    }

    fn read(self, text: &str) -> Result<Value, String> {
        match self {
            Self::Text => Ok(Value::String(text.to_owned())),
            _ => serde_json::from_str(text.trim()).map_err(|error| match self {
                Self::Json => format!("is not JSON: {error}"),
                Self::YesOrNo => "is `true` or `false`".to_owned(),
                _ => "is not a number".to_owned(),
            }),
        }
    }
}

/// The name of the field of an argument.
pub(super) fn name_of(argument: &str) -> String {
    format!("arg.{argument}")
}

/// The arguments that a form gives; none where it asks for none. What is left empty takes its default, where it has one.
pub(super) fn given(fields: &[ArgumentField], form: &[(String, String)]) -> Result<Option<String>, String> {
    let mut arguments = Map::new();
    let mut asked = false;
    for field in fields {
        let name = name_of(field.name);
        let Some((_, text)) = form.iter().find(|(known, _)| *known == name) else { continue };
        asked = true;
        if text.is_empty() && (field.has_default || Kind::of(field) != Kind::Text) {
            continue;
        }
        let value = Kind::of(field).read(text).map_err(|why| format!("`{}` {why}", field.name))?;
        arguments.insert(field.name.to_owned(), value);
    }
    Ok(asked.then(|| Value::Object(arguments).to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field(name: &'static str, type_name: &'static str, has_default: bool) -> ArgumentField {
        ArgumentField { name, type_name, has_default, redacted: false, value: None }
    }

    #[test]
    fn fields_become_json_by_their_types() {
        let fields = [
            field("to", "alloc::string::String", false),
            field("order", "u64", false),
            field("fast", "bool", true),
            field("tags", "alloc::vec::Vec<alloc::string::String>", false),
        ];
        let form = |pairs: &[(&str, &str)]| {
            let pairs: Vec<_> =
                pairs.iter().map(|(name, text)| (format!("arg.{name}"), (*text).to_owned())).collect();
            given(&fields, &pairs)
        };
        assert_eq!(
            form(&[("to", "a\"b"), ("order", "7"), ("fast", ""), ("tags", "[\"x\"]")]).unwrap().unwrap(),
            r#"{"order":7,"tags":["x"],"to":"a\"b"}"#
        );
        assert_eq!(form(&[]), Ok(None));
        assert_eq!(form(&[("order", "seven")]), Err("`order` is not a number".into()));
        assert!(form(&[("tags", "[")]).unwrap_err().starts_with("`tags` is not JSON"));
    }
}
