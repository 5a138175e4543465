//! Writes what the `log` macros say as hclog JSON, which the host reads from standard error.

use std::io::Write;
use std::str::FromStr;
use std::sync::OnceLock;
use std::time::SystemTime;
use std::{env, io};

use log::kv::{Key, Value, VisitSource};
use log::{Level, LevelFilter, Log, Metadata, Record};
use serde_json::{Map, json};

/// The target of what this crate says itself.
pub(crate) const SDK: &str = "hector_plugin";

static NAME: OnceLock<String> = OnceLock::new();

struct HclogLines;

/// Takes over the `log` macros, unless the author chose another logger; and tells of panics.
pub(crate) fn begin(name: &str) {
    NAME.get_or_init(|| name.into());
    let level = env::var("HECTOR_LOG_LEVEL").unwrap_or_default();
    let level = LevelFilter::from_str(if level == "warning" { "warn" } else { &level });
    if log::set_logger(&HclogLines).is_ok() {
        log::set_max_level(level.unwrap_or(LevelFilter::Info));
    }
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        let why = panic.payload_as_str().unwrap_or("without words");
        log::error!(target: SDK, place = place.as_str(); "panicked: {why}");
    }));
}

impl Log for HclogLines {
    fn enabled(&self, metadata: &Metadata) -> bool {
        // Libraries tell of every frame at debug; they are heard from info on.
        let chatty = ["h2", "hyper", "hyper_util", "tower", "tonic", "mio"];
        let library = metadata.target().split("::").next().is_some_and(|name| chatty.contains(&name));
        metadata.level() <= if library { Level::Info } else { Level::Trace }
    }

    fn log(&self, record: &Record) {
        if !self.enabled(record.metadata()) {
            return;
        }
        let mut line = Facts(Map::new());
        let _ = record.key_values().visit(&mut line); // a fact that cannot be read is left out
        let level = record.level().as_str().to_lowercase();
        line.0.insert("@level".into(), level.into());
        line.0.insert("@message".into(), record.args().to_string().into());
        line.0.insert("@module".into(), NAME.get().map_or(SDK, String::as_str).into());
        if record.target() != SDK {
            line.0.insert("logger".into(), record.target().into());
        }
        line.0
            .insert("@timestamp".into(), prost_types::Timestamp::from(SystemTime::now()).to_string().into());
        let text = serde_json::Value::Object(line.0).to_string() + "\n";
        let _ = io::stderr().lock().write_all(text.as_bytes()); // nobody is left to tell
    }

    fn flush(&self) {}
}

struct Facts(Map<String, serde_json::Value>);

impl<'kvs> VisitSource<'kvs> for Facts {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), log::kv::Error> {
        let fact = if let Some(number) = value.to_i64() {
            json!(number)
        } else if let Some(number) = value.to_f64() {
            json!(number)
        } else if let Some(truth) = value.to_bool() {
            json!(truth)
        } else {
            json!(value.to_string())
        };
        self.0.insert(key.as_str().to_string(), fact);
        Ok(())
    }
}
