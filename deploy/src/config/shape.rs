//! Holds a file against the schema of the raw types: unknown keys, wrong types, unknown words, numbers out of range,
//! missing keys. It knows no key by name; what it knows comes from the schema.

use serde_json::{Map, Value};
use toml::de::{DeArray, DeFloat, DeInteger, DeTable, DeValue};

use super::document::{Document, Spot, quoted};
use super::findings::{Fault, Findings};
use super::place::{Place, written};
use super::raw;
use super::schema::schema;

mod suggestion;

/// Reads the raw types. What does not fit is told and left out, so that the rest can be judged too.
pub(super) fn read(document: &Document<'_>, findings: &mut Findings<'_>) -> Option<raw::File> {
    let schema = schema();
    let mut shape = Shape {
        whole: &schema,
        findings,
    };
    let fitting = shape.value(&schema, document.root.get_ref(), &Place::top())?;
    let read = serde_json::from_value(fitting).map_err(|error| {
        // Only a schema that promises less than the types ask for leads here.
        Fault::new(
            quoted(&error.to_string()),
            "please report this file as a fault of cutover",
        )
    });
    findings.take(&Place::top(), read)
}

struct Shape<'s, 'f, 'd> {
    whole: &'s Value,
    findings: &'f mut Findings<'d>,
}

impl Shape<'_, '_, '_> {
    fn value(&mut self, schema: &Value, value: &DeValue<'_>, place: &Place) -> Option<Value> {
        match (schema["type"].as_str(), value) {
            (Some("object"), DeValue::Table(table)) => Some(self.table(schema, table, place)),
            (Some("array"), DeValue::Array(array)) => self.array(schema, array, place),
            (Some("string") | None, DeValue::String(text)) if words(schema).is_empty() => {
                Some(Value::from(text.as_ref()))
            }
            (_, DeValue::String(text)) if !words(schema).is_empty() => {
                self.word(schema, text, place)
            }
            (Some("boolean") | None, DeValue::Boolean(flag)) if words(schema).is_empty() => {
                Some(Value::from(*flag))
            }
            (Some("integer"), DeValue::Integer(number)) => {
                self.number(schema, whole(number), place)
            }
            (None, _) if words(schema).is_empty() => self.free(value, place),
            _ => self.refuse(place, suggestion::wrong_type(schema, value, place)),
        }
    }

    fn table(&mut self, schema: &Value, table: &DeTable<'_>, place: &Place) -> Value {
        let none = Map::new();
        let known = schema["properties"].as_object().unwrap_or(&none);
        let mut fitting = Map::new();
        for (key, value) in table {
            let key = key.get_ref().as_ref();
            let below = place.key(key);
            let schema = match (known.get(key), &schema["additionalProperties"]) {
                (Some(schema), _) => schema,
                (None, Value::Bool(false)) => {
                    let (fault, meant) = suggestion::unknown_key(self.whole, known, key);
                    self.findings.broken(&below, Spot::Key, fault);
                    // A key with a slip in it is there: it need not be told as missing as well.
                    if let Some(meant) = meant.filter(|meant| table.get(*meant).is_none()) {
                        self.findings.settled(place.key(meant));
                    }
                    continue;
                }
                (None, any) => any,
            };
            if let Some(value) = self.value(schema, value.get_ref(), &below) {
                fitting.insert(key.to_owned(), value);
            }
        }
        for key in schema["required"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
        {
            if table.get(key).is_none() {
                self.findings.broken(
                    &place.key(key),
                    Spot::Value,
                    suggestion::missing(&known[key], key, place),
                );
            }
        }
        Value::Object(fitting)
    }

    fn array(&mut self, schema: &Value, array: &DeArray<'_>, place: &Place) -> Option<Value> {
        if array.is_empty() && schema["minItems"] == 1 {
            let help = suggestion::write(schema, place);
            return self.refuse(place, Fault::new("the list is empty", help));
        }
        let unique = schema["uniqueItems"] == true;
        let mut fitting: Vec<Value> = Vec::new();
        for (index, value) in array.iter().enumerate() {
            let below = place.index(index);
            let read = self.value(&schema["items"], value.get_ref(), &below);
            let read = match read {
                Some(value) if unique && fitting.contains(&value) => {
                    let message = format!("{} is given twice", suggestion::toml(&value));
                    self.findings.broken(
                        &below,
                        Spot::Value,
                        Fault::new(message, "name each only once"),
                    );
                    continue;
                }
                // Something must stand in for what is broken, or the places of its neighbours would shift.
                None => stand_in(&schema["items"]),
                read => read,
            };
            fitting.extend(read);
        }
        Some(Value::Array(fitting))
    }

    fn word(&mut self, schema: &Value, text: &str, place: &Place) -> Option<Value> {
        let words = words(schema);
        if words.contains(&text) {
            return Some(Value::from(text));
        }
        self.refuse(place, suggestion::unknown_word(&words, text))
    }

    fn number(&mut self, schema: &Value, number: Option<i64>, place: &Place) -> Option<Value> {
        let least = schema["minimum"].as_i64().unwrap_or(i64::MIN);
        let most = schema["maximum"].as_i64().unwrap_or(i64::MAX);
        match number {
            Some(number) if (least..=most).contains(&number) => Some(Value::from(number)),
            other => {
                let message = match other {
                    Some(number) if number < least => format!("{number} is too small"),
                    Some(number) => format!("{number} is too large"),
                    None => "the number has too many digits".to_owned(),
                };
                let help = format!("write a whole number from {least} to {most}");
                self.refuse(place, Fault::new(message, help))
            }
        }
    }

    /// Any value that JSON has too.
    fn free(&mut self, value: &DeValue<'_>, place: &Place) -> Option<Value> {
        match value {
            DeValue::String(text) => Some(Value::from(text.as_ref())),
            DeValue::Boolean(flag) => Some(Value::from(*flag)),
            DeValue::Integer(number) => match whole(number) {
                Some(number) => Some(Value::from(number)),
                None => self.refuse(place, too_long()),
            },
            DeValue::Float(number) => match finite(number) {
                Some(number) => Some(Value::Number(number)),
                None => self.refuse(place, no_number()),
            },
            DeValue::Datetime(date) => {
                let help = format!("write it as text: `\"{date}\"`");
                self.refuse(place, Fault::new("JSON has no dates", help))
            }
            DeValue::Array(array) => {
                let each = |(index, value): (usize, &toml::Spanned<DeValue<'_>>)| {
                    self.free(value.get_ref(), &place.index(index))
                };
                Some(Value::Array(
                    array.iter().enumerate().filter_map(each).collect(),
                ))
            }
            DeValue::Table(table) => {
                let mut object = Map::new();
                for (key, value) in table {
                    let key = key.get_ref().as_ref();
                    if let Some(value) = self.free(value.get_ref(), &place.key(key)) {
                        object.insert(key.to_owned(), value);
                    }
                }
                Some(Value::Object(object))
            }
        }
    }

    fn refuse(&mut self, place: &Place, fault: Fault) -> Option<Value> {
        self.findings.broken(place, Spot::Value, fault);
        None
    }
}

fn whole(number: &DeInteger<'_>) -> Option<i64> {
    i64::from_str_radix(number.as_str(), number.radix()).ok()
}

fn finite(number: &DeFloat<'_>) -> Option<serde_json::Number> {
    serde_json::Number::from_f64(number.as_str().parse().ok()?)
}

fn too_long() -> Fault {
    let help = "write a number of 64 bits, or text in quotes";
    Fault::new("the number has too many digits", help)
}

fn no_number() -> Fault {
    Fault::new("JSON has no such number", "write a finite number")
}

/// The words that a schema allows; empty where it allows any value of its type.
fn words(schema: &Value) -> Vec<&str> {
    let choices = schema["oneOf"].as_array().into_iter().flatten();
    let consts = choices
        .chain(std::iter::once(schema))
        .filter_map(|choice| choice["const"].as_str());
    let listed = schema["enum"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str);
    consts.chain(listed).collect()
}

fn stand_in(schema: &Value) -> Option<Value> {
    match schema["type"].as_str() {
        Some("object") => Some(Value::Object(Map::new())),
        Some("string") if words(schema).is_empty() => Some(Value::from("")),
        _ => None,
    }
}

/// `key = value` as it would stand in the file.
fn line(key: &str, value: &Value) -> String {
    format!("{} = {}", written(key), suggestion::toml(value))
}
