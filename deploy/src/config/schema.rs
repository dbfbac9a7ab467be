//! The JSON Schema of the file, made from the raw types. Editors complete and check by it, and so does `shape`.

use schemars::Schema;
use schemars::generate::SchemaSettings;
use schemars::transform::{Transform, transform_subschemas};
use serde_json::{Map, Value};

use super::raw;

/// The JSON Schema (draft 7) of a `cutover.toml`, as it is checked in at `templates/cutover.schema.json`.
pub fn schema() -> Value {
    SchemaSettings::draft07()
        .with(|settings| settings.inline_subschemas = true)
        .with_transform(ForToml)
        .into_generator()
        .into_root_schema_for::<raw::File>()
        .to_value()
}

/// The order in which a schema's own words are written, so that a person can read the file too.
const ORDER: [&str; 10] = [
    "$schema",
    "title",
    "description",
    "type",
    "oneOf",
    "const",
    "default",
    "examples",
    "required",
    "properties",
];

/// Takes out what says nothing about TOML: `null`, since a key is simply left out, and the width of numbers.
#[derive(Debug, Clone)]
struct ForToml;

impl Transform for ForToml {
    fn transform(&mut self, schema: &mut Schema) {
        let Some(words) = schema.as_object_mut() else {
            return;
        };
        if let Some(Value::Array(types)) = words.get_mut("type") {
            types.retain(|name| name != "null");
            if let [only] = types.as_slice() {
                let only = only.clone();
                words.insert("type".to_owned(), only);
            }
        }
        if let Some(Value::Array(mut choices)) = words.remove("anyOf") {
            choices.retain(|choice| choice["type"] != "null");
            for (word, value) in choices.into_iter().filter_map(into_object).flatten() {
                // The field's own words win over those of its type.
                words.entry(word).or_insert(value);
            }
        }
        words.remove("format");
        let rank = |word: &str| {
            ORDER
                .iter()
                .position(|known| *known == word)
                .unwrap_or(ORDER.len())
        };
        let mut sorted: Vec<_> = std::mem::take(words).into_iter().collect();
        sorted.sort_by_key(|(word, _)| rank(word));
        words.extend(sorted);
        transform_subschemas(self, schema);
    }
}

fn into_object(value: Value) -> Option<Map<String, Value>> {
    match value {
        Value::Object(object) => Some(object),
        _ => None,
    }
}
