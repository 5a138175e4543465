"""A function as a document parser: `@parser`."""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from inspect import isawaitable, iscoroutinefunction
from typing import Any

from hector.document.v1 import (
    DocumentParserServicer,
    GetSupportedExtensionsRequest,
    GetSupportedExtensionsResponse,
    ParseDocumentRequest,
    ParseDocumentResponse,
    Section,
    StreamParseDocumentRequest,
    StreamParseDocumentResponse,
)
from hector_mesh import Context

from ._parts import Servable
from ._registry import declare
from ._threads import in_thread
from .errors import DocumentUnreadable

Parsed = str | ParseDocumentResponse | Sequence[Section]
Parses = Callable[[ParseDocumentRequest], Parsed | Awaitable[Parsed]]


class Parser(Servable):
    """A function that reads documents, and which ones it can read."""

    def __init__(self, parses: Parses, supported: GetSupportedExtensionsResponse) -> None:
        self._parses, self._supported = parses, supported

    def __call__(self, document: ParseDocumentRequest) -> Parsed | Awaitable[Parsed]:
        return self._parses(document)

    def servicer(self) -> DocumentParserServicer:
        return _Servicer(self._parses, self._supported)


def parser(
    *extensions: str, mime_types: Sequence[str] = (), priority: int = 10
) -> Callable[[Parses], Parser]:
    """Make a function a parser: of a ParseDocumentRequest it makes text, Sections or a whole response.

    Without `async` it runs in a thread. A DocumentUnreadable of it says that the bytes are no such document.

    Args:
        extensions: With the dot, in lower case: ".pdf".
        mime_types: As "application/pdf".
        priority: The higher one wins where several parsers read an extension; built-in ones have 1 and 5.
    """
    if not extensions or wrong(extensions):
        raise TypeError('name the extensions with their dot, in lower case: @parser(".csv")')
    supported = GetSupportedExtensionsResponse(
        extensions=extensions, mime_types=mime_types, priority=priority
    )
    return lambda parses: declare(Parser(parses, supported))


def wrong(extensions: Sequence[object]) -> list[object]:
    """Return what is no extension."""
    return [
        one
        for one in extensions
        if not (isinstance(one, str) and one.startswith(".") and one == one.lower() and len(one) > 1)
    ]


class _Servicer(DocumentParserServicer):
    def __init__(self, parses: Parses, supported: GetSupportedExtensionsResponse) -> None:
        self._parses, self._supported = parses, supported

    async def GetSupportedExtensions(
        self, request: GetSupportedExtensionsRequest, context: Context
    ) -> GetSupportedExtensionsResponse:
        return self._supported

    async def ParseDocument(self, request: ParseDocumentRequest, context: Context) -> ParseDocumentResponse:
        if iscoroutinefunction(self._parses):
            parsed: Any = await self._parses(request)
        else:
            parsed = await in_thread(self._parses, request)
            if isawaitable(parsed):
                parsed = await parsed
        if isinstance(parsed, str):
            parsed = ParseDocumentResponse(content=parsed)
        elif not isinstance(parsed, ParseDocumentResponse):
            parsed = ParseDocumentResponse(sections=parsed)
        response: ParseDocumentResponse = parsed
        response.success = not response.error
        response.word_count = response.word_count or _words(response)
        return response

    async def StreamParseDocument(
        self, request: StreamParseDocumentRequest, context: Context
    ) -> AsyncIterator[StreamParseDocumentResponse]:
        if not request.HasField("document"):
            raise DocumentUnreadable("there is no document in the request")
        parsed = await self.ParseDocument(request.document, context)
        for section in parsed.sections:
            yield StreamParseDocumentResponse(section=section)
        del parsed.sections[:]
        yield StreamParseDocumentResponse(result=parsed)


def _words(parsed: ParseDocumentResponse) -> int:
    texts = [parsed.content] if parsed.content else [section.text for section in parsed.sections]
    return sum(len(text.split()) for text in texts)
