/** A parser of tables of comma-separated values: a section for each row, with the names of its columns. */
import { PluginError, service, status } from "@hector/plugin";
import { DocumentParser } from "@hector/plugin/document";
import { parse } from "csv-parse/sync";

export const tables = service(DocumentParser, {
  getSupportedExtensions: () => ({ extensions: [".csv"], mimeTypes: ["text/csv"], priority: 10 }),

  parseDocument({ content }) {
    const [names = [], ...rows] = rowsOf(content);
    const texts = rows.length > 0 ? rows.map((row) => sentence(names, row)) : names.slice(0, 1).map(() => names.join("; "));
    const sections = texts.map((text) => ({ text }));
    const wordCount = texts.reduce((sum, text) => sum + (text.match(/\S+/g)?.length ?? 0), 0);
    return { success: true, sections, wordCount };
  },
});

function rowsOf(content: Uint8Array): string[][] {
  try {
    const text = new TextDecoder("utf-8", { fatal: true }).decode(content);
    return parse(text, { relaxColumnCount: true, skipEmptyLines: true });
  } catch (error) {
    const message = `it is no table of comma-separated values in UTF-8: ${error instanceof Error ? error.message : error}`;
    throw new PluginError(status.INVALID_ARGUMENT, "DOCUMENT_UNREADABLE", message);
  }
}

function sentence(names: readonly string[], row: readonly string[]): string {
  return row.map((cell, at) => (at < names.length ? `${names[at]}: ${cell}` : cell)).join("; ");
}
