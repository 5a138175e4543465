//! The embedder, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::embedder::v1::embedder_provider_client::EmbedderProviderClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn the_same_text_has_the_same_vector() {
    let running =
        Running::start(Plugin::new("example-embedder", "1.0.0").embedder(Hash), "{}").await.unwrap();
    let mut embedder = EmbedderProviderClient::new(running.channel());
    let one = EmbedTextRequest { text: "straße".into(), ..Default::default() };
    let one = embedder.embed_text(one).await.unwrap().into_inner().vector_f32;
    let both = EmbedBatchRequest { texts: vec!["straße".into(), "road".into()], ..Default::default() };
    let both = embedder.embed_batch(both).await.unwrap().into_inner().embeddings;
    assert_eq!(one.len(), 4 * DIMENSIONS as usize);
    assert_eq!(both[0].vector_f32, one);
    assert_ne!(both[1].vector_f32, one);
}
