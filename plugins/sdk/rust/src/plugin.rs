//! What a plugin is made of.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::contracts::hector::agent::v1::agent_provider_server::{AgentProvider, AgentProviderServer};
use crate::contracts::hector::document::v1::document_parser_server::{DocumentParser, DocumentParserServer};
use crate::contracts::hector::embedder::v1::embedder_provider_server::{
    EmbedderProvider, EmbedderProviderServer,
};
use crate::contracts::hector::guardrail::v1::guardrail_server::{Guardrail, GuardrailServer};
use crate::contracts::hector::llm::v1::llm_provider_server::{LlmProvider, LlmProviderServer};
use crate::contracts::hector::plugin::v1::{Component, Diagnostic, GetInfoResponse, PluginKind};
use crate::contracts::hector::reasoning::v1::reasoning_strategy_server::{
    ReasoningStrategy, ReasoningStrategyServer,
};
use crate::contracts::hector::tool::v1::tool_provider_server::{ToolProvider, ToolProviderServer};
use crate::contracts::hector::vector::v1::database_provider_server::{
    DatabaseProvider, DatabaseProviderServer,
};
use crate::door::Services;
use crate::host::Host;
use crate::settings::{Configuration, Settings};
use crate::tools::Tools;

/// The largest message that is taken.
pub(crate) const MESSAGE_BYTES: usize = 64 << 20;

pub(crate) type Metrics = dyn Fn() -> String + Send + Sync;

/// A plugin with nothing to configure and nothing to serve, until it is said what there is.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) info: GetInfoResponse,
    pub(crate) services: Services,
    pub(crate) configuration: Configuration,
    pub(crate) host: Host,
    pub(crate) metrics: Option<Arc<Metrics>>,
    tools: Option<Tools>,
}

#[derive(serde::Deserialize, JsonSchema)]
struct NothingToConfigure {}

impl Plugin {
    /// Begins a plugin. The version is one of semver.org.
    pub fn new(name: &str, version: &str) -> Self {
        let info = GetInfoResponse {
            name: name.into(),
            version: version.into(),
            max_message_bytes: MESSAGE_BYTES as u64,
            reconfigurable: true,
            ..Default::default()
        };
        Self {
            info,
            services: Services::default(),
            configuration: Configuration::of::<NothingToConfigure>(),
            host: Host::default(),
            metrics: None,
            tools: None,
        }
    }

    /// Says what the configuration under `config:` looks like. Unknown keys are refused.
    pub fn settings<C: DeserializeOwned + JsonSchema + Send + Sync + 'static>(mut self) -> Self {
        self.configuration = Configuration::of::<C>();
        self
    }

    /// Checks a configuration beyond its type; what `check` returns stops the plugin unless it is a warning.
    ///
    /// # Panics
    ///
    /// If the settings are of another type; `settings` comes first.
    #[track_caller]
    pub fn checked_by<C: 'static>(
        mut self,
        check: impl Fn(&C) -> Vec<Diagnostic> + Send + Sync + 'static,
    ) -> Self {
        self.configuration.checked_by(check);
        self
    }

    /// The settings, for what is not part of a call; a call has them by `Caller::settings`.
    ///
    /// # Panics
    ///
    /// If the settings are of another type; `settings` comes first.
    #[track_caller]
    pub fn settings_handle<C>(&self) -> Settings<C> {
        self.configuration.declared_settings()
    }

    /// Changes what GetInfo says: vendor, licence, features, `max_concurrency`, …
    pub fn described(mut self, change: impl FnOnce(&mut GetInfoResponse)) -> Self {
        change(&mut self.info);
        self
    }

    /// Says what CollectMetrics answers: text in Prometheus's format.
    pub fn metrics(mut self, collect: impl Fn() -> String + Send + Sync + 'static) -> Self {
        self.metrics = Some(Arc::new(collect));
        self
    }

    /// Serves tools.
    pub fn tools(mut self, tools: Tools) -> Self {
        self.tools = Some(tools);
        self
    }

    /// Serves tools whose contract the author keeps alone.
    pub fn tool_provider(self, provider: impl ToolProvider) -> Self {
        let rpcs = ["ListTools", "ExecuteTool", "GetToolSchema"];
        self.serving(
            PluginKind::ToolProvider,
            &rpcs,
            ToolProviderServer::new(provider).max_decoding_message_size(MESSAGE_BYTES),
        )
    }

    /// Serves language models.
    pub fn llm(self, provider: impl LlmProvider) -> Self {
        let rpcs = ["GenerateText", "StreamText", "ListModels"];
        self.serving(
            PluginKind::LlmProvider,
            &rpcs,
            LlmProviderServer::new(provider).max_decoding_message_size(MESSAGE_BYTES),
        )
    }

    /// Serves a reasoning strategy.
    pub fn reasoning(self, strategy: impl ReasoningStrategy) -> Self {
        let rpcs = ["Initialize", "ProcessIteration", "Finalize"];
        let server = ReasoningStrategyServer::new(strategy).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::ReasoningStrategy, &rpcs, server)
    }

    /// Serves an embedder.
    pub fn embedder(self, provider: impl EmbedderProvider) -> Self {
        let rpcs = ["EmbedText", "EmbedBatch", "GetDimensions"];
        let server = EmbedderProviderServer::new(provider).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::EmbedderProvider, &rpcs, server)
    }

    /// Serves a vector database.
    pub fn database(self, provider: impl DatabaseProvider) -> Self {
        let rpcs =
            ["CreateCollection", "DeleteCollection", "UpsertVectors", "SearchVectors", "DeleteVectors"];
        let server = DatabaseProviderServer::new(provider).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::DatabaseProvider, &rpcs, server)
    }

    /// Serves a parser of documents.
    pub fn parser(self, parser: impl DocumentParser) -> Self {
        let rpcs = ["ParseDocument", "GetSupportedExtensions"];
        let server = DocumentParserServer::new(parser).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::DocumentParser, &rpcs, server)
    }

    /// Serves an agent.
    pub fn agent(self, provider: impl AgentProvider) -> Self {
        let server = AgentProviderServer::new(provider).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::Agent, &["DescribeAgents", "RunAgent"], server)
    }

    /// Serves a guardrail.
    pub fn guardrail(self, guardrail: impl Guardrail) -> Self {
        let server = GuardrailServer::new(guardrail).max_decoding_message_size(MESSAGE_BYTES);
        self.serving(PluginKind::Guardrail, &["CheckContent", "GetGuardrailInfo"], server)
    }

    /// Says that the newest service has these optional rpcs too.
    pub fn also_serves(mut self, rpcs: &[&str]) -> Self {
        if let Some(component) = self.info.components.last_mut() {
            component.rpcs.extend(rpcs.iter().map(ToString::to_string));
        }
        self
    }

    /// Serves any service that tonic made, as a component of a kind that has these rpcs.
    pub fn serving<S>(mut self, kind: PluginKind, rpcs: &[&str], server: S) -> Self
    where
        S: tonic::server::NamedService
            + tonic::codegen::Service<
                tonic::codegen::http::Request<tonic::body::Body>,
                Response = tonic::codegen::http::Response<tonic::body::Body>,
                Error = std::convert::Infallible,
            > + Clone
            + Send
            + Sync
            + 'static,
        S::Future: Send + 'static,
    {
        self.info.components.push(Component {
            kind: kind.into(),
            service: S::NAME.into(),
            rpcs: rpcs.iter().map(ToString::to_string).collect(),
            ..Default::default()
        });
        self.services.add(server);
        self
    }

    /// Puts in what can only be made once everything is said.
    pub(crate) fn complete(mut self) -> Self {
        self.info.config_schema_json = self.configuration.schema_json();
        match self.tools.take() {
            None => self,
            Some(tools) => {
                let served = tools.served(&self.info.version);
                self.tool_provider(served).also_serves(&["StreamTool"])
            }
        }
    }
}
