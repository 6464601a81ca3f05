//! Answers of the API, held against its own document.

use std::fmt::Write;

use serde_json::Value;

/// What is wrong with a value, by the schema that it should have.
fn mismatch(document: &Value, schema: &Value, value: &Value, at: &str) -> Option<String> {
    if let Some(reference) = schema["$ref"].as_str() {
        let schema = document.pointer(&reference[1..]).unwrap_or_else(|| panic!("{reference} is not there"));
        return mismatch(document, schema, value, at);
    }
    if let Some(any) = schema["anyOf"].as_array() {
        let all: Option<Vec<String>> =
            any.iter().map(|schema| mismatch(document, schema, value, at)).collect();
        return all.map(|mismatches| mismatches.join(" and "));
    }
    let good = match schema["type"].as_str() {
        Some("object") => {
            let Some(object) = value.as_object() else { return Some(format!("{at} is no object: {value}")) };
            let properties = schema["properties"].as_object();
            for name in schema["required"].as_array().into_iter().flatten() {
                if !object.contains_key(name.as_str().unwrap()) {
                    return Some(format!("{at} lacks {name}"));
                }
            }
            for (name, value) in object {
                let Some(schema) = properties.and_then(|properties| properties.get(name)) else {
                    return Some(format!("{at} has {name}, of which the document says nothing"));
                };
                if let Some(wrong) = mismatch(document, schema, value, &format!("{at}.{name}")) {
                    return Some(wrong);
                }
            }
            true
        }
        Some("array") => {
            let Some(items) = value.as_array() else { return Some(format!("{at} is no list: {value}")) };
            return items
                .iter()
                .find_map(|item| mismatch(document, &schema["items"], item, &format!("{at}[]")));
        }
        Some("string") => value.as_str().is_some_and(|text| {
            schema["format"] != "date-time" || chrono::DateTime::parse_from_rfc3339(text).is_ok()
        }),
        Some("integer") => value.is_u64() || schema["minimum"].is_null() && value.is_i64(),
        Some("number") => value.is_number(),
        Some("boolean") => value.is_boolean(),
        Some("null") => value.is_null(),
        _ => true,
    };
    (!good).then(|| format!("{at} is not {schema}: {value}"))
}

/// What is wrong with an answer, by what the document says of its operation.
pub(crate) fn wrong(document: &Value, operation: &Value, status: u16, body: &Value) -> Option<String> {
    let response = &operation["responses"][status.to_string()];
    if response.is_null() {
        return Some(format!("the status {status} is not in the document"));
    }
    let schema = &response["content"]["application/json"]["schema"];
    if schema.is_null() { None } else { mismatch(document, schema, body, "$") }
}

pub(crate) fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        write!(out, "%{byte:02X}").unwrap();
        out
    })
}

pub(crate) fn operations(document: &Value) -> Vec<(String, String, Value)> {
    let mut all = Vec::new();
    for (path, methods) in document["paths"].as_object().unwrap() {
        for (method, operation) in methods.as_object().unwrap() {
            all.push((path.clone(), method.to_uppercase(), operation.clone()));
        }
    }
    all
}
