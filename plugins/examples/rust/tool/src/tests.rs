//! The tools, called as a host calls them, without a process.
use super::*;
use hector_plugin::hector::tool::v1::{ExecuteToolRequest, tool_provider_client::ToolProviderClient};
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn upper_puts_the_suffix_behind_the_text() {
    let plugin = Plugin::new("example-tool", "1.0.0").settings::<Config>().tools(tools());
    let running = Running::start(plugin, r#"{"suffix": "!"}"#).await.unwrap();
    let call = ExecuteToolRequest {
        tool: "upper".into(),
        parameters_json: r#"{"text": "straße"}"#.into(),
        ..Default::default()
    };
    let response = ToolProviderClient::new(running.channel()).execute_tool(call).await.unwrap();
    assert_eq!(response.get_ref().result, "STRASSE!");
}
