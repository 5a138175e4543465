//! Who calls, as a call's metadata says it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use percent_encoding::percent_decode_str;
use serde::de::DeserializeOwned;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Request, Status};

use crate::failing::refused;
use crate::host::{Calling, Client, Host};
use crate::settings::{Configuration, not_configured};
use crate::typed::object;

pub(crate) const TIMEOUT: &str = "grpc-timeout";

/// What travels from the call that a plugin serves to the calls that it makes for it.
const HANDED_ON: [&str; 7] = [
    "hector-call",
    "hector-principal",
    "hector-app",
    "hector-request-id",
    "hector-instance",
    "traceparent",
    "tracestate",
];

/// What the plugin is told beside its calls; each of them brings it along.
pub(crate) struct Setup {
    pub configuration: Configuration,
    pub host: Host,
}

/// Who makes a call, for what entry of the configuration, and until when.
#[derive(Clone, Default)]
pub struct Caller {
    metadata: MetadataMap,
    until: Option<Instant>,
    setup: Option<Arc<Setup>>,
}

impl Caller {
    /// Who makes this call.
    pub fn of<T>(request: &Request<T>) -> Self {
        let told = request.metadata();
        let mut metadata = MetadataMap::new();
        for name in HANDED_ON {
            if let Some(value) = told.get(name) {
                metadata.insert(name, value.clone());
            }
        }
        let left = told.get(TIMEOUT).and_then(|value| grpc_timeout(value.to_str().ok()?));
        let until = left.and_then(|left| Instant::now().checked_add(left));
        Self { metadata, until, setup: request.extensions().get().cloned() }
    }

    /// The entry of the configuration that is meant, for example "tools.search"; empty if none is.
    pub fn instance(&self) -> Cow<'_, str> {
        self.said("hector-instance")
    }

    /// That entry's own settings; those of `{}` if it has none.
    pub fn instance_settings<I: DeserializeOwned>(&self) -> Result<I, Status> {
        let name = self.instance();
        let instance = self.setup.as_ref().and_then(|setup| setup.configuration.instance(&name));
        let wrong =
            |why: String| refused(Code::FailedPrecondition, "PLUGIN_MISCONFIGURED", format!("{name}: {why}"));
        let value = object(&instance.unwrap_or_default().config_json).map_err(wrong)?;
        serde_json::from_value(value).map_err(|error| wrong(error.to_string()))
    }

    /// Which of the plugin's things that entry means, for example a model; empty unless it says `plugin:NAME:COMPONENT`.
    pub fn component(&self) -> String {
        let instance = self.setup.as_ref().and_then(|setup| setup.configuration.instance(&self.instance()));
        instance.unwrap_or_default().component
    }

    /// The plugin's settings, of the type that it declared.
    pub fn settings<C: Send + Sync + 'static>(&self) -> Result<Arc<C>, Status> {
        self.setup.as_ref().ok_or_else(not_configured)?.configuration.settings().get()
    }

    /// A folder that the plugin may write to, and finds again when it is started again.
    pub fn data_dir(&self) -> Option<PathBuf> {
        self.setup.as_ref()?.configuration.data_dir()
    }

    /// For whom the call is made; empty if the host does not say.
    pub fn principal(&self) -> Cow<'_, str> {
        self.said("hector-principal")
    }

    /// The id of the user's request, as it stands in the host's log.
    pub fn request_id(&self) -> Cow<'_, str> {
        self.said("hector-request-id")
    }

    /// How long the caller still waits; None if it waits for ever.
    pub fn time_left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// A client of the host's services that calls for this caller, and no longer than it waits.
    pub fn host(&self) -> Result<Client, Status> {
        let host = self.setup.as_ref().map(|setup| setup.host.clone()).unwrap_or_default();
        host.client(Calling { metadata: self.metadata.clone(), until: self.until })
    }

    /// What is not plain ASCII travels percent-encoded.
    fn said(&self, name: &str) -> Cow<'_, str> {
        let value = self.metadata.get(name).and_then(|value: &MetadataValue<_>| value.to_str().ok());
        percent_decode_str(value.unwrap_or_default()).decode_utf8_lossy()
    }
}

impl std::fmt::Debug for Caller {
    fn fmt(&self, to: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (instance, principal) = (self.instance(), self.principal());
        to.debug_struct("Caller")
            .field("instance", &instance)
            .field("principal", &principal)
            .finish_non_exhaustive()
    }
}

/// Reads gRPC's own spelling of a duration, as "250m".
pub(crate) fn grpc_timeout(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    let amount: u64 = digits.parse().ok()?;
    Some(match unit {
        "H" => Duration::from_secs(amount.checked_mul(3600)?),
        "M" => Duration::from_secs(amount.checked_mul(60)?),
        "S" => Duration::from_secs(amount),
        "m" => Duration::from_millis(amount),
        "u" => Duration::from_micros(amount),
        "n" => Duration::from_nanos(amount),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn deadlines_are_read_in_all_units() {
        assert_eq!(grpc_timeout("2H"), Some(Duration::from_secs(7200)));
        assert_eq!(grpc_timeout("250m"), Some(Duration::from_millis(250)));
        assert_eq!(grpc_timeout("9u"), Some(Duration::from_micros(9)));
        assert_eq!(grpc_timeout(""), None);
        assert_eq!(grpc_timeout("7x"), None);
        assert_eq!(grpc_timeout("é"), None);
    }

    #[test]
    fn only_what_concerns_the_host_is_handed_on() {
        let mut request = Request::new(());
        request.metadata_mut().insert("hector-instance", "tools.shout".parse().unwrap());
        request.metadata_mut().insert("x-other", "1".parse().unwrap());
        let caller = Caller::of(&request);
        assert_eq!(caller.instance(), "tools.shout");
        assert_eq!(caller.metadata.len(), 1);
        assert_eq!(caller.time_left(), None);
    }

    #[test]
    fn names_that_are_not_plain_come_as_they_were_written() {
        let mut request = Request::new(());
        request.metadata_mut().insert("hector-instance", "tools.gr%C3%BC%C3%9Fe".parse().unwrap());
        request.metadata_mut().insert("hector-principal", "ada%2C%20100%25".parse().unwrap());
        let caller = Caller::of(&request);
        assert_eq!(caller.instance(), "tools.grüße");
        assert_eq!(caller.principal(), "ada, 100%");
    }
}
