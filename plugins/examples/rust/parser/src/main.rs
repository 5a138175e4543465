//! A parser of tables of comma-separated values: a section for each row, with the names of its columns.
use csv::{ReaderBuilder, StringRecord};
use hector_plugin::hector::document::v1::{document_parser_server::DocumentParser, *};
use hector_plugin::tonic::{Code, Request, Response, Status, async_trait};
use hector_plugin::{Plugin, refused, serve, tokio::task::spawn_blocking};

struct Tables;

#[async_trait]
impl DocumentParser for Tables {
    async fn get_supported_extensions(
        &self,
        _: Request<GetSupportedExtensionsRequest>,
    ) -> Result<Response<GetSupportedExtensionsResponse>, Status> {
        Ok(Response::new(GetSupportedExtensionsResponse {
            extensions: vec![".csv".into()],
            mime_types: vec!["text/csv".into()],
            priority: 10,
        }))
    }

    async fn parse_document(
        &self,
        request: Request<ParseDocumentRequest>,
    ) -> Result<Response<ParseDocumentResponse>, Status> {
        let content = request.into_inner().content;
        // A large table takes its time, and other calls must not wait for it.
        let sections = spawn_blocking(move || sections_of(&content)).await;
        let sections = sections.map_err(|error| Status::internal(error.to_string()))??;
        let word_count = sections.iter().map(|section| section.text.split_whitespace().count() as u32).sum();
        Ok(Response::new(ParseDocumentResponse { success: true, sections, word_count, ..Default::default() }))
    }
}

fn sections_of(content: &[u8]) -> Result<Vec<Section>, Status> {
    let mut reader = ReaderBuilder::new().has_headers(false).flexible(true).from_reader(content);
    let rows: Result<Vec<StringRecord>, csv::Error> = reader.records().collect();
    let rows = rows.map_err(|error| {
        let sentence = format!("it is no table of comma-separated values in UTF-8: {error}");
        refused(Code::InvalidArgument, "DOCUMENT_UNREADABLE", sentence)
    })?;
    Ok(match rows.as_slice() {
        [] => Vec::new(),
        [only] => vec![section(only, only.iter().map(String::from))],
        [names, rest @ ..] => {
            let named = |(name, cell): (&str, &str)| format!("{name}: {cell}");
            rest.iter().map(|row| section(row, names.iter().zip(row).map(named))).collect()
        }
    })
}

fn section(row: &StringRecord, cells: impl Iterator<Item = String>) -> Section {
    let text = cells.collect::<Vec<_>>().join("; ");
    let start_line = row.position().map_or(0, |position| position.line() as u32);
    Section { text, start_line, ..Default::default() }
}

fn main() -> std::process::ExitCode {
    serve(Plugin::new("example-parser", "1.0.0").parser(Tables))
}

#[cfg(test)]
mod tests;
