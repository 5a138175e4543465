//! A plugin as its caller sees it.

use std::sync::Arc;
use std::time::Duration;

use hector_plugin::hector::agent::v1::agent_provider_server::AgentProvider;
use hector_plugin::hector::document::v1::document_parser_server::DocumentParser;
use hector_plugin::hector::embedder::v1::embedder_provider_client::EmbedderProviderClient;
use hector_plugin::hector::embedder::v1::embedder_provider_server::EmbedderProvider;
use hector_plugin::hector::embedder::v1::{GetDimensionsRequest, GetDimensionsResponse};
use hector_plugin::hector::guardrail::v1::guardrail_server::Guardrail;
use hector_plugin::hector::llm::v1::llm_provider_server::LlmProvider;
use hector_plugin::hector::plugin::v1::diagnostic::Severity;
use hector_plugin::hector::plugin::v1::host_services_server::{HostServices, HostServicesServer};
use hector_plugin::hector::plugin::v1::plugin_client::PluginClient;
use hector_plugin::hector::plugin::v1::*;
use hector_plugin::hector::reasoning::v1::reasoning_strategy_server::ReasoningStrategy;
use hector_plugin::hector::tool::v1::stream_tool_response::Event;
use hector_plugin::hector::tool::v1::tool_provider_client::ToolProviderClient;
use hector_plugin::hector::tool::v1::*;
use hector_plugin::hector::vector::v1::database_provider_server::DatabaseProvider;
use hector_plugin::testing::Running;
use hector_plugin::{Caller, Failure, Plugin, Tools, tools};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, async_trait};
use tonic_types::StatusExt;

tools! {
    /// Divides.
    #[hint(read_only)]
    async fn divide(call: Call, /** What. */ dividend: i64, /** By what. */ divisor: i64) -> Result<String, Failure> {
        call.progress(0.5, 1.0, "dividing").await;
        if dividend == 0 {
            return Err("there is nothing to divide".into());
        }
        Ok((dividend / divisor).to_string())
    }

    /// Says who calls.
    async fn caller(call: Call) -> Result<String, Failure> {
        Ok(format!("{} for {}", call.caller.instance(), call.caller.principal()))
    }

    /// Reads a value that the host keeps.
    async fn kept(call: Call, /** Which. */ key: String) -> Result<String, Failure> {
        let response = call.host()?.get_state(GetStateRequest { key }).await?;
        Ok(String::from_utf8_lossy(&response.get_ref().value).into_owned())
    }

    /// Fails, and is at a loss for words.
    async fn lost(_call: Call) -> Result<String, Failure> {
        Err("".into())
    }
}

fn asked(tool: &str, parameters_json: &str) -> ExecuteToolRequest {
    ExecuteToolRequest { tool: tool.into(), parameters_json: parameters_json.into(), ..Default::default() }
}

async fn running() -> Running {
    Running::start(Plugin::new("sample", "1.0.0").tools(tools()), "{}").await.unwrap()
}

#[tokio::test]
async fn a_tool_answers_and_its_failure_is_for_the_model() {
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    let response = client.execute_tool(asked("divide", r#"{"dividend": 6, "divisor": 3}"#)).await.unwrap();
    assert_eq!((response.get_ref().success, response.get_ref().result.as_str()), (true, "2"));
    let response = client.execute_tool(asked("divide", r#"{"dividend": 0, "divisor": 3}"#)).await.unwrap();
    assert_eq!(
        (response.get_ref().success, response.get_ref().error.as_str()),
        (false, "there is nothing to divide")
    );
    let response = client.execute_tool(asked("lost", "{}")).await.unwrap();
    assert_eq!(response.get_ref().error, "the tool failed, and did not say why");
    plugin.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_one_failed_call_streamed_or_not() {
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    let refused = client.execute_tool(asked("divide", r#"{"dividend": 6, "divisor": 0}"#)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::Internal, "PLUGIN_PANICKED".into()));
    let request = StreamToolRequest {
        tool: "divide".into(),
        parameters_json: r#"{"dividend": 6, "divisor": 0}"#.into(),
        ..Default::default()
    };
    let mut events = client.stream_tool(request).await.unwrap().into_inner();
    let first = events.message().await.unwrap().unwrap();
    assert!(matches!(first.event, Some(Event::Progress(_))));
    assert_eq!(events.message().await.unwrap_err().code(), Code::Internal);
    assert!(
        client
            .execute_tool(asked("divide", r#"{"dividend": 6, "divisor": 3}"#))
            .await
            .unwrap()
            .get_ref()
            .success
    );
}

#[tokio::test]
async fn arguments_are_checked_before_a_tool_runs() {
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    for arguments in [
        "",
        "[]",
        r#"{"dividend": 6}"#,
        r#"{"dividend": 6, "divisor": true}"#,
        r#"{"dividend": 6, "divisor": 1, "x": 1}"#,
    ] {
        let refused = client.execute_tool(asked("divide", arguments)).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument, "{arguments}");
    }
    let refused = client.execute_tool(asked("multiply", "{}")).await.unwrap_err();
    assert_eq!(refused.code(), Code::NotFound);
}

#[tokio::test]
async fn who_shows_no_token_is_refused() {
    let plugin = running().await;
    let refused =
        ToolProviderClient::new(plugin.stranger()).list_tools(ListToolsRequest::default()).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::Unauthenticated, "PLUGIN_TOKEN_REQUIRED".into()));
}

#[tokio::test]
async fn tools_are_listed_page_by_page() {
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    let request = ListToolsRequest { page_size: 2, ..Default::default() };
    let first = client.list_tools(request).await.unwrap().into_inner();
    let request = ListToolsRequest { page_size: 2, page_token: first.next_page_token };
    let second = client.list_tools(request).await.unwrap().into_inner();
    let names: Vec<&str> = first.tools.iter().chain(&second.tools).map(|tool| tool.name.as_str()).collect();
    assert_eq!(names, ["caller", "divide", "kept", "lost"]);
    assert_eq!(second.next_page_token, "");
}

#[tokio::test]
async fn a_service_reads_what_is_said_of_the_entry_that_a_call_is_for() {
    let plugin = Plugin::new("sample", "1.0.0").settings::<Loudness>().embedder(Asking);
    let plugin = Running::start(plugin, "").await.unwrap();
    let instance = Instance {
        name: "embedders.größe".into(),
        config_json: r#"{"level": 3}"#.into(),
        component: "small".into(),
        ..Default::default()
    };
    let request = ConfigureRequest {
        config_json: r#"{"level": 7}"#.into(),
        instances: vec![instance],
        data_dir: "/data".into(),
        ..Default::default()
    };
    PluginClient::new(plugin.channel()).configure(request).await.unwrap();
    let mut request = Request::new(GetDimensionsRequest::default());
    request.metadata_mut().insert("hector-instance", "embedders.gr%C3%B6%C3%9Fe".parse().unwrap());
    let response = EmbedderProviderClient::new(plugin.channel()).get_dimensions(request).await.unwrap();
    assert_eq!(response.get_ref().fingerprint, "embedders.größe: 3 of 7, small, /data");
}

#[tokio::test]
async fn a_plugin_says_what_it_serves_of_every_kind() {
    let all = Plugin::new("sample", "1.0.0").llm(Mute).reasoning(Mute).embedder(Mute).database(Mute);
    let all = all.parser(Mute).agent(Mute).guardrail(Mute).tools(tools());
    let plugin = Running::start(all, "").await.unwrap();
    let info = PluginClient::new(plugin.channel()).get_info(GetInfoRequest::default()).await.unwrap();
    let components = &info.get_ref().components;
    assert_eq!(components.len(), 8);
    assert_eq!(components.iter().find(|component| component.rpcs.is_empty()), None);
}

#[tokio::test]
async fn a_configuration_may_be_as_long_as_any_message() {
    let plugin = running().await;
    let config_json = format!("{}{{}}", " ".repeat(5 << 20));
    let request = ConfigureRequest { config_json, ..Default::default() };
    let response = PluginClient::new(plugin.channel()).configure(request).await.unwrap();
    assert!(response.get_ref().diagnostics.is_empty());
}

#[tokio::test]
async fn a_warning_does_not_keep_a_plugin_from_starting() {
    let warned = Plugin::new("sample", "1.0.0").settings::<Loudness>().checked_by(|given: &Loudness| {
        let severity = if given.level > 9 { Severity::Error } else { Severity::Warning };
        vec![Diagnostic { severity: severity.into(), summary: "rather loud".into(), ..Default::default() }]
    });
    Running::start(warned.clone(), r#"{"level": 9}"#).await.unwrap();
    assert!(Running::start(warned, r#"{"level": 10}"#).await.is_err());
}

#[tokio::test]
async fn a_tool_is_stopped_when_its_caller_leaves() {
    let (begun, stopped) = (Arc::new(Notify::new()), Arc::new(Notify::new()));
    let (tell_begun, tell_stopped) = (begun.clone(), stopped.clone());
    let endless = Tools::new().tool("endless", "Never ends.", move |_: Nothing, _| {
        let (begun, told) = (tell_begun.clone(), Told(tell_stopped.clone()));
        async move {
            begun.notify_one();
            std::future::pending::<()>().await;
            drop(told);
            Ok("over")
        }
    });
    let plugin = Running::start(Plugin::new("sample", "1.0.0").tools(endless), "").await.unwrap();
    let mut client = ToolProviderClient::new(plugin.channel());
    let call = tokio::spawn(async move { client.execute_tool(asked("endless", "{}")).await });
    within(begun.notified()).await;
    call.abort();
    within(stopped.notified()).await;
}

#[tokio::test]
async fn the_host_hears_for_whom_a_plugin_asks() {
    let (address, host) = (listener().await, Keeper);
    let target = address.local_addr().unwrap().to_string();
    let incoming = tonic::transport::server::TcpIncoming::from(address);
    let server = tonic::transport::Server::builder();
    let serving = tokio::spawn(server.serve_with_incoming(HostServicesServer::new(host), incoming));
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    let refused = client.execute_tool(asked("kept", r#"{"key": "a"}"#)).await.unwrap_err();
    assert_eq!(refused.code(), Code::PermissionDenied);

    let mut configuring = PluginClient::new(plugin.channel());
    configuring.configure(ConfigureRequest { host_target: target, ..Default::default() }).await.unwrap();
    let mut request = Request::new(asked("kept", r#"{"key": "a"}"#));
    request.metadata_mut().insert("hector-call", "c-7".parse().unwrap());
    request.metadata_mut().insert("hector-principal", "ada".parse().unwrap());
    request.set_timeout(Duration::from_secs(30));
    let response = client.execute_tool(request).await.unwrap();
    assert_eq!(response.get_ref().result, "a for ada in c-7, token and deadline");

    configuring.configure(ConfigureRequest::default()).await.unwrap();
    let refused = client.execute_tool(asked("kept", r#"{"key": "a"}"#)).await.unwrap_err();
    assert_eq!((refused.code(), reason(&refused)), (Code::PermissionDenied, "PLUGIN_NOT_GRANTED".into()));
    serving.abort();
}

fn reason(refused: &Status) -> String {
    refused.get_details_error_info().map(|info| info.reason).unwrap_or_default()
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Loudness {
    #[serde(default)]
    level: u8,
}

/// Says whom it is asked by.
struct Asking;

#[async_trait]
impl EmbedderProvider for Asking {
    async fn get_dimensions(
        &self,
        request: Request<GetDimensionsRequest>,
    ) -> Result<Response<GetDimensionsResponse>, Status> {
        let caller = Caller::of(&request);
        let (own, all) = (caller.instance_settings::<Loudness>()?, caller.settings::<Loudness>()?);
        let folder = caller.data_dir().unwrap_or_default();
        let (name, component, folder) = (caller.instance(), caller.component(), folder.display());
        let fingerprint = format!("{name}: {} of {}, {component}, {folder}", own.level, all.level);
        Ok(Response::new(GetDimensionsResponse { fingerprint, ..Default::default() }))
    }
}

/// Serves everything, and answers nothing.
struct Mute;

impl LlmProvider for Mute {}
impl ReasoningStrategy for Mute {}
impl EmbedderProvider for Mute {}
impl DatabaseProvider for Mute {}
impl DocumentParser for Mute {}
impl AgentProvider for Mute {}
impl Guardrail for Mute {}

struct Told(Arc<Notify>);

impl Drop for Told {
    fn drop(&mut self) {
        self.0.notify_one();
    }
}

struct Keeper;

#[async_trait]
impl HostServices for Keeper {
    async fn get_state(
        &self,
        request: Request<GetStateRequest>,
    ) -> Result<Response<GetStateResponse>, Status> {
        let told = |name: &str| {
            request.metadata().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
        };
        let more = match (told("hector-token").is_empty(), told("grpc-timeout").is_empty()) {
            (false, false) => ", token and deadline",
            _ => "",
        };
        let (principal, call, key) = (told("hector-principal"), told("hector-call"), &request.get_ref().key);
        let value = format!("{key} for {principal} in {call}{more}");
        Ok(Response::new(GetStateResponse { value: value.into(), found: true }))
    }
}

async fn listener() -> tokio::net::TcpListener {
    tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap()
}

async fn within(event: impl Future<Output = ()>) {
    tokio::time::timeout(Duration::from_secs(30), event).await.unwrap();
}
