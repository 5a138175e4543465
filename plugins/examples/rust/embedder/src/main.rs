//! An embedder whose vectors are hashes: they mean nothing, and are always the same.
use hector_plugin::hector::common::v1::TokenUsage;
use hector_plugin::hector::embedder::v1::{embedder_provider_server::EmbedderProvider, *};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait};
use hector_plugin::{Plugin, refused, serve};
use sha2::{Digest, Sha256};

const DIMENSIONS: u32 = 8;
const MAX_BATCH: usize = 128;

struct Hash;

#[async_trait]
impl EmbedderProvider for Hash {
    async fn embed_text(
        &self,
        request: Request<EmbedTextRequest>,
    ) -> Result<Response<EmbedTextResponse>, Status> {
        let request = request.into_inner();
        check(&request.model, request.dimensions)?;
        let vector_f32 = vector_of(&request.text, "the text")?;
        let usage = Some(usage_of(&[request.text]));
        Ok(Response::new(EmbedTextResponse { success: true, vector_f32, usage, ..Default::default() }))
    }

    async fn embed_batch(
        &self,
        request: Request<EmbedBatchRequest>,
    ) -> Result<Response<EmbedBatchResponse>, Status> {
        let request = request.into_inner();
        check(&request.model, request.dimensions)?;
        if request.texts.len() > MAX_BATCH {
            let count = request.texts.len();
            return Err(embedding_refused(format!(
                "{count} texts are too many for one call; {MAX_BATCH} are taken"
            )));
        }
        let mut embeddings = Vec::with_capacity(request.texts.len());
        for (place, text) in request.texts.iter().enumerate() {
            let vector_f32 = vector_of(text, &format!("texts[{place}]"))?;
            embeddings.push(Embedding { vector_f32, ..Default::default() });
        }
        let usage = Some(usage_of(&request.texts));
        Ok(Response::new(EmbedBatchResponse { success: true, embeddings, usage, ..Default::default() }))
    }

    async fn get_dimensions(
        &self,
        request: Request<GetDimensionsRequest>,
    ) -> Result<Response<GetDimensionsResponse>, Status> {
        check(&request.get_ref().model, 0)?;
        Ok(Response::new(GetDimensionsResponse {
            dimensions: DIMENSIONS,
            max_batch: MAX_BATCH as u32,
            normalized: true,
            fingerprint: "sha256-8".into(),
            ..Default::default()
        }))
    }
}

fn check(model: &str, dimensions: u32) -> Result<(), Status> {
    if !["", "hash"].contains(&model) {
        let sentence = format!("there is no model {model:?} here; there is hash");
        return Err(refused(Code::NotFound, "MODEL_NOT_FOUND", sentence));
    }
    if ![0, DIMENSIONS].contains(&dimensions) {
        return Err(embedding_refused(format!(
            "vectors have {DIMENSIONS} dimensions here, not {dimensions}"
        )));
    }
    Ok(())
}

fn vector_of(text: &str, place: &str) -> Result<Vec<u8>, Status> {
    if text.trim().is_empty() {
        return Err(embedding_refused(format!("{place} says nothing")));
    }
    let digest = Sha256::digest(text);
    let numbers = digest.chunks_exact(4).map(|four| u32::from_be_bytes([four[0], four[1], four[2], four[3]]));
    let vector: Vec<f64> = numbers.map(|number| f64::from(number) / 4_294_967_296.0 - 0.5).collect();
    let length = vector.iter().map(|value| value * value).sum::<f64>().sqrt();
    Ok(vector.iter().flat_map(|value| ((value / length) as f32).to_le_bytes()).collect())
}

fn usage_of(texts: &[String]) -> TokenUsage {
    let words = texts.iter().map(|text| text.split_whitespace().count() as i64).sum();
    TokenUsage { prompt_tokens: words, total_tokens: words, ..Default::default() }
}

fn embedding_refused(sentence: String) -> Status {
    refused(Code::InvalidArgument, "EMBEDDING_REFUSED", sentence)
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-embedder", "1.0.0").embedder(Hash))
}

#[cfg(test)]
mod tests;
