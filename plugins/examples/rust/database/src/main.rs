//! A vector store in memory, compared with every record; put your own store in its place.
use std::collections::HashMap;
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use filter::holds;
use hector_plugin::hector::vector::v1::{database_provider_server::DatabaseProvider, *};
use hector_plugin::serde_json::{self, Value};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait};
use hector_plugin::{Plugin, refused, serve};

mod filter;

#[derive(Default)]
struct Store(RwLock<Collections>);

type Collections = HashMap<String, Collection>;

struct Collection {
    dimension: usize,
    metric: Metric,
    records: HashMap<String, Record>,
}

struct Record {
    vector: Vec<f32>,
    content: String,
    metadata_json: String,
    metadata: Value,
}

#[async_trait]
impl DatabaseProvider for Store {
    async fn create_collection(
        &self,
        request: Request<CreateCollectionRequest>,
    ) -> Result<Response<CreateCollectionResponse>, Status> {
        let CreateCollectionRequest { name, dimension, metric, .. } = request.into_inner();
        let (dimension, metric) = (dimension as usize, metric_of(metric)?);
        if name.is_empty() || dimension == 0 {
            return Err(invalid("a collection needs a name and a dimension"));
        }
        let mut collections = self.write();
        let asked = Collection { dimension, metric, records: HashMap::new() };
        let there = collections.entry(name.clone()).or_insert(asked);
        if (there.dimension, there.metric) != (dimension, metric) {
            let (dimension, metric) = (there.dimension, there.metric.as_str_name());
            let sentence = format!("{name} has {dimension} dimensions and the metric {metric}");
            return Err(refused(Code::FailedPrecondition, "COLLECTION_MISMATCH", sentence));
        }
        Ok(Response::new(CreateCollectionResponse { success: true, ..Default::default() }))
    }

    async fn delete_collection(
        &self,
        request: Request<DeleteCollectionRequest>,
    ) -> Result<Response<DeleteCollectionResponse>, Status> {
        self.write().remove(&request.get_ref().name);
        Ok(Response::new(DeleteCollectionResponse { success: true, ..Default::default() }))
    }

    async fn upsert_vectors(
        &self,
        request: Request<UpsertVectorsRequest>,
    ) -> Result<Response<UpsertVectorsResponse>, Status> {
        let request = request.into_inner();
        let mut collections = self.write();
        let there = collections.get_mut(&request.collection).ok_or_else(|| not_found(&request.collection))?;
        // All or nothing: the first that is wrong ends it before anything is kept.
        let records: Vec<(String, Record)> =
            request.vectors.into_iter().map(|given| there.record(given)).collect::<Result<_, _>>()?;
        let upserted = records.len() as u64;
        there.records.extend(records);
        Ok(Response::new(UpsertVectorsResponse { success: true, upserted, ..Default::default() }))
    }

    async fn search_vectors(
        &self,
        request: Request<SearchVectorsRequest>,
    ) -> Result<Response<SearchVectorsResponse>, Status> {
        let request = request.into_inner();
        let by_vector = request.mode == SearchMode::Vector as i32;
        if !by_vector && (request.mode != 0 || !request.text.is_empty()) {
            let sentence = "this store searches by vector, and not by words"; // the caller does without
            return Err(refused(Code::Unimplemented, "SEARCH_MODE_UNKNOWN", sentence));
        }
        let collections = self.read();
        let there = collections.get(&request.collection).ok_or_else(|| not_found(&request.collection))?;
        let query = there.floats(request.vector, &request.vector_f32)?;
        let mut found = Vec::new();
        for (id, record) in &there.records {
            let score = there.score(&query, &record.vector);
            if request.threshold.is_some_and(|threshold| score < threshold) {
                continue;
            }
            if request.filter.as_ref().map_or(Ok(true), |filter| holds(filter, &record.metadata))? {
                found.push((score, id, record));
            }
        }
        found.sort_by(|(one, id, _), (other, other_id, _)| {
            other.total_cmp(one).then_with(|| id.cmp(other_id))
        });
        let limit = if request.limit == 0 { 10 } else { request.limit as usize };
        let best = found.into_iter().skip(request.offset as usize).take(limit);
        let results = best.map(|(score, id, record)| VectorResult {
            id: id.clone(),
            score,
            content: record.content.clone(),
            metadata_json: if request.exclude_metadata {
                String::new()
            } else {
                record.metadata_json.clone()
            },
            vector_f32: if request.include_vectors { packed(&record.vector) } else { Vec::new() },
        });
        let results = results.collect();
        Ok(Response::new(SearchVectorsResponse { success: true, results, ..Default::default() }))
    }

    async fn delete_vectors(
        &self,
        request: Request<DeleteVectorsRequest>,
    ) -> Result<Response<DeleteVectorsResponse>, Status> {
        let request = request.into_inner();
        if request.ids.is_empty() && request.filter.is_none() {
            return Err(invalid("say which records to delete: ids or a filter"));
        }
        let mut collections = self.write();
        let there = collections.get_mut(&request.collection).ok_or_else(|| not_found(&request.collection))?;
        let mut doomed = request.ids;
        if let Some(filter) = &request.filter {
            for (id, record) in &there.records {
                if holds(filter, &record.metadata)? {
                    doomed.push(id.clone());
                }
            }
        }
        let deleted = doomed.iter().filter_map(|id| there.records.remove(id)).count() as u64;
        Ok(Response::new(DeleteVectorsResponse { success: true, deleted, ..Default::default() }))
    }
}

impl Store {
    fn read(&self) -> RwLockReadGuard<'_, Collections> {
        self.0.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Collections> {
        self.0.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Collection {
    fn record(&self, given: VectorRecord) -> Result<(String, Record), Status> {
        if given.id.is_empty() {
            return Err(invalid("every record needs an id"));
        }
        let vector = self.floats(given.vector, &given.vector_f32)?;
        let metadata = serde_json::from_str(&given.metadata_json).unwrap_or_default(); // what is no JSON has no fields
        let VectorRecord { id, content, metadata_json, .. } = given;
        Ok((id, Record { vector, content, metadata_json, metadata }))
    }

    /// A vector in either form; the packed one wins.
    fn floats(&self, plain: Vec<f32>, packed: &[u8]) -> Result<Vec<f32>, Status> {
        let (numbers, rest) = packed.as_chunks::<4>();
        if !rest.is_empty() {
            return Err(invalid("vector_f32 does not have four bytes for each number"));
        }
        let vector = match numbers {
            [] => plain,
            numbers => numbers.iter().map(|number| f32::from_le_bytes(*number)).collect(),
        };
        if vector.len() != self.dimension {
            return Err(invalid(format!("found {} dimensions, allowed: {}", vector.len(), self.dimension)));
        }
        Ok(vector)
    }

    /// How near two vectors are: higher is better, whatever the metric.
    fn score(&self, one: &[f32], other: &[f32]) -> f32 {
        let pairs = || one.iter().zip(other).map(|(one, other)| (f64::from(*one), f64::from(*other)));
        let dot: f64 = pairs().map(|(one, other)| one * other).sum();
        let score = match self.metric {
            Metric::Euclidean => -pairs().map(|(one, other)| (one - other).powi(2)).sum::<f64>().sqrt(),
            Metric::Dot => dot,
            Metric::Cosine | Metric::Unspecified => {
                let squares = pairs().fold((0.0_f64, 0.0_f64), |(left, right), (one, other)| {
                    (left + one * one, right + other * other)
                });
                let lengths = squares.0.sqrt() * squares.1.sqrt();
                if lengths == 0.0 { 0.0 } else { dot / lengths }
            }
        };
        score as f32
    }
}

fn metric_of(number: i32) -> Result<Metric, Status> {
    match Metric::try_from(number) {
        Ok(Metric::Unspecified) => Ok(Metric::Cosine),
        Ok(metric) => Ok(metric),
        Err(_) => Err(invalid(format!("there is no metric {number} here"))),
    }
}

fn packed(vector: &[f32]) -> Vec<u8> {
    vector.iter().flat_map(|number| number.to_le_bytes()).collect()
}

fn not_found(collection: &str) -> Status {
    refused(Code::NotFound, "COLLECTION_NOT_FOUND", format!("there is no collection {collection:?}"))
}

fn invalid(why: impl Into<String>) -> Status {
    refused(Code::InvalidArgument, "INVALID_ARGUMENT", why)
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-database", "1.0.0").database(Store::default()))
}

#[cfg(test)]
mod tests;
