//! What to write where a value is wrong: the schema's own example of the key, as YAML.

use serde_json::Value as Json;

use super::diagnostic::{Finding, Span};
use super::schema;
use super::yaml_tree::{Node, NodeValue};

/// Gives each finding that has no hint an example of the key that it stands under.
pub(super) fn give(findings: &mut [Finding], root: &Node) {
    let mut without = findings.iter_mut().filter(|finding| finding.hint.is_none()).peekable();
    if without.peek().is_none() {
        return;
    }
    let schema = schema::job();
    for finding in without {
        let shown = finding.at.and_then(|at| below(&schema, root, at, None));
        finding.hint = Some(match shown {
            Some((key, example)) => format!("write for example `{key}: {example}`"),
            None => "take `jobs/quickstart.yaml` to begin with".to_owned(),
        });
    }
}

/// A key with an example in YAML.
type Example<'a> = (&'a str, String);

/// The example of the innermost key that has one and that `at` stands under, or else `outer`.
fn below<'a>(schema: &'a Json, node: &'a Node, at: Span, outer: Option<Example<'a>>) -> Option<Example<'a>> {
    match &node.value {
        // The mapping or list itself is meant, not the first thing in it.
        _ if node.span == at => outer,
        NodeValue::List(items) => {
            let after = items.partition_point(|item| item.span.start <= at.start);
            match items[..after].last() {
                Some(item) => below(schema, item, at, outer),
                None => outer,
            }
        }
        NodeValue::Map(entries) => {
            let after = entries.partition_point(|(key, _)| key.span.start <= at.start);
            let entry = entries[..after].last().and_then(|(key, value)| Some((key.text()?, value)));
            match entry.and_then(|(key, value)| Some((key, value, property(schema, key)?))) {
                Some((key, value, schema)) => {
                    let own = example(schema).map(|example| (key, yaml(schema, &example)));
                    below(schema, value, at, own.or(outer))
                }
                None => outer,
            }
        }
        _ => outer,
    }
}

/// A key's own example, or for a mapping without one those of its required keys.
fn example(schema: &Json) -> Option<Json> {
    if let Some(own) = schema["examples"].get(0) {
        return Some(own.clone());
    }
    let properties = schema.get("properties")?;
    let required = required(schema).map(|key| Some((key.to_owned(), example(&properties[key])?)));
    required.collect::<Option<_>>().map(Json::Object)
}

/// The keys that a mapping must have, in the form's order; those of the first form where it has several.
fn required(schema: &Json) -> impl Iterator<Item = &str> {
    let own = schema["required"].as_array().or_else(|| schema["oneOf"][0]["required"].as_array());
    own.into_iter().flatten().filter_map(Json::as_str)
}

/// The schema of a key in a mapping, in the entries of a list, or in one of several forms.
fn property<'a>(schema: &'a Json, key: &str) -> Option<&'a Json> {
    let direct = || schema.get("properties")?.get(key);
    let in_list = || property(schema.get("items")?, key);
    let in_form = || schema.get("oneOf")?.as_array()?.iter().find_map(|form| property(form, key));
    direct().or_else(in_list).or_else(in_form)
}

/// A value in the short form of YAML, required keys first.
fn yaml(schema: &Json, value: &Json) -> String {
    match value {
        Json::Object(map) if map.is_empty() => "{}".to_owned(),
        Json::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| required(schema).position(|name| name == *key).unwrap_or(usize::MAX));
            let entries = entries.iter().map(|(key, value)| format!("{key}: {}", yaml(&Json::Null, value)));
            format!("{{ {} }}", entries.collect::<Vec<_>>().join(", "))
        }
        Json::Array(items) => {
            format!("[{}]", items.iter().map(|item| yaml(&schema["items"], item)).collect::<Vec<_>>().join(", "))
        }
        Json::String(text) if text.contains([':', '{', ',', '#', '*']) || text.starts_with('%') => {
            format!("\"{text}\"")
        }
        Json::String(text) => text.clone(),
        // Numbers so large are bits.
        Json::Number(number) => match number.as_u64() {
            Some(bits) if bits > 0xffff => format!("{bits:#x}"),
            _ => number.to_string(),
        },
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is shown as an example must be what a manifest can hold.
    #[test]
    fn examples_in_yaml_are_the_values_they_show() {
        fn walk(schema: &Json, seen: &mut usize) {
            for example in schema["examples"].as_array().into_iter().flatten() {
                let read: Json = serde_saphyr::from_str(&yaml(schema, example)).unwrap();
                assert_eq!(read, *example);
                *seen += 1;
            }
            match schema {
                Json::Object(map) => map.values().for_each(|value| walk(value, seen)),
                Json::Array(items) => items.iter().for_each(|value| walk(value, seen)),
                _ => {}
            }
        }
        let mut seen = 0;
        walk(&schema::job(), &mut seen);
        assert!(seen > 30, "{seen}");
    }
}
