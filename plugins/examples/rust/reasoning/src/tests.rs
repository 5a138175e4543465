//! The strategy, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::reasoning::v1::reasoning_strategy_client::ReasoningStrategyClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn it_asks_the_model_first() {
    let plugin = Plugin::new("example-reasoning", "1.0.0").reasoning(OneShot);
    let running = Running::start(plugin, "{}").await.unwrap();
    let mut strategy = ReasoningStrategyClient::new(running.channel());
    let begin = InitializeRequest { run: "r1".into(), ..Default::default() };
    let state = strategy.initialize(begin).await.unwrap().into_inner().state;
    let request = ProcessIterationRequest { state, iteration: 1, ..Default::default() };
    let decided = strategy.process_iteration(request).await.unwrap().into_inner();
    assert!(!decided.done);
    assert!(matches!(decided.actions.as_slice(), [Action { action: Some(action::Action::Ask(_)), .. }]));
}
