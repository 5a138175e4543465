//! A reasoning strategy that asks the model once, has its tools called, and finishes.
use hector_plugin::hector::common::v1::{ToolCall, part::Content};
use hector_plugin::hector::reasoning::v1::reasoning_strategy_server::ReasoningStrategy;
use hector_plugin::hector::reasoning::v1::{action, observation::Result as Seen, *};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait};
use hector_plugin::{Plugin, refused, serde_json, serve};

struct OneShot;

#[derive(serde::Deserialize, serde::Serialize)]
struct Memory {
    step: u8,
}

#[async_trait]
impl ReasoningStrategy for OneShot {
    async fn initialize(
        &self,
        _: Request<InitializeRequest>,
    ) -> Result<Response<InitializeResponse>, Status> {
        Ok(Response::new(InitializeResponse {
            success: true,
            state: Some(state_of(0)),
            ..Default::default()
        }))
    }

    async fn process_iteration(
        &self,
        request: Request<ProcessIterationRequest>,
    ) -> Result<Response<ProcessIterationResponse>, Status> {
        let request = request.into_inner();
        let decision = match step_of(request.state.as_ref())? {
            0 => {
                let ask = Action { id: "ask-1".into(), action: Some(action::Action::Ask(Ask::default())) };
                acting(vec![ask], 1)
            }
            1 => match calls_of(&request.observations)? {
                calls if calls.is_empty() => done(request.state, String::new()),
                calls => acting(calls.into_iter().enumerate().map(call).collect(), 2),
            },
            _ => {
                let results: Vec<String> = request.observations.iter().flat_map(results_of).collect();
                done(request.state, results.join("\n"))
            }
        };
        Ok(Response::new(decision))
    }

    async fn finalize(
        &self,
        request: Request<FinalizeRequest>,
    ) -> Result<Response<FinalizeResponse>, Status> {
        let request = request.into_inner();
        step_of(request.state.as_ref())?;
        let result =
            if request.truncated { "The limit was reached before the answer was complete." } else { "" };
        Ok(Response::new(FinalizeResponse { success: true, result: result.into(), ..Default::default() }))
    }
}

fn acting(actions: Vec<Action>, step: u8) -> ProcessIterationResponse {
    ProcessIterationResponse { success: true, actions, state: Some(state_of(step)), ..Default::default() }
}

fn done(state: Option<State>, result: String) -> ProcessIterationResponse {
    ProcessIterationResponse {
        success: true,
        done: true,
        finalized: true,
        result,
        state,
        ..Default::default()
    }
}

/// The calls that the model asks for; what kept it from answering ends the run.
fn calls_of(observations: &[Observation]) -> Result<Vec<ToolCall>, Status> {
    let mut calls = Vec::new();
    for observation in observations {
        match &observation.result {
            Some(Seen::Error(error)) => return Err(refused(Code::Aborted, "ASK_FAILED", error)),
            Some(Seen::Message(message)) => {
                calls.extend(message.parts.iter().filter_map(|part| match &part.content {
                    Some(Content::ToolCall(call)) => Some(call.clone()),
                    _ => None,
                }))
            }
            _ => {}
        }
    }
    Ok(calls)
}

fn call((place, call): (usize, ToolCall)) -> Action {
    Action { id: format!("tool-{}", place + 1), action: Some(action::Action::ToolCall(call)) }
}

fn results_of(observation: &Observation) -> Vec<String> {
    match &observation.result {
        Some(Seen::Error(error)) => vec![error.clone()],
        Some(Seen::ToolResult(result)) => {
            let texts = result.parts.iter().filter_map(|part| match &part.content {
                Some(Content::Text(text)) => Some(text.clone()),
                _ => None,
            });
            texts.collect()
        }
        _ => Vec::new(),
    }
}

fn state_of(step: u8) -> State {
    let data = serde_json::json!(Memory { step }).to_string().into();
    State { data, content_type: "application/json".into(), version: 1 }
}

fn step_of(state: Option<&State>) -> Result<u8, Status> {
    let memory =
        state.filter(|state| state.version == 1).map(|state| serde_json::from_slice::<Memory>(&state.data));
    match memory {
        Some(Ok(Memory { step: step @ 0..=2 })) => Ok(step),
        _ => Err(refused(
            Code::FailedPrecondition,
            "STATE_UNREADABLE",
            "the state is of another strategy or version: initialise again",
        )),
    }
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-reasoning", "1.0.0").reasoning(OneShot))
}

#[cfg(test)]
mod tests;
