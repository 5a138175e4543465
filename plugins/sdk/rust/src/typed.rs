//! JSON that has to fit a type: its schema, and what is wrong with it in words and by its place.

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// Reads JSON text that has to be an object; an empty text is an empty one.
pub(crate) fn object(text: &str) -> Result<Value, String> {
    if text.is_empty() {
        return Ok(Value::Object(Default::default()));
    }
    match serde_json::from_str(text) {
        Ok(value @ Value::Object(_)) => Ok(value),
        Ok(_) => Err("it is JSON of another kind".into()),
        Err(error) => Err(error.to_string()),
    }
}

/// Turns an object into a type; the error has a JSON pointer and a sentence.
pub(crate) fn from_json<T: DeserializeOwned>(value: Value, schema: &Value) -> Result<T, (String, String)> {
    if let (Some(known), Some(given)) = (closed_properties(schema), value.as_object()) {
        if let Some(stranger) = given.keys().find(|name| !known.contains_key(*name)) {
            let names: Vec<&str> = known.keys().map(String::as_str).collect();
            let allowed = if names.is_empty() { "nothing".into() } else { names.join(", ") };
            return Err((
                pointer([stranger.as_str()]),
                format!("{stranger} is not known here; allowed: {allowed}"),
            ));
        }
    }
    serde_path_to_error::deserialize(value).map_err(|error| {
        let steps: Vec<String> = error.path().iter().map(ToString::to_string).collect();
        let steps = steps.iter().map(|step| step.trim_matches(['[', ']']));
        (pointer(steps.filter(|step| *step != ".")), error.into_inner().to_string())
    })
}

/// The JSON Schema of a type, as models and hosts like it: nothing but what is asked for, and nothing beyond it.
pub(crate) fn schema_of<T: JsonSchema>() -> Value {
    let mut settings = schemars::generate::SchemaSettings::draft2020_12();
    settings.inline_subschemas = true;
    settings.meta_schema = None;
    let mut schema = settings.into_generator().into_root_schema_for::<T>().to_value();
    tidy(&mut schema);
    if let Some(schema) = schema.as_object_mut() {
        schema.remove("title");
        schema.entry("type").or_insert("object".into());
        schema.entry("properties").or_insert(Value::Object(Default::default()));
        schema.entry("additionalProperties").or_insert(false.into());
    }
    schema
}

fn closed_properties(schema: &Value) -> Option<&serde_json::Map<String, Value>> {
    (schema.get("additionalProperties") == Some(&Value::Bool(false)))
        .then(|| schema.get("properties")?.as_object())?
}

/// Takes out `format: double` and the like: widths of Rust's numbers, which are nobody else's business.
fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(fields) => {
            let numeric = ["number", "integer"];
            let is_number =
                fields.get("type").and_then(Value::as_str).is_some_and(|kind| numeric.contains(&kind));
            if is_number {
                fields.remove("format");
            }
            fields.values_mut().for_each(tidy);
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

fn pointer<'a>(steps: impl IntoIterator<Item = &'a str>) -> String {
    steps.into_iter().map(|step| format!("/{}", step.replace('~', "~0").replace('/', "~1"))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Deserialize, JsonSchema)]
    #[allow(dead_code)] // only its schema is looked at
    struct Sample {
        /// How loud.
        #[serde(default)]
        level: u8,
    }

    #[test]
    fn a_schema_says_what_is_asked_for_and_no_more() {
        let schema = schema_of::<Sample>();
        assert_eq!(schema["additionalProperties"], false);
        assert_eq!(schema["properties"]["level"]["description"], "How loud.");
        assert_eq!(schema.get("title"), None);
        assert_eq!(schema["properties"]["level"].get("format"), None);
    }
}
