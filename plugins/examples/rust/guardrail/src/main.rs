//! A guardrail that takes the numbers of payment cards out of texts.
use std::sync::LazyLock;

use hector_plugin::hector::common::v1::{Part, part::Content};
use hector_plugin::hector::guardrail::v1::{guardrail_server::Guardrail, *};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait};
use hector_plugin::{Plugin, refused, serve};
use regex_lite::Regex;

static CARD: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"\b(?:\d[ -]?){12,18}\d\b").unwrap());

struct Cards;

#[async_trait]
impl Guardrail for Cards {
    async fn get_guardrail_info(
        &self,
        _: Request<GetGuardrailInfoRequest>,
    ) -> Result<Response<GetGuardrailInfoResponse>, Status> {
        let stages = [Stage::UserInput, Stage::ModelOutput, Stage::ToolResult];
        Ok(Response::new(GetGuardrailInfoResponse {
            stages: stages.map(i32::from).into(),
            ..Default::default()
        }))
    }

    async fn check_content(
        &self,
        request: Request<CheckContentRequest>,
    ) -> Result<Response<CheckContentResponse>, Status> {
        let request = request.into_inner();
        if request.stage == i32::from(Stage::Unspecified) {
            return Err(refused(Code::InvalidArgument, "NO_STAGE", "say the stage"));
        }
        let findings: Vec<Finding> =
            (0..).zip(&request.parts).flat_map(|(place, part)| found_in(place, part)).collect();
        Ok(Response::new(if findings.is_empty() {
            CheckContentResponse { verdict: Verdict::Allow.into(), ..Default::default() }
        } else {
            let parts = request.parts.into_iter().map(without_cards).collect();
            CheckContentResponse { verdict: Verdict::Modify.into(), findings, parts, ..Default::default() }
        }))
    }
}

fn found_in(place: u32, part: &Part) -> Vec<Finding> {
    let Some(Content::Text(text)) = &part.content else { return Vec::new() };
    let characters_before = |at: usize| text[..at].chars().count() as u32; // not bytes
    let findings = CARD.find_iter(text).map(|card| Finding {
        rule: "pii.card".into(),
        severity: Severity::High.into(),
        message: "the number of a payment card".into(),
        part: place,
        start: characters_before(card.start()),
        end: characters_before(card.end()),
    });
    findings.collect()
}

fn without_cards(mut part: Part) -> Part {
    if let Some(Content::Text(text)) = &mut part.content {
        *text = CARD.replace_all(text, "[card]").into_owned();
    }
    part
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-guardrail", "1.0.0").guardrail(Cards))
}

#[cfg(test)]
mod tests;
