//! The parser, called as a host calls it, without a process.
use super::*;
use hector_plugin::hector::document::v1::document_parser_client::DocumentParserClient;
use hector_plugin::{testing::Running, tokio};

#[tokio::test(crate = "hector_plugin::tokio")]
async fn every_row_names_its_columns() {
    let running = Running::start(Plugin::new("example-parser", "1.0.0").parser(Tables), "{}").await.unwrap();
    let content = b"name,moons\nearth,1\nmars,2\n".to_vec();
    let document = ParseDocumentRequest { content, file_name: "planets.csv".into(), ..Default::default() };
    let parsed = DocumentParserClient::new(running.channel()).parse_document(document).await.unwrap();
    let found: Vec<(u32, &str)> =
        parsed.get_ref().sections.iter().map(|section| (section.start_line, section.text.as_str())).collect();
    assert_eq!(found, [(2, "name: earth; moons: 1"), (3, "name: mars; moons: 2")]);
}
