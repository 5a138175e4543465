"""PA: document parsers."""

import asyncio
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
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.kinds import SAMPLES, document
from hector_plugin.conformance.samples import read
from hector_plugin.conformance.stage import Stage

LINES = "".join(f'<!ENTITY x{n} "{f"&x{n - 1};" * 10}">' for n in range(1, 10))
XML_BOMB = f'<?xml version="1.0"?><!DOCTYPE b [<!ENTITY x0 "lol">{LINES}]><b>&x9;</b>'.encode()
"""A thousand million times "lol"."""

REFUSED = (StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.UNIMPLEMENTED)
"""What a document that cannot be read may come to; OK is what could be read of it."""


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
            if found.code not in REFUSED:
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
            if found.code not in (*REFUSED, StatusCode.RESOURCE_EXHAUSTED):
                raise Broken(str(found))


@check(
    "PA6",
    MUST,
    "what it says about a document can be used",
    kind=PARSER,
    rule="metadata_json is empty or a JSON object, of the document and of each section; end_line is not "
    "before start_line, and no page is behind the last; where it worked, `error` is empty",
    mend="look at the answer as it is printed by `hector plugin call`",
)
async def facts(stage: Stage) -> None:
    found = await _parsed(stage)
    for what, text in (
        ("metadata_json", found.metadata_json),
        *(
            (f"metadata_json of section {at}", section.metadata_json)
            for at, section in enumerate(found.sections)
        ),
    ):
        if not isinstance(read(text), dict):
            raise Broken(f"{what} is no JSON object: {text[:120]!r}")
    for at, section in enumerate(found.sections):
        if section.end_line and section.end_line < section.start_line:
            raise Broken(f"section {at} is on the lines {section.start_line} to {section.end_line}")
        if found.pages and section.page > found.pages:
            raise Broken(f"section {at} is on page {section.page} of {found.pages}")


@check(
    "PA7",
    SHOULD,
    "a name in capitals is the same document",
    kind=PARSER,
    rule="SAMPLE.TXT is read as sample.txt is: hosts choose a parser by the ending in lower case",
    mend="compare the ending in lower case",
)
async def capitals(stage: Stage) -> None:
    request = await _document(stage)
    whole = await _parsed(stage)
    request.file_name = request.file_name.upper()
    found = await (await stage.shared()).answer(DocumentParserStub, "ParseDocument", request)
    if found.code is not StatusCode.OK or found.response.error:
        raise Broken(str(found), f"ParseDocument of {request.file_name}")
    if _text(found.response) != _text(whole):
        raise Broken("another text", f"ParseDocument of {request.file_name}")


@check(
    "PA8",
    MUST,
    "documents that are read at once do not mix",
    kind=PARSER,
    rule="sixteen documents at once, good ones and broken ones, each come to what they come to alone",
    mend="keep what belongs to a document in its call; libraries that are not thread-safe want a lock",
)
async def side_by_side(stage: Stage) -> None:
    plugin = await stage.shared()
    good = await _document(stage)
    half = ParseDocumentRequest()
    half.CopyFrom(good)
    half.content = good.content[: len(good.content) // 2]
    half.size_bytes = len(half.content)

    async def come_to(request: ParseDocumentRequest) -> tuple[StatusCode, str]:
        found = await plugin.answer(DocumentParserStub, "ParseDocument", request)
        return found.code, _text(found.response) if found.code is StatusCode.OK else ""

    alone = [await come_to(good), await come_to(half)]
    together = await asyncio.gather(*(come_to((good, half)[number % 2]) for number in range(16)))
    for number, found in enumerate(together):
        if found != alone[number % 2]:
            came = f"{found[0].name} {found[1][:80]!r}; alone it was {alone[number % 2][0].name}"
            raise Broken(f"{came} {alone[number % 2][1][:80]!r}", "ParseDocument, sixteen at once")


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
