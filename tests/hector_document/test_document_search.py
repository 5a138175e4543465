"""Passages are found by words and by likeness, in one store or several, even when one of them is away."""

import grpc
import pytest
from grpc import StatusCode

from hector.common.v1 import Filter, Value
from hector.document.v1 import SearchDocumentsRequest, SearchMode
from hector.vector.v1 import DatabaseProviderStub, DeleteCollectionRequest, VectorResult
from hector_document.config import SearchConfig
from hector_document.search import Question, Searched, search
from hector_mesh import HectorError, info_of

VECTOR, KEYWORD, HYBRID = (
    SearchMode.SEARCH_MODE_VECTOR,
    SearchMode.SEARCH_MODE_KEYWORD,
    SearchMode.SEARCH_MODE_HYBRID,
)

QUICKSTART = """# Quickstart

Hector runs agents from one YAML file. Hector needs nothing else, and Hector is free.

## Install

Get Python 3.11, then `pip install hector`. Hector brings all that Hector needs.

## Start

Run `hector serve` in any folder. It starts every role in one process and listens on port 8080.

## Ask

Type `hector call "What is Hector?"` in another terminal.
"""
MESH = """# The mesh

Hector is a mesh of services. When Hector starts, routes are decided once, whatever Hector serves.

## Health

How do I know that Hector is up? Ask `grpc.health.v1` of any role that listens.
"""
CONFIG = """# Configuration

Hector reads `hector.yaml`. Every key is checked when Hector starts, with all errors at once.

## Limits

`max_file_size` limits what is read; a larger document is reported.
"""


@pytest.fixture
def library(house):
    house.write("quickstart.md", QUICKSTART)
    house.write("mesh.md", MESH)
    house.write("configuration.md", CONFIG)
    for n in range(10):
        house.write(f"other/{n}.md", f"# Topic {n}\n\nHector also does thing number {n}.\n")
    return house


SMALL = {"chunking": {"size": 200, "min_size": 20}}


@pytest.mark.parametrize(
    ("question", "source", "says"),
    [
        ("How do I start Hector?", "docs/quickstart.md", "hector serve"),
        ("how to install it", "docs/quickstart.md", "pip install hector"),
        ("Is it healthy?", "docs/mesh.md", "grpc.health.v1"),
        ("maximum file size", "docs/configuration.md", "max_file_size"),
        ("max_file_size", "docs/configuration.md", "max_file_size"),
        ("quick start", "docs/quickstart.md", ""),
    ],
)
async def test_the_right_passage_comes_first(library, question: str, source: str, says: str) -> None:
    async with library.opened(docs=SMALL) as docs:
        found = (await docs.search(question))[0]
        assert found.source == source
        assert says in found.content


async def test_words_inside_of_a_heading_are_found(house) -> None:
    house.write("quickstart.md", "# Quickstart\n\nOne command starts it all: `hector serve`.\n")
    for n in range(5):
        house.write(f"{n}.md", f"# Page {n}\n\nNothing to see in this place, number {n}.\n")
    async with house.opened() as docs:
        assert (await docs.sources("How do I start it?", mode=KEYWORD))[0] == "docs/quickstart.md"


async def test_scores_mean_what_the_mode_says(library) -> None:
    async with library.opened(docs=SMALL) as docs:
        by_mode = {
            mode: await docs.search("hector serve role", mode=mode) for mode in (VECTOR, KEYWORD, HYBRID)
        }
        for passages in by_mode.values():
            scores = [passage.score for passage in passages]
            assert scores == sorted(scores, reverse=True)
        assert 0 < by_mode[VECTOR][0].score <= 1
        assert 0 < by_mode[HYBRID][0].score <= 1
        assert by_mode[KEYWORD][0].score > 0


async def test_limit_and_top_k_are_obeyed(library) -> None:
    async with library.opened(docs={**SMALL, "search": {"top_k": 3}}) as docs:
        assert len(await docs.search("hector")) == 3
        assert len(await docs.search("hector", limit=5)) == 5


async def test_a_threshold_of_zero_is_zero(library) -> None:
    """Contract: unset means as configured; zero is zero."""
    async with library.opened(docs={**SMALL, "search": {"threshold": 0.9, "mode": "vector"}}) as docs:
        assert await docs.search("hector health") == []
        everything = await docs.search("hector health", threshold=0)
        assert everything
        least = everything[2].score
        assert len(await docs.search("hector health", threshold=least)) == 3


async def test_a_filter_looks_at_where_passages_come_from(library) -> None:
    only = Filter.Compare(
        field="source_path", op=Filter.Compare.OP_CONTAINS, values=[Value(string_value="other/")]
    )
    async with library.opened() as docs:
        sources = await docs.sources("hector", filter=Filter(compare=only), limit=100)
        assert len(sources) == 10
        assert all(source.startswith("docs/other/") for source in sources)


async def test_several_stores_are_searched_as_one(house) -> None:
    house.write("animals/lemur.md", "Lemurs leap from tree to tree.")
    for n in range(5):
        house.write(f"tools/{n}.md", f"A hammer hits nails, number {n}.")
    stores = {name: {"source": {"path": f"docs/{name}"}} for name in ("animals", "tools")}
    async with house.opened(**stores) as docs:
        for mode in (VECTOR, KEYWORD, HYBRID):
            found = await docs.search("lemurs in a tree", mode=mode)
            assert (found[0].document_store, found[0].source) == ("animals", "docs/animals/lemur.md")
            assert (await docs.search("hammer nails", mode=mode))[0].document_store == "tools"
        chosen = await docs.search("lemur", document_stores=["tools"])
        assert {passage.document_store for passage in chosen} <= {"tools"}


class Away(HectorError):
    """Nobody answers."""

    code = StatusCode.UNAVAILABLE
    reason = "AWAY"


async def test_a_store_that_cannot_be_searched_does_not_silence_the_others(house) -> None:
    """Contract: failures name the stores; the others were searched."""
    house.write("a/lemur.md", "Lemurs leap.")
    house.write("b/otter.md", "Otters float with lemurs.")
    stores = {name: {"source": {"path": f"docs/{name}"}} for name in ("a", "b")}
    async with house.opened(**stores) as docs:
        database = DatabaseProviderStub(docs.mesh)
        await database.DeleteCollection(DeleteCollectionRequest(name="documents.a"), timeout=5)
        for mode in (VECTOR, KEYWORD, HYBRID):
            response = await docs.asked("lemurs", mode=mode)
            assert [passage.document_store for passage in response.passages] == ["b"]
            assert [failure.document_store for failure in response.failures] == ["a"]
            assert "documents.a" in response.failures[0].error


async def test_without_its_embedder_a_store_is_searched_by_words(house) -> None:
    house.write("a.md", "Lemurs leap.")
    async with house.opened() as docs:
        house.embedder.failure = Away("the embedder is out")
        response = await docs.asked("lemurs")
        assert [passage.source for passage in response.passages] == ["docs/a.md"]
        assert "the embedder is out" in response.failures[0].error
        assert not (await docs.asked("lemurs", mode=VECTOR)).passages


class NoWords(HectorError):
    """The store searches by vector alone."""

    code = StatusCode.UNIMPLEMENTED
    reason = "SEARCH_MODE_UNKNOWN"


class Wordless:
    """An embedder, and a vector store that cannot search by words."""

    name, is_lexical = "wordless", False

    async def of_query(self, text: str) -> bytes:
        return b"\0\0\0\0"

    async def near(self, *asked: object) -> list[VectorResult]:
        return [VectorResult(id="a", content="Lemurs leap.", score=0.5)]

    async def worded(self, *asked: object) -> list[VectorResult]:
        raise NoWords("not by words")


async def test_a_store_without_words_is_searched_by_meaning_alone_and_nobody_hears_of_it() -> None:
    store = Searched("a", SearchConfig(), Wordless(), Wordless())  # type: ignore[arg-type]
    passages, failures = await search(Question("lemurs"), [store])
    assert ([passage.content for passage in passages], failures) == (["Lemurs leap."], [])
    passages, failures = await search(Question("lemurs", mode=KEYWORD), [store])
    assert ([failure.error for failure in failures], passages) == (["not by words"], [])


@pytest.mark.parametrize(
    "query", ['"', "a AND (b", "*", "🚀", "\0", "'; DROP TABLE x; --", "the", "?", "日本語", "x " * 4999]
)
async def test_any_question_has_an_answer(library, query: str) -> None:
    async with library.opened() as docs:
        for mode in (VECTOR, KEYWORD, HYBRID):
            await docs.search(query, mode=mode)


@pytest.mark.parametrize(
    ("request_", "code"),
    [
        (SearchDocumentsRequest(query=" "), StatusCode.INVALID_ARGUMENT),
        (SearchDocumentsRequest(query="x" * 10_001), StatusCode.INVALID_ARGUMENT),
        (SearchDocumentsRequest(query="x", limit=100_000), StatusCode.INVALID_ARGUMENT),
        (SearchDocumentsRequest(query="x", document_stores=["none"]), StatusCode.NOT_FOUND),
    ],
)
async def test_what_cannot_be_searched_is_refused(house, request_, code: StatusCode) -> None:
    async with house.opened() as docs:
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await docs.stub.SearchDocuments(request_, timeout=5)
        assert refused.value.code() == code
        assert info_of(refused.value).reason


async def test_a_filter_that_means_nothing_is_an_error_of_the_store(library) -> None:
    async with library.opened() as docs:
        response = await docs.asked("hector", filter=Filter())
        assert not response.passages
        assert "filter" in response.failures[0].error
