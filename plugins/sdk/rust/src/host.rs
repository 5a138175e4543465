//! What a plugin may ask of its host: models, tools, embedders, state and log, as far as they are granted.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Request, Status};

use crate::contracts::hector::plugin::v1::host_services_client::HostServicesClient;
use crate::failing::refused;
use crate::plugin::MESSAGE_BYTES;

/// A client of `hector.plugin.v1.HostServices` that says on whose behalf it calls.
pub type Client = HostServicesClient<InterceptedService<Channel, Calling>>;

/// Where the host's services are. Clones are the same host.
#[derive(Clone, Default)]
pub(crate) struct Host(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    target: String,
    token: Option<MetadataValue<tonic::metadata::Ascii>>,
    channel: Option<Channel>,
}

impl Host {
    /// Without a target, nothing is granted any more. Calls in flight keep the channel that they have.
    pub fn is_at(&self, target: &str) {
        let mut known = self.lock();
        if known.target != target {
            known.target = target.into();
            known.channel = None;
        }
    }

    pub fn knows_us_by(&self, token: Option<&str>) {
        self.lock().token = token.and_then(|token| token.parse().ok());
    }

    /// A client of the host; it connects when it is first used.
    pub fn client(&self, mut calling: Calling) -> Result<Client, Status> {
        let mut locked = self.lock();
        let known = &mut *locked;
        if known.target.is_empty() {
            let sentence = "the host grants this plugin nothing: say it under `grants:` beside the plugin in hector.yaml";
            return Err(refused(Code::PermissionDenied, "PLUGIN_NOT_GRANTED", sentence));
        }
        if let Some(token) = &known.token {
            calling.metadata.insert("hector-token", token.clone());
        }
        let channel = match &known.channel {
            Some(channel) => channel.clone(),
            None => known.channel.insert(channel_to(&known.target)?).clone(),
        };
        Ok(HostServicesClient::with_interceptor(channel, calling).max_decoding_message_size(MESSAGE_BYTES))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

fn channel_to(target: &str) -> Result<Channel, Status> {
    let address = if target.starts_with("unix:") { target.into() } else { format!("http://{target}") };
    let endpoint = Endpoint::from_shared(address)
        .map_err(|error| Status::internal(format!("the host's address {target} is none: {error}")))?;
    Ok(endpoint.connect_lazy())
}

/// Puts the caller's metadata and deadline, and the plugin's token, on each call.
#[derive(Clone, Debug)]
pub struct Calling {
    pub(crate) metadata: MetadataMap,
    pub(crate) until: Option<Instant>,
}

impl Interceptor for Calling {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        for entry in self.metadata.iter() {
            if let tonic::metadata::KeyAndValueRef::Ascii(name, value) = entry {
                request.metadata_mut().insert(name, value.clone());
            }
        }
        if let Some(until) = self.until {
            request.set_timeout(until.saturating_duration_since(Instant::now()));
        }
        Ok(request)
    }
}
