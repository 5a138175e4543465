//! The store, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::vector::v1::database_provider_client::DatabaseProviderClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn what_is_nearest_is_found_first() {
    let plugin = Plugin::new("example-database", "1.0.0").database(Store::default());
    let running = Running::start(plugin, "{}").await.unwrap();
    let mut store = DatabaseProviderClient::new(running.channel());
    let places = CreateCollectionRequest { name: "places".into(), dimension: 2, ..Default::default() };
    store.create_collection(places).await.unwrap();
    let vectors = vec![place("east", [1.0, 0.0]), place("north", [0.0, 1.0])];
    let put = UpsertVectorsRequest { collection: "places".into(), vectors, ..Default::default() };
    store.upsert_vectors(put).await.unwrap();
    let search =
        SearchVectorsRequest { collection: "places".into(), vector: vec![0.1, 0.9], ..Default::default() };
    let found = store.search_vectors(search).await.unwrap().into_inner().results;
    let names: Vec<&str> = found.iter().map(|result| result.id.as_str()).collect();
    assert_eq!(names, ["north", "east"]);

    let words =
        SearchVectorsRequest { collection: "places".into(), text: "north".into(), ..Default::default() };
    assert_eq!(store.search_vectors(words).await.unwrap_err().code(), Code::Unimplemented);

    let filter = Some(Default::default()); // without a node, as one of a newer contract looks
    let doomed = DeleteVectorsRequest { collection: "places".into(), filter, ..Default::default() };
    assert_eq!(store.delete_vectors(doomed).await.unwrap_err().code(), Code::Unimplemented);
}

fn place(id: &str, vector: [f32; 2]) -> VectorRecord {
    VectorRecord { id: id.into(), vector: vector.into(), ..Default::default() }
}
