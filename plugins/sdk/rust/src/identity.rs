//! Serves `hector.plugin.v1.Plugin`: who the plugin is, its configuration, its metrics and its end.

use std::sync::Arc;
use std::time::Duration;

use tonic::{Request, Response, Status, async_trait};

use crate::contracts::hector::plugin::v1::plugin_server::Plugin as PluginService;
use crate::contracts::hector::plugin::v1::*;
use crate::ending::Ending;
use crate::host::Host;
use crate::logging::SDK;
use crate::plugin::{Metrics, Plugin};
use crate::settings::{Configuration, is_warning};

pub(crate) struct Identity {
    info: GetInfoResponse,
    configuration: Configuration,
    host: Host,
    metrics: Option<Arc<Metrics>>,
    end: Ending,
}

impl Identity {
    /// Of a plugin that is complete.
    pub fn of(plugin: &Plugin, end: Ending) -> Self {
        Self {
            info: plugin.info.clone(),
            configuration: plugin.configuration.clone(),
            host: plugin.host.clone(),
            metrics: plugin.metrics.clone(),
            end,
        }
    }
}

#[async_trait]
impl PluginService for Identity {
    async fn get_info(&self, _: Request<GetInfoRequest>) -> Result<Response<GetInfoResponse>, Status> {
        Ok(Response::new(self.info.clone()))
    }

    async fn validate_config(
        &self,
        request: Request<ValidateConfigRequest>,
    ) -> Result<Response<ValidateConfigResponse>, Status> {
        let diagnostics = self.configuration.problems(&request.get_ref().config_json);
        Ok(Response::new(ValidateConfigResponse { diagnostics }))
    }

    async fn configure(
        &self,
        request: Request<ConfigureRequest>,
    ) -> Result<Response<ConfigureResponse>, Status> {
        let request = request.into_inner();
        let host_target = request.host_target.clone();
        let diagnostics = self.configuration.configure(request);
        if diagnostics.iter().all(is_warning) {
            self.host.is_at(&host_target);
            log::debug!(target: SDK, "configured");
        }
        Ok(Response::new(ConfigureResponse { diagnostics }))
    }

    async fn collect_metrics(
        &self,
        _: Request<CollectMetricsRequest>,
    ) -> Result<Response<CollectMetricsResponse>, Status> {
        let collect =
            self.metrics.as_ref().ok_or_else(|| Status::unimplemented("the plugin has no metrics"))?;
        Ok(Response::new(CollectMetricsResponse { prometheus_text: collect().into() }))
    }

    async fn shutdown(
        &self,
        request: Request<ShutdownRequest>,
    ) -> Result<Response<ShutdownResponse>, Status> {
        let grace_s = u64::from(request.get_ref().grace_s);
        self.end.ask((grace_s > 0).then(|| Duration::from_secs(grace_s)));
        Ok(Response::new(ShutdownResponse {}))
    }
}
