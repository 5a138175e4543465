//! A plugin's own configuration, checked against a type of its author.

use std::any::{Any, type_name};
use std::marker::PhantomData;
use std::path::PathBuf;
use std::sync::{Arc, PoisonError, RwLock};

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tonic::{Code, Status};

use crate::contracts::hector::plugin::v1::diagnostic::Severity;
use crate::contracts::hector::plugin::v1::{ConfigureRequest, Diagnostic, Instance};
use crate::failing::refused;
use crate::typed::{from_json, object, schema_of};

/// What the operator configured; clones show the same. Before it is known, the type's defaults if it has them all.
pub struct Settings<C>(Arc<RwLock<Current>>, PhantomData<fn() -> C>);

impl<C: Send + Sync + 'static> Settings<C> {
    /// The configuration in force. Fails before Configure if something in it has no default.
    pub fn get(&self) -> Result<Arc<C>, Status> {
        let value = self.0.read().unwrap_or_else(PoisonError::into_inner).value.clone();
        let value = value.ok_or_else(not_configured)?;
        value.downcast().map_err(|_| {
            let sentence = format!("the plugin's settings are not of the type {}", type_name::<C>());
            refused(Code::Internal, "PLUGIN_SETTINGS_OF_ANOTHER_TYPE", sentence)
        })
    }
}

impl<C> Clone for Settings<C> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

/// What Configure said.
#[derive(Default)]
struct Current {
    value: Option<Taken>,
    instances: Vec<Instance>,
    data_dir: String,
}

type Taken = Arc<dyn Any + Send + Sync>;
type Read = dyn Fn(Value) -> Result<Taken, Diagnostic> + Send + Sync;
type Check = dyn Fn(&dyn Any) -> Vec<Diagnostic> + Send + Sync;

/// The configuration of one plugin, whatever its type.
#[derive(Clone)]
pub(crate) struct Configuration {
    current: Arc<RwLock<Current>>,
    schema: Value,
    type_name: &'static str,
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
        let current = Arc::new(RwLock::new(Current { value, ..Default::default() }));
        Self { current, schema, type_name: type_name::<C>(), read, check: Arc::new(|_| Vec::new()) }
    }

    #[track_caller]
    pub fn checked_by<C: 'static>(&mut self, check: impl Fn(&C) -> Vec<Diagnostic> + Send + Sync + 'static) {
        self.must_be_of::<C>("checked_by");
        self.check = Arc::new(move |value| value.downcast_ref().map(&check).unwrap_or_default());
    }

    #[track_caller]
    pub fn declared_settings<C>(&self) -> Settings<C> {
        self.must_be_of::<C>("settings_handle");
        self.settings()
    }

    pub fn settings<C>(&self) -> Settings<C> {
        Settings(self.current.clone(), PhantomData)
    }

    pub fn schema_json(&self) -> String {
        self.schema.to_string()
    }

    /// All problems of a configuration; nothing changes.
    pub fn problems(&self, config_json: &str) -> Vec<Diagnostic> {
        self.checked(config_json).1
    }

    /// Puts a configuration in force, unless one of its problems is an error.
    pub fn configure(&self, request: ConfigureRequest) -> Vec<Diagnostic> {
        let (value, problems) = self.checked(&request.config_json);
        if value.is_some() {
            let ConfigureRequest { instances, data_dir, .. } = request;
            let mut current = self.current.write().unwrap_or_else(PoisonError::into_inner);
            *current = Current { value, instances, data_dir };
        }
        problems
    }

    /// What the configuration says of one of its entries that refer to the plugin.
    pub fn instance(&self, name: &str) -> Option<Instance> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.instances.iter().find(|instance| instance.name == name).cloned()
    }

    /// Where the plugin may write.
    pub fn data_dir(&self) -> Option<PathBuf> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        (!current.data_dir.is_empty()).then(|| PathBuf::from(&current.data_dir))
    }

    /// What a configuration comes to, if none of its problems is an error.
    fn checked(&self, config_json: &str) -> (Option<Taken>, Vec<Diagnostic>) {
        let value = match object(config_json) {
            Ok(value) => value,
            Err(why) => {
                return (None, vec![error("", &format!("the configuration is no JSON object: {why}"))]);
            }
        };
        match (self.read)(value) {
            Ok(value) => {
                let problems = (self.check)(&*value);
                (problems.iter().all(is_warning).then_some(value), problems)
            }
            Err(problem) => (None, vec![problem]),
        }
    }

    /// Tells an author at the start what would be lost without a word, or fail at each call.
    #[track_caller]
    fn must_be_of<C>(&self, asked_by: &str) {
        let (asked, declared) = (type_name::<C>(), self.type_name);
        assert!(
            asked == declared,
            "{asked_by} wants settings of the type {asked}, and the plugin's are of the type {declared}: \
             call settings::<{asked}>() first"
        );
    }
}

/// The answer to who asks for settings before there are any.
pub(crate) fn not_configured() -> Status {
    let sentence = "the plugin was not configured yet: call Configure";
    refused(Code::FailedPrecondition, "PLUGIN_NOT_CONFIGURED", sentence)
}

/// Whether a plugin may go on in spite of what was found.
pub(crate) fn is_warning(problem: &Diagnostic) -> bool {
    problem.severity() == Severity::Warning
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

    fn configure(configuration: &Configuration, config_json: &str) -> Vec<Diagnostic> {
        configuration.configure(ConfigureRequest { config_json: config_json.into(), ..Default::default() })
    }

    #[test]
    fn a_refused_configuration_changes_nothing() {
        let mut configuration = Configuration::of::<Sample>();
        configuration.checked_by(|sample: &Sample| {
            if sample.level == 9 { vec![error("/level", "too loud")] } else { Vec::new() }
        });
        let settings = configuration.settings::<Sample>();
        assert!(configure(&configuration, r#"{"level": 7}"#).is_empty());
        assert_eq!(configure(&configuration, r#"{"level": 9}"#).len(), 1);
        assert_eq!(settings.get().unwrap().level, 7);
    }

    #[test]
    #[should_panic(expected = "call settings::<")]
    fn a_check_of_another_type_is_not_lost_without_a_word() {
        Configuration::of::<Sample>().checked_by(|_: &Place| Vec::new());
    }
}
