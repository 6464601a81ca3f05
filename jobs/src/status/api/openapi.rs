//! The OpenAPI document, from the table of endpoints that the router is made of too.

use serde_json::{Map, Value, json};

use super::schema::{Records, Schema};
use super::{ENDPOINTS, records};

/// A parameter of a query: its name, its meaning, the schema of its values.
#[derive(Debug, Clone, Copy)]
pub(super) struct Parameter {
    pub(super) name: &'static str,
    pub(super) means: &'static str,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Text,
    /// A whole number from 1 on.
    Number,
    Time,
}

/// One endpoint, as the document tells it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Endpoint {
    pub(super) method: &'static str,
    /// Below `/@jobs/api`.
    pub(super) path: &'static str,
    pub(super) does: &'static str,
    pub(super) query: &'static [Parameter],
    pub(super) gives: fn(&mut Records) -> Value,
}

pub(super) fn document() -> Value {
    let mut known = Records::new();
    let problem = records::Problem::schema(&mut known);
    let failure =
        |why: &str| json!({ "description": why, "content": { "application/json": { "schema": problem } } });
    let mut paths: Map<String, Value> = Map::new();
    for endpoint in ENDPOINTS {
        let schema = (endpoint.gives)(&mut known);
        let mut parameters: Vec<Value> = endpoint.path.split('/').filter_map(in_path).collect();
        parameters.extend(endpoint.query.iter().map(in_query));
        let posts = endpoint.method == "post";
        let mut responses = json!({
            "200": { "description": "Done.", "content": { "application/json": { "schema": schema } } },
            "400": failure("A parameter cannot be read."),
            "401": { "description": "A password is asked for." },
            "403": { "description": "Not from here, or not by this page." },
            "404": failure("There is no such thing."),
            "414": { "description": "The query is longer than 4096 bytes." },
            "503": failure("The store does not answer."),
            "429": { "description": "Too many wrong passwords; `Retry-After` says for how long." },
        });
        if posts {
            responses["408"] = json!({ "description": "The body did not arrive within 30 s." });
            responses["409"] = failure("It cannot be done now, and why.");
            responses["413"] = json!({ "description": "The body is longer than 256 KiB." });
            responses["415"] = failure("The body is not `application/json`.");
        }
        let mut operation = json!({
            "summary": endpoint.does,
            "operationId": operation_id(endpoint),
            "parameters": parameters,
            "responses": responses,
        });
        if posts {
            let content = json!({ "application/json": { "schema": {
                "type": "object", "properties": { "arguments": { "type": "object" } },
            } } });
            operation["requestBody"] = json!({ "required": true, "content": content });
        }
        let path = paths.entry(endpoint.path).or_insert_with(|| json!({}));
        path[endpoint.method] = operation;
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "jobs",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "What the status page shows, for programs. A POST carries `content-type: application/json`, which no form of another site can.",
        },
        "servers": [{ "url": "." }],
        "security": [{}, { "basic": [] }],
        "paths": paths,
        "components": {
            "securitySchemes": { "basic": { "type": "http", "scheme": "basic" } },
            "schemas": known,
        },
    })
}

fn in_path(part: &str) -> Option<Value> {
    let name = part.strip_prefix('{')?.strip_suffix('}')?;
    Some(json!({ "name": name, "in": "path", "required": true, "schema": { "type": "string" } }))
}

fn in_query(parameter: &Parameter) -> Value {
    let schema = match parameter.kind {
        Kind::Text => json!({ "type": "string" }),
        Kind::Number => json!({ "type": "integer", "minimum": 1 }),
        Kind::Time => json!({ "type": "string", "format": "date-time" }),
    };
    json!({
        "name": parameter.name, "in": "query", "required": false, "description": parameter.means, "schema": schema,
    })
}

/// `get_jobs_job_ledger`.
fn operation_id(endpoint: &Endpoint) -> String {
    let words: String =
        endpoint.path.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    let parts: Vec<&str> = words.split('_').filter(|part| !part.is_empty()).collect();
    format!("{}_{}", endpoint.method, parts.join("_"))
}
