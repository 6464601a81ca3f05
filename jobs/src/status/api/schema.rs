//! Records of the API: what is written and what the OpenAPI document says about it come from one place.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// A type that the document can describe.
pub(super) trait Schema {
    /// The description; records that it names are added to `records`.
    fn schema(records: &mut Records) -> Value;
}

/// The records of a document, by name.
pub(super) type Records = BTreeMap<&'static str, Value>;

/// Declares a record: a struct that is written as JSON, and its description. The doc comments are the descriptions.
macro_rules! record {
    (
        $(#[doc = $doc:literal])*
        $name:ident { $( $(#[doc = $field_doc:literal])* $field:ident: $kind:ty, )* }
    ) => {
        $(#[doc = $doc])*
        #[derive(Debug, serde::Serialize)]
        pub(super) struct $name {
            $( $(#[doc = $field_doc])* pub(super) $field: $kind, )*
        }

        impl $crate::status::api::schema::Schema for $name {
            fn schema(records: &mut $crate::status::api::schema::Records) -> serde_json::Value {
                $crate::status::api::schema::named(
                    records,
                    stringify!($name),
                    concat!($($doc),*),
                    |records| vec![$((
                        stringify!($field),
                        concat!($($field_doc),*),
                        <$kind as $crate::status::api::schema::Schema>::schema(records),
                    )),*],
                )
            }
        }
    };
}
pub(super) use record;

/// A field: name, description, schema.
type Field = (&'static str, &'static str, Value);

pub(super) fn named(
    records: &mut Records,
    name: &'static str,
    doc: &str,
    fields: impl FnOnce(&mut Records) -> Vec<Field>,
) -> Value {
    if !records.contains_key(name) {
        // In its place before its fields are asked for, which may name it.
        records.insert(name, Value::Null);
        let fields = fields(records);
        let required: Vec<&str> = fields.iter().map(|(name, ..)| *name).collect();
        let properties: Map<String, Value> = fields
            .iter()
            .map(|(name, doc, schema)| ((*name).to_owned(), described(schema.clone(), doc)))
            .collect();
        let schema = json!({
            "type": "object", "description": doc.trim(), "required": required, "properties": properties,
        });
        records.insert(name, schema);
    }
    json!({ "$ref": format!("#/components/schemas/{name}") })
}

fn described(mut schema: Value, doc: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), doc.trim().into());
    }
    schema
}

macro_rules! plain {
    ($($kind:ty => $json:tt,)*) => {
        $(impl Schema for $kind {
            fn schema(_: &mut Records) -> Value {
                json!($json)
            }
        })*
    };
}

plain! {
    String => { "type": "string" },
    bool => { "type": "boolean" },
    u64 => { "type": "integer", "format": "int64", "minimum": 0 },
    i64 => { "type": "integer", "format": "int64" },
    f64 => { "type": "number", "format": "double" },
    Time => { "type": "string", "format": "date-time" },
    Value => {},
}

impl<T: Schema> Schema for Vec<T> {
    fn schema(records: &mut Records) -> Value {
        json!({ "type": "array", "items": T::schema(records) })
    }
}

impl<T: Schema> Schema for Option<T> {
    fn schema(records: &mut Records) -> Value {
        json!({ "anyOf": [T::schema(records), { "type": "null" }] })
    }
}

/// An instant as RFC 3339 writes it, in UTC.
#[derive(Debug, Clone, Copy)]
pub(super) struct Time(pub(super) chrono::DateTime<chrono::Utc>);

impl serde::Serialize for Time {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }
}
