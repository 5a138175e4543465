//! Who calls, as a call's metadata says it.

use std::time::{Duration, Instant};

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Request, Status};

use crate::host::{Calling, Client, Host};

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

/// Who makes a call, for what entry of the configuration, and until when.
#[derive(Clone, Debug, Default)]
pub struct Caller {
    metadata: MetadataMap,
    until: Option<Instant>,
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
        Self { metadata, until: left.and_then(|left| Instant::now().checked_add(left)) }
    }

    /// The entry of the configuration that is meant, for example "tools.search"; empty if none is.
    pub fn instance(&self) -> &str {
        self.said("hector-instance")
    }

    /// For whom the call is made; empty if the host does not say.
    pub fn principal(&self) -> &str {
        self.said("hector-principal")
    }

    /// The id of the user's request, as it stands in the host's log.
    pub fn request_id(&self) -> &str {
        self.said("hector-request-id")
    }

    /// How long the caller still waits; None if it waits for ever.
    pub fn time_left(&self) -> Option<Duration> {
        self.until.map(|until| until.saturating_duration_since(Instant::now()))
    }

    /// A client of the host's services that calls for this caller, and no longer than it waits.
    pub async fn host(&self, host: &Host) -> Result<Client, Status> {
        host.client(Calling { metadata: self.metadata.clone(), until: self.until }).await
    }

    fn said(&self, name: &str) -> &str {
        self.metadata.get(name).and_then(|value: &MetadataValue<_>| value.to_str().ok()).unwrap_or_default()
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
}
