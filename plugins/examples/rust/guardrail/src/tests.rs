//! The guardrail, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::guardrail::v1::guardrail_client::GuardrailClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn the_number_of_a_card_is_taken_out() {
    let running =
        Running::start(Plugin::new("example-guardrail", "1.0.0").guardrail(Cards), "{}").await.unwrap();
    let text = |said: &str| Part { content: Some(Content::Text(said.into())), ..Default::default() };
    let check = CheckContentRequest {
        stage: Stage::UserInput.into(),
        parts: vec![text("naïve: 4111 1111 1111 1111.")],
        ..Default::default()
    };
    let checked = GuardrailClient::new(running.channel()).check_content(check).await.unwrap().into_inner();
    assert_eq!(checked.verdict(), Verdict::Modify);
    assert_eq!(checked.parts, [text("naïve: [card].")]);
    assert_eq!((checked.findings[0].start, checked.findings[0].end), (7, 26));
}
