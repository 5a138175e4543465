"""`search`: passages with what to cite, and a plain word on what could not be searched."""

import json

import grpc
import pytest
from grpc import StatusCode

from hector.document.v1 import (
    INDEX_STATE_BUILDING,
    INDEX_STATE_CURRENT,
    INDEX_STATE_FAILED,
    GetIndexStatusResponse,
    IndexStatus,
    Passage,
    SearchDocumentsResponse,
    StoreFailure,
)
from hector.tool.v1 import DocumentScope, ToolContext, ToolProviderStub
from hector_mesh import Call, HectorError, info_of
from hector_mesh import scope as as_caller
from hector_tool import ToolSection, build, default_tools


class StoreGone(HectorError):
    code = StatusCode.UNAVAILABLE
    reason = "VECTOR_STORE_UNREACHABLE"


def passage(number=1, store="handbook", **more) -> Passage:
    lines = {"start_line": number * 10, "end_line": number * 10 + 5} | more
    return Passage(
        document=f"d{number}", document_store=store, content=f"Text {number}.\n", score=1 / number,
        source=f"guide/{number}.md", title=f"Chapter {number}", **lines,
    )  # fmt: skip


def scope(*stores) -> ToolContext:
    return ToolContext(documents=DocumentScope(document_stores=stores))


@pytest.mark.parametrize(("stores", "asked"), [(("handbook",), [["handbook"]]), ((), []), (None, [[]])])
async def test_who_asks_for_an_agent_searches_what_the_agent_may(every, call, documents, stores, asked):
    with as_caller(Call(documents=stores)):
        said = await call(every, "search", query="how")
        if stores is not None:
            with pytest.raises(grpc.aio.AioRpcError, match="no document store 'secrets' here"):
                await call(every, "search", query="how", stores=["secrets"])
    assert said.success
    assert [list(request.document_stores) for request in documents.asked] == asked


async def test_every_hit_is_headed_by_what_to_cite(every, call, documents):
    documents.found = SearchDocumentsResponse(passages=[passage(1), passage(2)])
    said = await call(every, "search", query="how")
    assert said.success
    assert said.result == ("[guide/1.md:10-15] Chapter 1\nText 1.\n\n[guide/2.md:20-25] Chapter 2\nText 2.\n")
    assert json.loads(said.structured_json) == {
        "query": "how",
        "total": 2,
        "hits": [
            {
                "document_store": "handbook", "document": f"d{number}", "source": f"guide/{number}.md",
                "title": f"Chapter {number}", "start_line": number * 10, "end_line": number * 10 + 5,
                "score": 1 / number, "content": f"Text {number}.\n",
            }
            for number in (1, 2)
        ],
    }  # fmt: skip


async def test_a_source_without_lines_is_cited_by_its_name(every, call, documents):
    documents.found = SearchDocumentsResponse(passages=[passage(start_line=0, end_line=0)])
    assert (await call(every, "search", query="how")).result.startswith("[guide/1.md] Chapter 1\n")


async def test_hits_of_several_stores_say_which(every, call, documents):
    documents.found = SearchDocumentsResponse(passages=[passage(1), passage(2, store="wiki")])
    assert "[guide/2.md:20-25] Chapter 2 (wiki)\n" in (await call(every, "search", query="how")).result


async def test_nothing_found_is_a_sentence(every, call):
    said = await call(every, "search", query="unicorns")
    assert said.success
    assert said.result == "Nothing in the documents matches 'unicorns'."
    assert json.loads(said.structured_json)["total"] == 0


async def test_without_a_limit_the_documents_own_counts(every, call, documents):
    await call(every, "search", query="a")
    await call(every, "search", query="a", limit=7)
    assert [request.limit for request in documents.asked] == [0, 7]


async def test_the_configured_limit_is_the_most_that_can_be_asked_for(serve, call, documents):
    tools = await serve({"search": {"max_limit": 3}})
    documents.found = SearchDocumentsResponse(passages=[passage(number) for number in range(1, 10)])
    assert json.loads((await call(tools, "search", query="a")).structured_json)["total"] == 3
    with pytest.raises(grpc.aio.AioRpcError, match="less than or equal to 3"):
        await call(tools, "search", query="a", limit=4)


@pytest.mark.parametrize(
    ("context", "wanted", "asked"),
    [
        (None, None, []),
        (None, ["wiki"], ["wiki"]),
        (ToolContext(session="s"), None, []),
        (scope("handbook", "wiki"), None, ["handbook", "wiki"]),
        (scope("handbook", "wiki"), [], ["handbook", "wiki"]),
        (scope("handbook", "wiki"), ["wiki", "wiki"], ["wiki"]),
    ],
)
async def test_the_stores_asked_are_those_in_scope(every, call, documents, context, wanted, asked):
    await call(every, "search", context, query="a", **({} if wanted is None else {"stores": wanted}))
    assert list(documents.asked[0].document_stores) == asked


@pytest.mark.parametrize("context", [scope("handbook"), scope()])
async def test_a_store_out_of_scope_is_not_there(every, call, documents, context):
    with pytest.raises(grpc.aio.AioRpcError, match="no document store 'payroll' here") as failed:
        await call(every, "search", context, query="a", stores=["payroll"])
    assert info_of(failed.value).reason == "TOOL_DENIED"
    assert not documents.asked


async def test_an_agent_without_documents_searches_nothing(every, call, documents):
    said = await call(every, "search", scope(), query="a")
    assert said.result == "This agent has no documents to search."
    assert not documents.asked


async def test_stores_that_failed_are_named_beside_what_was_found(every, call, documents):
    failure = StoreFailure(document_store="wiki", error="it is down")
    documents.found = SearchDocumentsResponse(passages=[passage()], failures=[failure])
    said = await call(every, "search", query="a")
    assert said.success
    assert said.result.startswith("[The store wiki could not be searched: it is down]\n\n[guide/1.md:10-15]")


@pytest.mark.parametrize("context", [None, scope("wiki")])
async def test_where_no_store_could_be_searched_nobody_says_that_nothing_matches(
    every, call, documents, context
):
    failure = StoreFailure(document_store="wiki", error="it is down")
    documents.found = SearchDocumentsResponse(failures=[failure])
    said = await call(every, "search", context, query="a")
    assert not said.success
    assert said.error == "the documents cannot be searched: wiki: it is down"


async def test_what_some_stores_do_not_have_others_may(every, call, documents):
    failure = StoreFailure(document_store="wiki", error="it is down")
    documents.found = SearchDocumentsResponse(failures=[failure])
    documents.statuses = GetIndexStatusResponse(
        statuses=[IndexStatus(document_store=name, state=INDEX_STATE_CURRENT) for name in ("wiki", "done")]
    )
    said = await call(every, "search", query="a")
    assert said.success
    assert said.result == (
        "[The store wiki could not be searched: it is down]\n\nNothing in what could be searched matches 'a'."
    )


async def test_an_index_that_is_being_built_is_mentioned_where_it_matters(every, call, documents):
    documents.statuses = GetIndexStatusResponse(
        statuses=[
            IndexStatus(
                document_store="handbook", state=INDEX_STATE_BUILDING, documents_total=9, documents_indexed=4
            ),
            IndexStatus(document_store="wiki", state=INDEX_STATE_FAILED, error="the source is gone"),
            IndexStatus(document_store="done", state=INDEX_STATE_CURRENT),
        ]
    )
    said = (await call(every, "search", query="a")).result
    assert "handbook is still being built (4 of 9 documents so far)" in said
    assert "The index of wiki may be out of date: the source is gone" in said
    assert "done" not in said
    assert "handbook" not in (await call(every, "search", scope("done"), query="a")).result


async def test_documents_whose_state_is_unknown_are_searched_all_the_same(every, call, documents):
    documents.statuses = StoreGone("no state")
    documents.found = SearchDocumentsResponse(passages=[passage()])
    assert (await call(every, "search", query="a")).success


async def test_documents_that_cannot_be_searched_are_a_failure_the_model_sees(every, call, documents):
    documents.failure = StoreGone("the vector store cannot be reached")
    said = await call(every, "search", query="a")
    assert not said.success
    assert said.error == "the documents cannot be searched: the vector store cannot be reached"


async def test_what_would_be_too_long_to_show_is_left_out_and_said(serve, call, documents):
    tools = await serve({"search": {"max_output_size": "4KiB"}})
    long = [passage(number) for number in range(1, 9)]
    for hit in long:
        hit.content = "ä" * 600
    documents.found = SearchDocumentsResponse(passages=long)
    said = await call(tools, "search", query="a")
    assert len(said.result.encode()) <= 4 << 10
    assert "more passages would be too long to show" in said.result
    assert json.loads(said.structured_json)["total"] == said.result.count("Chapter")


async def test_a_mesh_without_documents_says_what_is_missing(mesh_under_test, call):
    room = build(ToolSection(tools=default_tools(has_documents=True)), mesh_under_test.mesh)
    await mesh_under_test.serve(room.register)
    with pytest.raises(grpc.aio.AioRpcError, match="nothing in this mesh serves") as failed:
        await call(ToolProviderStub(mesh_under_test.mesh), "search", query="a")
    assert info_of(failed.value).reason == "NO_ROUTE"
