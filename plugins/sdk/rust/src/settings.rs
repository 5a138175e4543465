//! A plugin's own configuration, checked against a type of its author.

use std::any::Any;
use std::marker::PhantomData;
use std::sync::{Arc, RwLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{Code, Status};

use crate::contracts::hector::plugin::v1::diagnostic::Severity;
use crate::contracts::hector::plugin::v1::{Diagnostic, Instance};
use crate::failing::refused;

/// What the operator configured; clones show the same. Before it is known, the type's defaults if it has them all.
pub struct Settings<C>(Arc<RwLock<Current>>, PhantomData<fn() -> C>);

impl<C: Send + Sync + 'static> Settings<C> {
    /// The configuration in force. Fails before Configure if something in it has no default.
    pub fn get(&self) -> Result<Arc<C>, Status> {
        read(&self.0)
    }
}

impl<C> Clone for Settings<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

#[derive(Default)]
struct Current {
    value: Option<Arc<dyn Any + Send + Sync>>,
    instances: Vec<Instance>,
}

type Read = dyn Fn(Value) -> Result<Arc<dyn Any + Send + Sync>, Diagnostic> + Send + Sync;
type Check = dyn Fn(&dyn Any) -> Vec<Diagnostic> + Send + Sync;

/// The configuration of one plugin, whatever its type.
#[derive(Clone)]
pub(crate) struct Configuration {
    current: Arc<RwLock<Current>>,
    schema: Value,
    read: Arc<Read>,
    check: Arc<Check>,
}

impl Configuration {
    pub fn of<C: DeserializeOwned + JsonSchema + Send + Sync + 'static>() -> Self {
        let schema = schema_of::<C>();
        let closed = schema.clone();
        let read: Arc<Read> = Arc::new(move |value| {
            let read: C = from_json(value, &closed).map_err(|(path, why)| error(&path, &why))?;
            Ok(Arc::new(read))
        });
        let value = read(Value::Object(Default::default())).ok();
        let current = Current { value, instances: Vec::new() };
        Self { current: Arc::new(RwLock::new(current)), schema, read, check: Arc::new(|_| Vec::new()) }
    }

    pub fn checked_by<C: 'static>(&mut self, check: impl Fn(&C) -> Vec<Diagnostic> + Send + Sync + 'static) {
        self.check = Arc::new(move |value| value.downcast_ref().map(&check).unwrap_or_default());
    }

    pub fn settings<C>(&self) -> Settings<C> {
        Settings(self.current.clone(), PhantomData)
    }

    pub fn schema_json(&self) -> String {
        self.schema.to_string()
    }

    /// All problems of a configuration; nothing changes.
    pub fn problems(&self, config_json: &str) -> Vec<Diagnostic> {
        self.take(config_json, None)
    }

    /// Puts a configuration in force, unless one of its problems is an error.
    pub fn configure(&self, config_json: &str, instances: Vec<Instance>) -> Vec<Diagnostic> {
        self.take(config_json, Some(instances))
    }

    /// The own settings of the entry that a call is for.
    pub fn instance(&self, name: &str) -> Option<Instance> {
        let current = self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        current.instances.iter().find(|instance| instance.name == name).cloned()
    }

    fn take(&self, config_json: &str, instances: Option<Vec<Instance>>) -> Vec<Diagnostic> {
        let value = match object(config_json) {
            Ok(value) => value,
            Err(why) => return vec![error("", &format!("the configuration is no JSON object: {why}"))],
        };
        let value = match (self.read)(value) {
            Ok(value) => value,
            Err(problem) => return vec![problem],
        };
        let problems = (self.check)(&*value);
        let fatal = problems.iter().any(|problem| problem.severity() != Severity::Warning);
        if let (false, Some(instances)) = (fatal, instances) {
            let mut current = self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner);
            *current = Current { value: Some(value), instances };
        }
        problems
    }
}

fn read<C: Send + Sync + 'static>(current: &RwLock<Current>) -> Result<Arc<C>, Status> {
    let current = current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
    let value = current.value.clone().ok_or_else(|| {
        refused(
            Code::FailedPrecondition,
            "PLUGIN_NOT_CONFIGURED",
            "the plugin was not configured yet: call Configure",
        )
    })?;
    value
        .downcast()
        .map_err(|_| Status::internal("the plugin asks for settings of a type that it did not declare"))
}

/// A diagnostic of severity error; `path` is a JSON pointer.
pub(crate) fn error(path: &str, summary: &str) -> Diagnostic {
    Diagnostic {
        severity: Severity::Error.into(),
        summary: summary.into(),
        path: path.into(),
        ..Default::default()
    }
}

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
    use serde::Deserialize;

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)] // what is read is looked at by its errors alone
    struct Sample {
        /// How loud.
        #[serde(default)]
        level: u8,
        /// Where to.
        place: Option<Place>,
    }

    #[derive(Deserialize, JsonSchema)]
    #[allow(dead_code)]
    #[serde(deny_unknown_fields)]
    struct Place {
        city: String,
    }

    fn paths(config: &str) -> Vec<String> {
        Configuration::of::<Sample>().problems(config).into_iter().map(|problem| problem.path).collect()
    }

    #[test]
    fn problems_name_their_place() {
        assert_eq!(paths(r#"{"level": 3, "place": {"city": "Troy"}}"#), Vec::<String>::new());
        assert_eq!(paths(""), Vec::<String>::new());
        assert_eq!(paths("[]"), [""]);
        assert_eq!(paths("nonsense"), [""]);
        assert_eq!(paths(r#"{"surprise": 1}"#), ["/surprise"]);
        assert_eq!(paths(r#"{"level": 300}"#), ["/level"]);
        assert_eq!(paths(r#"{"place": {"city": 1}}"#), ["/place/city"]);
    }

    #[test]
    fn a_refused_configuration_changes_nothing() {
        let mut configuration = Configuration::of::<Sample>();
        configuration.checked_by(|sample: &Sample| {
            if sample.level == 9 { vec![error("/level", "too loud")] } else { Vec::new() }
        });
        let settings = configuration.settings::<Sample>();
        assert!(configuration.configure(r#"{"level": 7}"#, Vec::new()).is_empty());
        assert_eq!(configuration.configure(r#"{"level": 9}"#, Vec::new()).len(), 1);
        assert_eq!(settings.get().unwrap().level, 7);
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
