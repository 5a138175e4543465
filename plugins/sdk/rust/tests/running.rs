//! A plugin as its caller sees it.

use std::sync::Arc;
use std::time::Duration;

use hector_plugin::hector::plugin::v1::host_services_server::{HostServices, HostServicesServer};
use hector_plugin::hector::plugin::v1::{GetStateRequest, GetStateResponse};
use hector_plugin::hector::tool::v1::stream_tool_response::Event;
use hector_plugin::hector::tool::v1::tool_provider_client::ToolProviderClient;
use hector_plugin::hector::tool::v1::*;
use hector_plugin::testing::Running;
use hector_plugin::{Failure, Plugin, Tools, tools};
use tokio::sync::Notify;
use tonic::{Code, Request, Response, Status, async_trait};

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
        let response = call.host().await?.get_state(GetStateRequest { key }).await?;
        Ok(String::from_utf8_lossy(&response.get_ref().value).into_owned())
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
    plugin.stop().await.unwrap();
}

#[tokio::test]
async fn a_panic_is_one_failed_call_streamed_or_not() {
    let plugin = running().await;
    let mut client = ToolProviderClient::new(plugin.channel());
    let refused = client.execute_tool(asked("divide", r#"{"dividend": 6, "divisor": 0}"#)).await.unwrap_err();
    assert_eq!(refused.code(), Code::Internal);
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
    assert_eq!(refused.code(), Code::Unauthenticated);
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
    assert_eq!(names, ["caller", "divide", "kept"]);
    assert_eq!(second.next_page_token, "");
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

    let mut configuring =
        hector_plugin::hector::plugin::v1::plugin_client::PluginClient::new(plugin.channel());
    let request =
        hector_plugin::hector::plugin::v1::ConfigureRequest { host_target: target, ..Default::default() };
    configuring.configure(request).await.unwrap();
    let mut request = Request::new(asked("kept", r#"{"key": "a"}"#));
    request.metadata_mut().insert("hector-call", "c-7".parse().unwrap());
    request.metadata_mut().insert("hector-principal", "ada".parse().unwrap());
    request.set_timeout(Duration::from_secs(30));
    let response = client.execute_tool(request).await.unwrap();
    assert_eq!(response.get_ref().result, "a for ada in c-7, token and deadline");
    serving.abort();
}

#[derive(serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

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
