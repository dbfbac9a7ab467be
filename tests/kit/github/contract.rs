//! GitHub's own `OpenAPI` description, cut down to the operations that the world speaks: the judge of every request that
//! comes in and of every answer that goes out. Knows nothing of the world's state.

mod trim;

use std::collections::BTreeMap;
use std::sync::{LazyLock, OnceLock};

use jsonschema::Validator;
use serde_json::{Value, json};

use super::routes;
use trim::{Trimmed, TrimmedOperation};

static CONTRACT: LazyLock<Contract> =
    LazyLock::new(|| Contract::over(trim::load(&routes::spoken())));

/// The operations that are spoken, the most literal path first.
#[derive(Debug)]
pub(super) struct Contract {
    operations: Vec<Operation>,
}

/// One method on one path template, with the schemas of what goes in and out.
#[derive(Debug)]
pub(super) struct Operation {
    raw: TrimmedOperation,
    schemas: Value,
    request: OnceLock<Validator>,
    answers: BTreeMap<u16, OnceLock<Validator>>,
}

/// Why no operation was found.
#[derive(Debug)]
pub(super) enum NotSpoken {
    Path,
    Method,
}

impl Contract {
    /// The contract of this process. Panics with the set-up command when GitHub's description was not brought yet.
    pub(super) fn github() -> &'static Self {
        &CONTRACT
    }

    fn over(trimmed: Trimmed) -> Self {
        let schemas = trimmed.schemas;
        let mut operations: Vec<_> = trimmed
            .operations
            .into_iter()
            .map(|raw| Operation::new(raw, schemas.clone()))
            .collect();
        operations.sort_by_key(|operation| std::cmp::Reverse(operation.literals()));
        Self { operations }
    }

    /// Finds the operation for a method and a path, with the values of the path's parameters.
    pub(super) fn operation(
        &'static self,
        method: &str,
        path: &str,
    ) -> Result<(&'static Operation, BTreeMap<String, String>), NotSpoken> {
        let segments: Vec<&str> = path.trim_start_matches('/').split('/').collect();
        let on_path: Vec<_> = self
            .operations
            .iter()
            .filter_map(|operation| Some((operation, operation.parameters(&segments)?)))
            .collect();
        if on_path.is_empty() {
            return Err(NotSpoken::Path);
        }
        on_path
            .into_iter()
            .find(|(operation, _)| operation.raw.method == method)
            .ok_or(NotSpoken::Method)
    }
}

impl Operation {
    fn new(raw: TrimmedOperation, schemas: Value) -> Self {
        let answers = raw
            .answers
            .keys()
            .map(|status| (*status, OnceLock::new()))
            .collect();
        Self {
            raw,
            schemas,
            request: OnceLock::new(),
            answers,
        }
    }

    pub(super) fn method(&self) -> &str {
        &self.raw.method
    }

    pub(super) fn template(&self) -> &str {
        &self.raw.template
    }

    pub(super) fn takes_body(&self) -> bool {
        self.raw.request.is_some()
    }

    /// Says what GitHub would refuse in this body: one line for each fault, none when it is right.
    pub(super) fn faults_of_request(&self, body: &Value) -> Vec<String> {
        let Some(schema) = &self.raw.request else {
            return Vec::new();
        };
        faults(self.request.get_or_init(|| self.validator(schema)), body)
    }

    /// Says which query parameters GitHub does not document for this operation, or documents with another type.
    pub(super) fn faults_of_query(&self, query: &BTreeMap<String, String>) -> Vec<String> {
        let fault = |(name, value): (&String, &String)| match self
            .raw
            .query
            .get(name)
            .map(String::as_str)
        {
            None => Some(format!("?{name}: not a documented parameter")),
            Some("integer") if value.parse::<u64>().is_err() => {
                Some(format!("?{name}: {value:?} is not an integer"))
            }
            Some(_) => None,
        };
        query.iter().filter_map(fault).collect()
    }

    /// Says where an answer of the world differs from what GitHub documents. A 2xx must be documented at all.
    pub(super) fn faults_of_answer(&self, status: u16, body: &Value) -> Vec<String> {
        match (self.answers.get(&status), self.raw.answers.get(&status)) {
            (Some(cell), Some(Some(schema))) => {
                faults(cell.get_or_init(|| self.validator(schema)), body)
            }
            (None, None) if status < 300 => vec![format!("{status} is not a documented answer")],
            _ => Vec::new(),
        }
    }

    fn validator(&self, schema: &Value) -> Validator {
        let document = json!({
            "$schema": "http://json-schema.org/draft-07/schema#",
            "allOf": [schema],
            "components": { "schemas": self.schemas },
        });
        jsonschema::draft7::new(&document)
            .expect("GitHub's schemas are JSON Schema once they are trimmed")
    }

    fn literals(&self) -> usize {
        self.raw
            .template
            .split('/')
            .filter(|segment| !segment.starts_with('{'))
            .count()
    }

    /// Matches path segments against the template. A multi-segment parameter (`{ref}` = `heads/main`) takes all that
    /// the segments after it leave over.
    fn parameters(&self, segments: &[&str]) -> Option<BTreeMap<String, String>> {
        let template: Vec<&str> = self
            .raw
            .template
            .trim_start_matches('/')
            .split('/')
            .collect();
        let mut rest = segments;
        let mut found = BTreeMap::new();
        for (index, part) in template.iter().enumerate() {
            let after = template.len() - index - 1;
            let Some(name) = part
                .strip_prefix('{')
                .and_then(|part| part.strip_suffix('}'))
            else {
                rest = rest.strip_prefix(&[*part])?;
                continue;
            };
            let taken = if self.raw.wide.iter().any(|wide| wide == name) {
                rest.len().checked_sub(after)?
            } else {
                1
            };
            if taken == 0 || taken > rest.len() {
                return None;
            }
            let value = rest[..taken].join("/");
            if value.is_empty() {
                return None;
            }
            found.insert(name.to_owned(), value);
            rest = &rest[taken..];
        }
        rest.is_empty().then_some(found)
    }
}

fn faults(validator: &Validator, body: &Value) -> Vec<String> {
    validator
        .iter_errors(body)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect()
}
