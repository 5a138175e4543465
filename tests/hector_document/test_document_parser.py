"""The built-in parser, asked as a plugin would be."""

import json

import grpc
import pytest
from grpc import StatusCode

from hector.document.v1 import (
    DocumentParserStub,
    GetSupportedExtensionsRequest,
    ParseDocumentRequest,
    StreamParseDocumentRequest,
)
from hector_document import DocumentSection, build
from hector_document.globs import Globs
from hector_mesh import info_of


@pytest.fixture
async def parser(mesh_under_test) -> DocumentParserStub:
    await mesh_under_test.serve(build(DocumentSection(), mesh_under_test.mesh).register)
    return DocumentParserStub(mesh_under_test.mesh)


async def test_markdown_comes_back_in_sections_with_lines(parser: DocumentParserStub) -> None:
    text = "preface\n\n# Title\n\nintro\n\n## Part\n\nbody\n"
    request = ParseDocumentRequest(content=text.encode(), file_name="a.md")
    found = await parser.ParseDocument(request, timeout=5)
    assert found.success
    assert (found.title, found.content, found.word_count) == ("Title", text, 7)
    assert json.loads(found.metadata_json) == {"encoding": "utf-8"}
    shown = [(each.title, each.level, each.start_line, each.end_line) for each in found.sections]
    assert shown == [("", 0, 1, 2), ("Title", 1, 3, 6), ("Part", 2, 7, 9)]
    assert "".join(each.text for each in found.sections) == text


async def test_text_is_one_section(parser: DocumentParserStub) -> None:
    request = ParseDocumentRequest(content=b"# no heading\n\nhere", file_name="a.py")
    found = await parser.ParseDocument(request, timeout=5)
    assert [(each.title, each.start_line, each.end_line) for each in found.sections] == [("", 1, 3)]


async def test_a_guess_comes_with_a_warning(parser: DocumentParserStub) -> None:
    request = ParseDocumentRequest(content="Köln".encode("latin-1"), file_name="a.txt")
    found = await parser.ParseDocument(request, timeout=5)
    assert found.content == "Köln"
    assert "not UTF-8" in found.warnings[0]


async def test_nothing_in_nothing_out(parser: DocumentParserStub) -> None:
    found = await parser.ParseDocument(ParseDocumentRequest(file_name="a.md"), timeout=5)
    assert found.success
    assert not found.content


async def test_a_broken_document_is_unreadable(parser: DocumentParserStub) -> None:
    """Contract: INVALID_ARGUMENT with reason DOCUMENT_UNREADABLE."""
    with pytest.raises(grpc.aio.AioRpcError) as broken:
        await parser.ParseDocument(ParseDocumentRequest(content=b"%PDF\x00", file_name="a.txt"), timeout=5)
    assert broken.value.code() == StatusCode.INVALID_ARGUMENT
    assert info_of(broken.value).reason == "DOCUMENT_UNREADABLE"


async def test_it_opens_no_files(parser: DocumentParserStub) -> None:
    """Ours: a caller in the mesh must not read what it has no right to."""
    with pytest.raises(grpc.aio.AioRpcError, match="opens no files"):
        await parser.ParseDocument(ParseDocumentRequest(file_path="/etc/hostname"), timeout=5)


async def test_it_says_what_it_reads_and_leaves_streaming_to_others(parser: DocumentParserStub) -> None:
    found = await parser.GetSupportedExtensions(GetSupportedExtensionsRequest(), timeout=5)
    assert {".md", ".txt", ".py"} <= set(found.extensions)
    assert found.priority == 1
    with pytest.raises(grpc.aio.AioRpcError) as missing:
        await parser.StreamParseDocument(StreamParseDocumentRequest(), timeout=5).read()
    assert missing.value.code() == StatusCode.UNIMPLEMENTED


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("*.md", "a.md", True),
        ("*.md", "x/y/a.md", True),
        ("*.md", "a.mdx", False),
        ("docs/*.md", "docs/a.md", True),
        ("docs/*.md", "docs/x/a.md", False),
        ("docs/**/*.md", "docs/a.md", True),
        ("docs/**/*.md", "docs/x/y/a.md", True),
        ("**/test_*", "a/test_b.py", True),
        ("./docs/**", "docs/x/a", True),
        ("/docs/a.md", "docs/a.md", True),
        ("a?.md", "ab.md", True),
        ("a?.md", "a/.md", False),
        ("*.{md,txt}", "a.txt", True),
        ("*.{md,txt}", "a.rst", False),
        ("[ab].md", "b.md", True),
        ("[!ab].md", "b.md", False),
        ("a.b+c(d).md", "a.b+c(d).md", True),
        ("{unclosed", "{unclosed", False),
        ("x[", "x[", True),
    ],
)
def test_globs(pattern: str, path: str, matches: bool) -> None:
    assert Globs([pattern]).match(path) is matches
