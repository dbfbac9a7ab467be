//! Cuts GitHub's description of 13 MB down to the operations in use and makes plain JSON Schema of what is left.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sha2::{Digest as _, Sha256};

use crate::cache;

/// Raised when the trimming itself changes, so that no older result is taken from the cache.
const TRIMMING: u32 = 1;

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Trimmed {
    pub(super) operations: Vec<TrimmedOperation>,
    pub(super) schemas: Value,
}

#[derive(Debug, Serialize, Deserialize)]
pub(super) struct TrimmedOperation {
    /// In capitals, as in a request.
    pub(super) method: String,
    pub(super) template: String,
    /// Query parameters with their JSON type.
    pub(super) query: BTreeMap<String, String>,
    /// Path parameters that may hold slashes.
    pub(super) wide: Vec<String>,
    pub(super) request: Option<Value>,
    pub(super) answers: BTreeMap<u16, Option<Value>>,
}

/// Loads the trimmed description for these operations from the cache, or makes it there first.
pub(super) fn load(spoken: &[(&'static str, &'static str)]) -> Trimmed {
    let home = cache::root().join("github");
    let name = Sha256::digest(format!("{TRIMMING} {spoken:?}"));
    let kept = home.join(format!("trimmed-{}.json", hex::encode(&name[..8])));
    if let Some(trimmed) = fs::read(&kept)
        .ok()
        .and_then(|text| serde_json::from_slice(&text).ok())
    {
        return trimmed;
    }
    let trimmed = trim(&description(&home), spoken);
    keep(&kept, &trimmed);
    trimmed
}

fn description(home: &Path) -> Value {
    let path = home.join("openapi.json");
    let text = fs::read(&path).unwrap_or_else(|error| {
        panic!(
            "cannot read GitHub's OpenAPI description {}: {error}\nbring it with: tests/fetch-contracts.sh",
            path.display()
        )
    });
    serde_json::from_slice(&text).expect("GitHub's OpenAPI description is JSON")
}

/// Other test processes may look for the same file at this moment: they see all of it or nothing.
fn keep(path: &Path, trimmed: &Trimmed) {
    let fresh = path.with_extension(format!("{}.fresh", std::process::id()));
    let text = serde_json::to_vec(trimmed).expect("the trimmed description is JSON");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, path))
        .expect("the kit's cache is writable");
}

fn trim(published: &Value, spoken: &[(&'static str, &'static str)]) -> Trimmed {
    let operations: Vec<_> = spoken
        .iter()
        .map(|(method, template)| operation(published, method, template))
        .collect();
    let mut schemas = Map::new();
    for operation in &operations {
        let answers = operation.answers.values().flatten();
        answers
            .chain(&operation.request)
            .for_each(|schema| reach(published, schema, &mut schemas));
    }
    let mut trimmed = Trimmed {
        operations,
        schemas: Value::Object(schemas),
    };
    for operation in &mut trimmed.operations {
        operation.request.iter_mut().for_each(close);
        operation.request.iter_mut().for_each(plain);
        operation.answers.values_mut().flatten().for_each(plain);
    }
    plain(&mut trimmed.schemas);
    trimmed
}

fn operation(published: &Value, method: &str, template: &str) -> TrimmedOperation {
    let raw = &published["paths"][template][method.to_lowercase()];
    assert!(
        raw.is_object(),
        "GitHub's description knows no {method} {template}"
    );
    let parameters: Vec<&Value> = raw["parameters"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|parameter| resolve(published, parameter))
        .collect();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let answers = raw["responses"]
        .as_object()
        .into_iter()
        .flatten()
        .filter_map(|(status, answer)| {
            let schema = &resolve(published, answer)["content"]["application/json"]["schema"];
            Some((
                status.parse().ok()?,
                schema.is_object().then(|| schema.clone()),
            ))
        });
    let request = &raw["requestBody"]["content"]["application/json"]["schema"];
    TrimmedOperation {
        method: method.to_owned(),
        template: template.to_owned(),
        query: parameters
            .iter()
            .filter(|parameter| parameter["in"] == "query")
            .map(|parameter| {
                (
                    text(&parameter["name"]),
                    text(&resolve(published, &parameter["schema"])["type"]),
                )
            })
            .collect(),
        wide: parameters
            .iter()
            .filter(|parameter| parameter["x-multi-segment"] == true)
            .map(|parameter| text(&parameter["name"]))
            .collect(),
        request: request.is_object().then(|| request.clone()),
        answers: answers.collect(),
    }
}

fn resolve<'a>(published: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str() {
        Some(reference) => published
            .pointer(reference.trim_start_matches('#'))
            .expect("a reference leads somewhere"),
        None => value,
    }
}

/// Collects every named schema that can be reached from this one.
fn reach(published: &Value, from: &Value, into: &mut Map<String, Value>) {
    match from {
        Value::Object(object) => {
            if let Some(name) = from["$ref"]
                .as_str()
                .and_then(|at| at.strip_prefix("#/components/schemas/"))
                && !into.contains_key(name)
            {
                let schema = resolve(published, from);
                into.insert(name.to_owned(), schema.clone());
                reach(published, schema, into);
            }
            object
                .values()
                .for_each(|value| reach(published, value, into));
        }
        Value::Array(list) => list.iter().for_each(|value| reach(published, value, into)),
        _ => {}
    }
}

/// Refuses properties that are not documented: a misspelt optional field would else pass unseen.
fn close(schema: &mut Value) {
    let Some(object) = schema.as_object_mut() else {
        return;
    };
    if object.contains_key("properties") {
        object
            .entry("additionalProperties")
            .or_insert(Value::Bool(false));
    }
    object.values_mut().for_each(close);
}

/// Turns `OpenAPI` 3.0's own words into JSON Schema: `nullable`, and addresses that may be empty.
fn plain(schema: &mut Value) {
    match schema {
        Value::Object(object) => {
            object.values_mut().for_each(plain);
            if object.get("default").is_some_and(|default| default == "") {
                object.remove("format");
            }
            if object.get("nullable") == Some(&Value::Bool(true)) {
                object.remove("nullable");
                allow_null(schema);
            }
        }
        Value::Array(list) => list.iter_mut().for_each(plain),
        _ => {}
    }
}

fn allow_null(schema: &mut Value) {
    let kind = schema["type"].clone();
    if kind.is_string() {
        schema["type"] = json!([kind, "null"]);
        if let Some(allowed) = schema.get_mut("enum").and_then(Value::as_array_mut) {
            allowed.push(Value::Null);
        }
    } else {
        *schema = json!({ "anyOf": [schema.take(), { "type": "null" }] });
    }
}
