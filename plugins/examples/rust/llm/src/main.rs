//! A language model that says what it is told, word by word.
use hector_plugin::hector::common::v1::{Message, Part, Role, TokenUsage, part::Content};
use hector_plugin::hector::llm::v1::{llm_provider_server::LlmProvider, *};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait, codegen::BoxStream};
use hector_plugin::{Plugin, refused, serve, streaming};

struct Echo;

#[async_trait]
impl LlmProvider for Echo {
    async fn list_models(
        &self,
        _: Request<ListModelsRequest>,
    ) -> Result<Response<ListModelsResponse>, Status> {
        let echo = Model {
            name: "echo".into(),
            display_name: "Echo".into(),
            supports_streaming: true,
            ..Default::default()
        };
        Ok(Response::new(ListModelsResponse { models: vec![echo], ..Default::default() }))
    }

    async fn generate_text(
        &self,
        request: Request<GenerateTextRequest>,
    ) -> Result<Response<GenerateTextResponse>, Status> {
        let request = request.into_inner();
        let answer = Answer::to(&request.model, request.prompt, request.messages)?;
        let part = Part { content: Some(Content::Text(answer.text.clone())), ..Default::default() };
        let message = Message { role: Role::Assistant.into(), parts: vec![part], ..Default::default() };
        Ok(Response::new(GenerateTextResponse {
            text: answer.text,
            usage: Some(answer.usage),
            message: Some(message),
            finish_reason: FinishReason::Stop.into(),
            model: "echo".into(),
            ..Default::default()
        }))
    }

    async fn stream_text(
        &self,
        request: Request<StreamTextRequest>,
    ) -> Result<Response<BoxStream<StreamTextResponse>>, Status> {
        let request = request.into_inner();
        let answer = Answer::to(&request.model, request.prompt, request.messages)?;
        Ok(Response::new(streaming(|pieces| async move {
            for text in answer.text.split_inclusive(' ') {
                pieces.send(StreamTextResponse { text: text.into(), ..Default::default() }).await?;
            }
            let last = StreamTextResponse {
                done: true,
                usage: Some(answer.usage),
                finish_reason: FinishReason::Stop.into(),
                model: "echo".into(),
                ..Default::default()
            };
            pieces.send(last).await
        })))
    }
}

struct Answer {
    text: String,
    usage: TokenUsage,
}

impl Answer {
    fn to(model: &str, prompt: String, messages: Vec<Message>) -> Result<Self, Status> {
        if !["", "echo"].contains(&model) {
            let sentence = format!("there is no model {model:?} here; there is echo");
            return Err(refused(Code::NotFound, "MODEL_NOT_FOUND", sentence));
        }
        let said: Vec<(Role, String)> = match messages.is_empty() {
            true if prompt.is_empty() => Vec::new(),
            true => vec![(Role::User, prompt)],
            false => messages.iter().map(|message| (message.role(), text_of(message))).collect(),
        };
        let Some((_, text)) = said.iter().rfind(|(role, _)| *role == Role::User) else {
            let sentence = "nobody said anything: send a prompt, or a message of the role user";
            return Err(refused(Code::InvalidArgument, "NOTHING_TO_ECHO", sentence));
        };
        let prompt_tokens = said.iter().map(|(_, text)| words(text)).sum();
        let completion_tokens = words(text);
        let total_tokens = prompt_tokens + completion_tokens;
        let usage = TokenUsage { prompt_tokens, completion_tokens, total_tokens, ..Default::default() };
        Ok(Self { text: text.clone(), usage })
    }
}

fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match &part.content {
        Some(Content::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn words(text: &str) -> i64 {
    text.split_whitespace().count() as i64
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-llm", "1.0.0").llm(Echo))
}

#[cfg(test)]
mod tests;
