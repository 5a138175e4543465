"""Who reads which document: a plugin by the file's extension, else the built-in parser."""

from collections.abc import Mapping
from dataclasses import dataclass
from mimetypes import guess_type
from pathlib import PurePosixPath

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.document.v1 import (
    DocumentParserStub,
    GetSupportedExtensionsRequest,
    ParseDocumentRequest,
    ParseDocumentResponse,
)
from hector_config.plugin_word import plugin_word
from hector_document.config import SourceConfig
from hector_document.errors import DocumentUnreadable
from hector_document.formats import extension_of
from hector_mesh import Mesh, info_of

PARSE_S = 300.0
"""Longest time for one document."""
LIST_S = 30.0


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a plugin made of a document: text, in which headings are written as in Markdown."""

    text: str
    warnings: tuple[str, ...] = ()


class Parsers:
    """The plugins that read documents for one store."""

    def __init__(self, store: str, config: SourceConfig, mesh: Mesh) -> None:
        self._store, self._config, self._mesh = store, config, mesh
        self._by_extension: dict[str, DocumentParserStub] = {}
        self._usual = self._stub(config.parser)
        self._named = {
            extension: stub
            for extension, word in config.parsers.items()
            if (stub := self._stub(word)) is not None
        }
        self._texts = frozenset(extension for extension, word in config.parsers.items() if word == "text")

    @property
    def words(self) -> Mapping[str, str]:
        """What the config says of parsers; {} where nothing but text is read."""
        usual = {} if self._usual is None else {"*": self._config.parser}
        return usual | self._config.parsers

    async def learn(self) -> frozenset[str]:
        """Ask the plugin that reads whatever it can what that is; return all extensions that plugins read.

        Raises:
            AioRpcError: It cannot be asked.
        """
        found: dict[str, DocumentParserStub] = {}
        if self._usual is not None:
            answer = await self._usual.GetSupportedExtensions(GetSupportedExtensionsRequest(), timeout=LIST_S)
            found = {_dotted(extension): self._usual for extension in answer.extensions}
        self._by_extension = {**found, **self._named}
        for extension in self._texts:
            self._by_extension.pop(extension, None)
        return frozenset(self._by_extension)

    def reads(self, document: str) -> bool:
        """Return whether a plugin reads a document of this name."""
        return extension_of(document) in self._by_extension

    async def parsed(self, document: str, content: bytes) -> Parsed:
        """Have a plugin read a document.

        Raises:
            DocumentUnreadable: The plugin cannot make anything of it.
            AioRpcError: The plugin cannot be asked.
        """
        request = ParseDocumentRequest(
            content=content,
            size_bytes=len(content),
            file_name=PurePosixPath(document).name,
            mime_type=guess_type(document)[0] or "",
        )
        try:
            answer = await self._by_extension[extension_of(document)].ParseDocument(request, timeout=PARSE_S)
        except AioRpcError as error:
            if error.code() is StatusCode.INVALID_ARGUMENT or info_of(error).reason == "DOCUMENT_UNREADABLE":
                raise DocumentUnreadable(f"its parser says: {error.details()}") from error
            raise
        if answer.error:
            raise DocumentUnreadable(f"its parser says: {answer.error}")
        return Parsed(text_of(answer), tuple(answer.warnings))

    def _stub(self, word: str) -> DocumentParserStub | None:
        found = plugin_word(word)
        if found is None:
            return None
        return DocumentParserStub(self._mesh.plugin(found.plugin, f"document_stores.{self._store}"))


def text_of(answer: ParseDocumentResponse) -> str:
    """Return the text of a document; where its parser tells parts apart, with their headings."""
    if not any(section.title for section in answer.sections):
        return answer.content or "\n\n".join(section.text for section in answer.sections)
    parts: list[str] = []
    for section in answer.sections:
        if section.title:
            parts.append(f"{'#' * min(max(section.level, 1), 6)} {' '.join(section.title.split())}")
        if section.text:
            parts.append(section.text.removeprefix(section.title).strip("\n"))
    return "\n\n".join(parts)


def _dotted(extension: str) -> str:
    return "." + extension.lower().lstrip(".")
