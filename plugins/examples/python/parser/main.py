"""Reads tables of comma-separated values: a section for each row, with the names of its columns."""

import csv
import io

from hector.document.v1 import ParseDocumentRequest, Section
from hector_plugin import parser, serve
from hector_plugin.errors import DocumentUnreadable


@parser(".csv", mime_types=["text/csv"])
def table(document: ParseDocumentRequest) -> list[Section]:
    try:
        text = document.content.decode("utf-8-sig")
        rows = list(csv.reader(io.StringIO(text, newline="")))
    except (UnicodeDecodeError, csv.Error) as error:
        raise DocumentUnreadable(f"it is no table of comma-separated values: {error}") from None
    if not rows:
        return []
    names, *rest = rows
    return [
        Section(
            text="; ".join(f"{name}: {cell}" for name, cell in zip(names, row, strict=False)), start_line=line
        )
        for line, row in enumerate(rest, 2)
    ] or [Section(text="; ".join(names), start_line=1)]


if __name__ == "__main__":
    serve(name="example-parser", version="1.0.0")
