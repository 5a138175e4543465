//! The model, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::llm::v1::llm_provider_client::LlmProviderClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn it_says_what_was_said() {
    let running = Running::start(Plugin::new("example-llm", "1.0.0").llm(Echo), "{}").await.unwrap();
    let request = GenerateTextRequest { prompt: "two words".into(), ..Default::default() };
    let said = LlmProviderClient::new(running.channel()).generate_text(request).await.unwrap().into_inner();
    assert_eq!(said.text, "two words");
    assert_eq!(said.usage.unwrap().completion_tokens, 2);
}
