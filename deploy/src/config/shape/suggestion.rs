//! What to write instead: the nearest known word, the value that was probably meant, an example from the schema.

use serde_json::{Map, Value};
use toml::de::DeValue;

use super::super::document::quoted;
use super::super::findings::Fault;
use super::super::place::{Place, Segment};
use super::{line, words};

/// The fault of a key that is not known, and the key of the same table that was probably meant.
pub(super) fn unknown_key<'k>(
    whole: &Value,
    known: &'k Map<String, Value>,
    key: &str,
) -> (Fault, Option<&'k str>) {
    let meant = nearest(known.keys().map(String::as_str), key);
    let help = match (meant, homes(whole, key)) {
        (Some(meant), _) => format!("did you mean `{meant}`?"),
        (None, homes) if homes.is_empty() => format!("known here: {}", listed(known.keys(), ", ")),
        (None, homes) => format!("it belongs in {}", homes.join(" or ")),
    };
    (Fault::new("unknown key", help), meant)
}

/// The fault of a text that is none of `words`.
pub(super) fn unknown_word(words: &[&str], text: &str) -> Fault {
    let choice = match words {
        [only] => format!("write `\"{only}\"`, the only one there is"),
        _ => format!("write one of {}", listed(words, ", ")),
    };
    let help = match nearest(words.iter().copied(), text) {
        Some(meant) => format!("did you mean `\"{meant}\"`? {choice}"),
        None => choice,
    };
    Fault::new(format!("{} is not known", quoted(text)), help)
}

/// The fault of a key that must be there.
pub(super) fn missing(schema: &Value, key: &str, place: &Place) -> Fault {
    let below = place.key(key);
    let help = match schema["type"].as_str() {
        Some("object") => format!("add a table `[{below}.production]`"),
        Some("array") => format!(
            "add a table `{}`",
            below.index(0).header().unwrap_or_default()
        ),
        _ => {
            let under = place
                .header()
                .map_or("at the top of the file".to_owned(), |header| {
                    format!("under `{header}`")
                });
            format!("write `{}` {under}", line(key, &sample(schema)))
        }
    };
    Fault::new("a required key is missing", help)
}

/// The fault of a value of another type than its key has.
pub(super) fn wrong_type(schema: &Value, value: &DeValue<'_>, place: &Place) -> Fault {
    let wanted = match schema["type"].as_str() {
        Some("object") => "a table",
        Some("array") => "a list",
        Some("integer") => "a whole number",
        Some("boolean") => "true or false",
        _ => "text in quotes",
    };
    let found = match value {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    let help = match (meant(schema, value), place.segments().last()) {
        (Some(meant), Some(Segment::Key(key))) => format!("write `{}`", line(key, &meant)),
        _ => write(schema, place),
    };
    Fault::new(format!("{wanted} is wanted, {found} is given"), help)
}

/// An example of what may stand at `place`.
pub(super) fn write(schema: &Value, place: &Place) -> String {
    let header = |place: &Place| place.header().unwrap_or_default();
    match (
        schema["type"].as_str(),
        schema["items"]["type"].as_str(),
        place.segments().last(),
    ) {
        (Some("object"), _, _) => format!("write a table `{}`", header(place)),
        (_, Some("object"), _) => format!(
            "write tables `{}`, with two brackets",
            header(&place.index(0))
        ),
        (_, _, Some(Segment::Key(key))) => format!("write `{}`", line(key, &sample(schema))),
        _ => match words(schema).as_slice() {
            [] => "write text in quotes".to_owned(),
            words => format!("write one of {}", listed(words, ", ")),
        },
    }
}

/// A JSON value in the words of TOML, on one line.
pub(super) fn toml(value: &Value) -> String {
    toml::Value::try_from(value).map_or_else(|_| "…".to_owned(), |value| value.to_string())
}

fn sample(schema: &Value) -> Value {
    match (&schema["default"], schema["examples"].get(0)) {
        (Value::Null, Some(example)) => example.clone(),
        (Value::Null, None) => Value::from(words(schema).first().copied().unwrap_or_default()),
        (default, _) => default.clone(),
    }
}

/// The value of the right type that was probably meant by one of a wrong type.
fn meant(schema: &Value, value: &DeValue<'_>) -> Option<Value> {
    match (schema["type"].as_str()?, value) {
        ("string", DeValue::Integer(number)) => {
            let number: u32 = number
                .as_str()
                .parse()
                .ok()
                .filter(|_| number.radix() == 10)?;
            let unit = if schema["pattern"].is_string() {
                "s"
            } else {
                ""
            };
            Some(format!("{number}{unit}").into())
        }
        ("integer", DeValue::String(text)) => text.parse::<u32>().ok().map(Value::from),
        ("boolean", DeValue::String(text)) => match text.as_ref() {
            "true" | "yes" | "on" => Some(true.into()),
            "false" | "no" | "off" => Some(false.into()),
            _ => None,
        },
        ("array", DeValue::String(text))
            if schema["items"]["type"] == "string" && text.len() <= 60 =>
        {
            Some(vec![text.as_ref()].into())
        }
        _ => None,
    }
}

fn nearest<'w>(words: impl Iterator<Item = &'w str>, text: &str) -> Option<&'w str> {
    // Long foreign keys are no slips of ours, and comparing them costs the square of their length.
    if text.len() > 40 {
        return None;
    }
    let most = (text.chars().count() / 3).clamp(1, 2);
    let distance = |word: &'w str| (strsim::osa_distance(word, text), word);
    let close =
        |(far, word): &(usize, &str)| *far <= most || strsim::jaro_winkler(word, text) >= 0.92;
    words
        .map(distance)
        .filter(close)
        .min()
        .map(|(_, word)| word)
}

/// The tables in which `key` is known.
fn homes(whole: &Value, key: &str) -> Vec<String> {
    let mut homes = Vec::new();
    search(whole, key, &Place::top(), &mut homes);
    homes
}

fn search(schema: &Value, key: &str, place: &Place, homes: &mut Vec<String>) {
    for (name, below) in schema["properties"].as_object().into_iter().flatten() {
        if name == key {
            homes.push(
                place
                    .header()
                    .map_or("the top of the file".to_owned(), |header| {
                        format!("`{header}`")
                    }),
            );
        }
        search(below, key, &place.key(name), homes);
    }
    if schema["additionalProperties"].is_object() {
        search(
            &schema["additionalProperties"],
            key,
            &place.key("NAME"),
            homes,
        );
    }
    if schema["items"].is_object() {
        search(&schema["items"], key, &place.index(0), homes);
    }
}

fn listed<T: std::fmt::Display>(words: impl IntoIterator<Item = T>, between: &str) -> String {
    let words: Vec<String> = words.into_iter().map(|word| format!("`{word}`")).collect();
    words.join(between)
}
