//! The agent, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::agent::v1::agent_provider_client::AgentProviderClient;
use hector_plugin::hector::common::v1::{Part, Role};
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn it_counts_how_often_it_met_somebody() {
    let running = Running::start(Plugin::new("example-agent", "1.0.0").agent(Greeter), "{}").await.unwrap();
    let hi = Part { content: Some(Content::Text("hi".into())), ..Default::default() };
    let message = Message { role: Role::User.into(), parts: vec![hi], ..Default::default() };
    let run = RunAgentRequest {
        agent: NAME.into(),
        message: Some(message),
        state_json: r#"{"met": 1}"#.into(),
        ..Default::default()
    };
    let mut events = AgentProviderClient::new(running.channel()).run_agent(run).await.unwrap().into_inner();
    let (mut answer, mut state) = (String::new(), String::new());
    while let Some(event) = events.message().await.unwrap() {
        match event.event {
            Some(Event::Text(text)) => answer += &text,
            Some(Event::StateDeltaJson(changed)) => state = changed,
            _ => {}
        }
    }
    assert_eq!(answer, "Hello! You said: hi\nTimes that we have met: 2.");
    assert_eq!(state, r#"{"met":2}"#);
}
