"""PA: document parsers."""

import functools
import io
import time
import zipfile
import zlib

from grpc import StatusCode

from hector.document.v1 import (
    DocumentParserStub,
    GetSupportedExtensionsRequest,
    ParseDocumentRequest,
    ParseDocumentResponse,
    StreamParseDocumentRequest,
)
from hector.plugin.v1 import PLUGIN_KIND_DOCUMENT_PARSER as PARSER

from ..checks import MUST, Broken, NotApplicable, check  # noqa: TID252
from ..kinds import SAMPLES, document  # noqa: TID252
from ..stage import Stage  # noqa: TID252

LINES = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 10))
XML_BOMB = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x0 "lol">{LINES}]><b>&x9;</b>'.encode()
"""A thousand million times "lol"."""


@check(
    "PA1",
    MUST,
    "it says what it reads",
    kind=PARSER,
    rule='GetSupportedExtensions lists extensions with their dot in lower case, as ".pdf", each once',
    mend='write ".pdf", and not "pdf" or ".PDF"',
)
async def what_it_reads(stage: Stage) -> None:
    found = await _extensions(stage)
    if not found or len(set(found)) != len(found):
        raise Broken(f"the extensions are {found}")
    for extension in found:
        if not extension.startswith(".") or extension != extension.lower() or len(extension) < 2:
            raise Broken(f"the extension {extension!r}")


@check(
    "PA2",
    MUST,
    "it reads a document from its bytes",
    kind=PARSER,
    rule="with `content` and `file_name` alone a good document comes back as text, in content or in "
    "sections; the same twice",
    mend="read `content`; file_path is empty for a plugin in a sandbox or on another machine",
)
async def reads(stage: Stage) -> None:
    first, again = await _parsed(stage), await _parsed(stage)
    if not _text(first).strip():
        raise Broken("it came without text")
    if _text(first) != _text(again):
        raise Broken("two answers differ")


@check(
    "PA3",
    MUST,
    "what it streams is what it returns",
    kind=PARSER,
    rule="StreamParseDocument is UNIMPLEMENTED, or gives the same text, and exactly one result, the last",
    mend="send the sections first, then one result without sections",
)
async def streams(stage: Stage) -> None:
    plugin = await stage.shared()
    whole = await _parsed(stage)
    request = StreamParseDocumentRequest(document=await _document(stage))
    found = await plugin.streamed(DocumentParserStub, "StreamParseDocument", request)
    if found.code is StatusCode.UNIMPLEMENTED:
        raise NotApplicable("it leaves StreamParseDocument out")
    if found.code is not StatusCode.OK:
        raise Broken(str(found))
    events = [message.WhichOneof("event") for message in found.response]
    if events.count("result") != 1 or events[-1] != "result":
        raise Broken(f"the messages are {', '.join(map(str, events)) or 'none'}")
    result = found.response[-1].result
    sections = [message.section for message in found.response[:-1]]
    text = result.content or "\n".join(section.text for section in sections)
    if text.split() != _text(whole).split():
        raise Broken(f"streamed: {text[:80]!r}; whole: {_text(whole)[:80]!r}")


@check(
    "PA4",
    MUST,
    "what is no document does no harm",
    kind=PARSER,
    rule="bytes that are no such document, or none, are INVALID_ARGUMENT, or are read with warnings; the "
    "parser lives on",
    mend="catch what your library raises: DOCUMENT_UNREADABLE with INVALID_ARGUMENT",
)
async def nonsense(stage: Stage) -> None:
    plugin = await stage.shared()
    for extension in await _extensions(stage):
        for content in (b"", b"\x00\xff\xfe nonsense" * 50, b"PK\x03\x04 broken", SAMPLES[".md"][:-3]):
            request = ParseDocumentRequest(
                content=content, file_name=f"broken{extension}", size_bytes=len(content)
            )
            found = await plugin.answer(DocumentParserStub, "ParseDocument", request)
            plugin.sent = f"ParseDocument broken{extension} with {content[:12]!r}"
            if found.code not in (StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED):
                raise Broken(str(found))
    await plugin.still_lives("documents that are none")


@check(
    "PA5",
    MUST,
    "a bomb does no harm",
    kind=PARSER,
    rule="an archive that unpacks to 600 MiB, and XML that would to gigabytes, are refused or read in the "
    "time of "
    "a call; the parser lives on",
    mend="limit what is unpacked; parse XML without entities",
)
async def bombs(stage: Stage) -> None:
    plugin = await stage.shared()
    for extension in await _extensions(stage):
        for name, content in (("zip", zip_bomb()), ("XML", XML_BOMB)):
            request = ParseDocumentRequest(
                content=content, file_name=f"bomb{extension}", size_bytes=len(content)
            )
            begun = time.monotonic()
            found = await plugin.answer(
                DocumentParserStub, "ParseDocument", request, timeout_s=plugin.timeout_s
            )
            plugin.sent = f"ParseDocument bomb{extension}: {name} of {len(content):,} bytes"
            if found.code is StatusCode.DEADLINE_EXCEEDED:
                raise Broken(f"nothing within {time.monotonic() - begun:.0f} s")
            await plugin.still_lives(plugin.sent)


@functools.cache
def zip_bomb() -> bytes:
    """Return a small archive that holds 600 MiB of zeros as parts of office files."""
    packed = io.BytesIO()
    block = zlib.compress(bytes(1 << 20))
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        for part in ("word/document.xml", "xl/workbook.xml", "ppt/presentation.xml"):
            with archive.open(part, "w") as file:
                for _ in range(200):
                    file.write(zlib.decompress(block))
    return packed.getvalue()


async def _extensions(stage: Stage) -> list[str]:
    plugin = await stage.shared()
    found = await plugin.call(DocumentParserStub, "GetSupportedExtensions", GetSupportedExtensionsRequest())
    return list(found.extensions)


async def _document(stage: Stage) -> ParseDocumentRequest:
    found = await document(await stage.shared(), stage.subject)
    if not found.content:
        raise NotApplicable("there is no sample of what it reads: give one with --sample FILE")
    return found


async def _parsed(stage: Stage) -> ParseDocumentResponse:
    plugin = await stage.shared()
    answer: ParseDocumentResponse = await plugin.call(
        DocumentParserStub, "ParseDocument", await _document(stage)
    )
    if answer.error:
        raise Broken(f"error: {answer.error}")
    return answer


def _text(parsed: ParseDocumentResponse) -> str:
    return parsed.content or "\n".join(section.text for section in parsed.sections)
