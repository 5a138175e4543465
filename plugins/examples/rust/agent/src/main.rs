//! An agent of its own: it greets who talks to it, and knows how often they have met.
use hector_plugin::hector::agent::v1::agent_provider_server::AgentProvider;
use hector_plugin::hector::agent::v1::run_agent_response::Event;
use hector_plugin::hector::agent::v1::{
    Agent, DescribeAgentsRequest, DescribeAgentsResponse, RunAgentRequest, RunAgentResponse,
};
use hector_plugin::hector::common::v1::{Message, part::Content};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait, codegen::BoxStream};
use hector_plugin::{Plugin, refused, serde_json, serve, streaming};

const NAME: &str = "greeter";

struct Greeter;

/// What is kept in the session's state.
#[derive(Default, serde::Deserialize, serde::Serialize)]
struct Memory {
    #[serde(default)]
    met: u32,
}

#[async_trait]
impl AgentProvider for Greeter {
    async fn describe_agents(
        &self,
        _: Request<DescribeAgentsRequest>,
    ) -> Result<Response<DescribeAgentsResponse>, Status> {
        let greeter = Agent {
            name: NAME.into(),
            description: "Greets, and counts.".into(),
            streaming: true,
            ..Default::default()
        };
        Ok(Response::new(DescribeAgentsResponse { agents: vec![greeter] }))
    }

    async fn run_agent(
        &self,
        request: Request<RunAgentRequest>,
    ) -> Result<Response<BoxStream<RunAgentResponse>>, Status> {
        let request = request.into_inner();
        if request.agent != NAME {
            let sentence = format!("there is no agent {:?}; there is: {NAME}", request.agent);
            return Err(refused(Code::NotFound, "AGENT_NOT_FOUND", sentence));
        }
        let met = memory_in(&request.state_json)?.met.saturating_add(1);
        let said = request.message.as_ref().map(text_of).unwrap_or_default();
        Ok(Response::new(streaming(move |events| async move {
            if said.trim().is_empty() {
                return events.send(event(Event::RequireInput("What shall I call you?".into()))).await;
            }
            events.send(event(Event::Status("greeting".into()))).await?;
            events.send(event(Event::Text(format!("Hello! You said: {said}\n")))).await?;
            events.send(event(Event::Text(format!("Times that we have met: {met}.")))).await?;
            let changed = serde_json::json!(Memory { met }).to_string();
            events.send(event(Event::StateDeltaJson(changed))).await
        })))
    }
}

fn event(event: Event) -> RunAgentResponse {
    RunAgentResponse { event: Some(event) }
}

fn memory_in(state_json: &str) -> Result<Memory, Status> {
    if state_json.is_empty() {
        return Ok(Memory::default());
    }
    serde_json::from_str(state_json).map_err(|error| {
        let sentence = format!("the session's state is not what was saved: {error}");
        refused(Code::InvalidArgument, "STATE_UNREADABLE", sentence)
    })
}

fn text_of(message: &Message) -> String {
    let texts = message.parts.iter().filter_map(|part| match &part.content {
        Some(Content::Text(text)) => Some(text.as_str()),
        _ => None,
    });
    texts.collect()
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-agent", "1.0.0").agent(Greeter))
}

#[cfg(test)]
mod tests;
