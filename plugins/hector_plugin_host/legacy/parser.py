"""v1.9.9's DocumentParserService as today's: it reads files by their path, so it gets one."""

import asyncio
import json
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hector.document.v1 import (
    DocumentParserServicer,
    GetSupportedExtensionsRequest,
    GetSupportedExtensionsResponse,
    ParseDocumentRequest,
    ParseDocumentResponse,
)
from hector_mesh import Context

from .asking import Service, done
from .wire import message


class TranslatedParser(DocumentParserServicer):
    """Gives a plugin files to read."""

    def __init__(self, service: Service, folder: Path | None) -> None:
        """Prepare.

        Args:
            service: The plugin's.
            folder: Where files are put that it is to read; None: where temporary files are.
        """
        self._service, self._folder = service, folder

    async def ParseDocument(self, request: ParseDocumentRequest, context: Context) -> ParseDocumentResponse:
        with _as_file(request, self._folder) as path:
            asked = message("ParseDocumentRequest")(
                file_path=str(path),
                file_size=await asyncio.to_thread(_size, path),
                mime_type=request.mime_type,
            )
            answer = await done(self._service.ask("ParseDocument", asked, "ParseDocumentResponse"))
        facts = {entry.key: entry.value for entry in answer.metadata}
        return ParseDocumentResponse(
            success=True,
            content=answer.content,
            title=answer.title,
            author=answer.author,
            created=answer.created,
            modified=answer.modified,
            pages=answer.pages,
            word_count=answer.word_count,
            metadata_json=json.dumps(facts, ensure_ascii=False) if facts else "",
            warnings=answer.warnings,
        )

    async def GetSupportedExtensions(
        self, request: GetSupportedExtensionsRequest, context: Context
    ) -> GetSupportedExtensionsResponse:
        answer = await self._service.ask("GetSupportedExtensions", message("Empty")(), "Extensions")
        return GetSupportedExtensionsResponse(extensions=answer.extensions, mime_types=answer.mime_types)


@contextmanager
def _as_file(request: ParseDocumentRequest, folder: Path | None) -> Iterator[Path]:
    """Give a document's path, where it has none that of a file that is made for it."""
    if not request.content:
        yield Path(request.file_path)
        return
    name = Path(request.file_name or request.file_path or "document").name
    with tempfile.TemporaryDirectory(dir=folder, prefix="document-") as made:
        path = Path(made, name)
        path.write_bytes(request.content)
        yield path


def _size(path: Path) -> int:
    return path.stat().st_size
