//! The manifest's JSON Schema, made from the form's types.

use schemars::generate::SchemaSettings;
use serde_json::Value;

use super::raw;

/// The schema of a manifest: draft 2020-12, one document without references to others.
#[must_use]
pub fn job() -> Value {
    let schema = SchemaSettings::draft2020_12().into_generator().into_root_schema_for::<raw::Job>();
    let mut schema = schema.to_value();
    if let Some(object) = schema.as_object_mut() {
        object.insert("$id".to_owned(), "urn:sunhaul:schema:job".into());
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the committed file; `SUNHAUL_UPDATE_SCHEMAS=1` writes it instead.
    #[test]
    fn the_committed_schema_is_the_one_made_from_the_types() {
        let path = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas/job.schema.json");
        let made = format!("{}\n", serde_json::to_string_pretty(&job()).unwrap());
        if std::env::vars().any(|(name, value)| name == "SUNHAUL_UPDATE_SCHEMAS" && value == "1") {
            std::fs::write(path, &made).unwrap();
        }
        let committed = std::fs::read_to_string(path).unwrap_or_default();
        assert!(made == committed, "schemas/job.schema.json is old: run the tests with SUNHAUL_UPDATE_SCHEMAS=1");
    }

    /// Every mapping is closed, and every key in it has a description and an example.
    #[test]
    fn every_key_is_described_and_no_mapping_is_open() {
        fn walk(value: &Value, path: &str, keys: &mut usize) {
            if let Some(properties) = value.get("properties").and_then(Value::as_object) {
                assert_eq!(value["additionalProperties"], false, "{path} is open");
                let is_tag = path.contains("oneOf");
                for (key, property) in properties {
                    *keys += 1;
                    // The description of a variant stands at the variant.
                    let described = property.get("description").or(value.get("description").filter(|_| is_tag));
                    assert!(described.is_some(), "{path}.{key} has no description");
                    let has_example = property["examples"].as_array().is_some_and(|list| !list.is_empty());
                    assert!(has_example || is_tag, "{path}.{key} has no example");
                }
            }
            match value {
                Value::Object(map) => {
                    for (key, child) in map.iter().filter(|(key, _)| *key != "examples") {
                        let path = if key == "properties" { path.replace("oneOf", "") } else { path.to_owned() };
                        walk(child, &format!("{path}/{key}"), keys);
                    }
                }
                Value::Array(items) => items.iter().for_each(|item| walk(item, path, keys)),
                _ => {}
            }
        }
        let mut keys = 0;
        walk(&job(), "", &mut keys);
        assert!(keys > 40, "{keys} keys");
    }
}
