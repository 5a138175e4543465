"""The built-in parser: text, Markdown and source code."""

import asyncio
import json
from bisect import bisect_right
from collections.abc import Iterator

from hector.document.v1 import (
    DocumentParserServicer,
    GetSupportedExtensionsRequest,
    GetSupportedExtensionsResponse,
    ParseDocumentRequest,
    ParseDocumentResponse,
    Section,
)
from hector_document.decode import decode
from hector_document.errors import DocumentRequestRefused
from hector_document.formats import EXTENSIONS, is_markdown
from hector_document.structure import Block, blocks_of, title_of
from hector_mesh import Context

PRIORITY = 1


class TextParser(DocumentParserServicer):
    """Reads what is sent to it; it opens no files."""

    async def ParseDocument(self, request: ParseDocumentRequest, context: Context) -> ParseDocumentResponse:
        if not request.content and (request.size_bytes or request.file_path):
            raise DocumentRequestRefused("the built-in parser opens no files; send the document in `content`")
        return await asyncio.to_thread(_parsed, request)

    async def GetSupportedExtensions(
        self, request: GetSupportedExtensionsRequest, context: Context
    ) -> GetSupportedExtensionsResponse:
        types = ["text/plain", "text/markdown", "text/csv", "application/json", "application/yaml"]
        return GetSupportedExtensionsResponse(
            extensions=sorted(EXTENSIONS), mime_types=types, priority=PRIORITY
        )


def _parsed(request: ParseDocumentRequest) -> ParseDocumentResponse:
    decoded = decode(request.content)
    text = decoded.text
    markdown = is_markdown(request.file_name) or request.mime_type == "text/markdown"
    blocks = blocks_of(text, markdown=markdown)
    return ParseDocumentResponse(
        success=True,
        content=text,
        title=title_of(text, blocks),
        word_count=len(text.split()),
        metadata_json=json.dumps({"encoding": decoded.encoding}),
        warnings=[decoded.warning] if decoded.warning else [],
        sections=_sections(text, blocks),
    )


def _sections(text: str, blocks: list[Block]) -> Iterator[Section]:
    feeds = [at for at, character in enumerate(text) if character == "\n"]
    starts = [n for n, block in enumerate(blocks) if block.kind == "heading" or n == 0]
    for start, following in zip(starts, [*starts, len(blocks)][1:], strict=True):
        first, last = blocks[start], blocks[following - 1]
        yield Section(
            title=first.path[-1] if first.kind == "heading" else "",
            text=text[first.start : last.end],
            level=first.level,
            start_line=bisect_right(feeds, first.start - 1) + 1,
            end_line=bisect_right(feeds, last.end - 2) + 1,
        )
