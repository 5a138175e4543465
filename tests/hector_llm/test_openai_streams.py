"""Streams as they come in the wild: split anywhere, out of order, incomplete."""

import asyncio
import json

import grpc
import pytest
from contracts.llm_provider import calls_in, joined, streamed
from support.model_server import (
    DONE,
    STREAM,
    USAGE,
    calls,
    chunk,
    event,
    says,
    streams,
    text_chunks,
    trickles,
)
from support.scripted_server import END, chunked, head, raw, whole

from hector.llm.v1 import (
    FINISH_REASON_CONTENT_FILTER,
    FINISH_REASON_LENGTH,
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    CountTokensRequest,
    LLMProviderStub,
    StreamTextRequest,
)
from hector_llm.openai.events import EventReader
from hector_mesh import info_of, streaming

ASK = StreamTextRequest(prompt="x")


def fragment(**call) -> dict:
    return chunk({"tool_calls": [call]})


# Events


@pytest.mark.parametrize("size", [1, 2, 3, 7, 1000])
@pytest.mark.parametrize("newline", [b"\n", b"\r\n", b"\r"])
def test_events_may_be_split_anywhere_and_end_in_any_newline(size: int, newline: bytes) -> None:
    text = b": a comment\n\nevent: x\nid: 7\ndata: one\n\ndata:two\n\n\n\n"
    text += b"data: a\ndata: b\nretry: 5\n\nevent: y\n\n"
    text = text.replace(b"\n", newline)
    reader = EventReader()
    found = [data for at in range(0, len(text), size) for data in reader.feed(text[at : at + size])]
    found += reader.rest()
    assert found == [b"one", b"two", b"a\nb"]


def test_a_last_event_without_its_empty_line_counts() -> None:
    reader = EventReader()
    assert reader.feed(b"data: one\n\ndata: two\n") == [b"one"]
    assert reader.rest() == [b"two"]


def test_a_byte_order_mark_is_no_part_of_the_first_event() -> None:
    assert EventReader().feed(b"\xef\xbb\xbfdata: one\n\n") == [b"one"]


# Text


async def test_what_arrives_together_leaves_together(serve_scripted) -> None:
    """Ours: this decides how fast streams are."""
    words = " ".join(f"word{number}" for number in range(50))
    _, llm = await serve_scripted(streams(*text_chunks(words)))
    pieces = await streamed(llm, ASK)
    assert joined(pieces) == words
    assert len(pieces) <= 2


async def test_what_arrives_apart_leaves_apart(mesh_under_test, serve_scripted) -> None:
    _, llm = await serve_scripted(says("one two three", pause_s=0.05))
    assert [piece.text for piece in await streamed(llm, ASK)][:3] == ["one ", "two ", "three"]


async def test_a_characters_bytes_may_be_split_between_reads(serve_scripted) -> None:
    data = b"".join(map(event, [chunk({"content": "Grüße 👋"}), chunk({}, "stop")])) + DONE
    reads = [chunked(data[at : at + 3]) for at in range(0, len(data), 3)]
    _, llm = await serve_scripted(raw(head(200, STREAM), *reads, END, cut=False))
    assert joined(await streamed(llm, ASK)) == "Grüße 👋"


async def test_usage_and_names_are_in_the_last_message(serve_scripted) -> None:
    _, llm = await serve_scripted(says("hi"))
    last = (await streamed(llm, ASK))[-1]
    assert (last.usage.prompt_tokens, last.usage.completion_tokens, last.usage.total_tokens) == (11, 7, 18)
    assert (last.usage.cached_prompt_tokens, last.usage.reasoning_tokens) == (3, 2)
    assert (last.model, last.response_id) == ("served-model", "chatcmpl-7")


@pytest.mark.parametrize(
    ("word", "reason"),
    [
        ("stop", FINISH_REASON_STOP),
        ("length", FINISH_REASON_LENGTH),
        ("content_filter", FINISH_REASON_CONTENT_FILTER),
        ("eos", FINISH_REASON_STOP),
    ],
)
async def test_finish_reasons_are_translated(serve_scripted, word: str, reason: int) -> None:
    _, llm = await serve_scripted(streams(chunk({"content": "hi"}), chunk({}, word)))
    assert (await streamed(llm, ASK))[-1].finish_reason == reason


@pytest.mark.parametrize("finished", [True, False])
async def test_a_missing_done_is_no_failure_when_the_answer_is_complete(
    serve_scripted, finished: bool
) -> None:
    reply = streams(*text_chunks("all of it"), end=b"", finished=finished)
    _, llm = await serve_scripted(reply)
    pieces = await streamed(llm, ASK)
    assert joined(pieces) == "all of it"
    assert pieces[-1].done


async def test_thoughts_are_kept_apart_from_the_answer(serve_scripted) -> None:
    thoughts = [chunk({"reasoning_content": "hm, "}), chunk({"reasoning": "yes"}), chunk({"content": "Yes."})]
    _, llm = await serve_scripted(streams(*thoughts, chunk({}, "stop")))
    pieces = await streamed(llm, ASK)
    assert "".join(piece.reasoning.text for piece in pieces) == "hm, yes"
    assert joined(pieces) == "Yes."


async def test_contents_as_lists_and_refusals_are_text(serve_scripted) -> None:
    listed = chunk({"content": [{"type": "text", "text": "a"}, {"type": "thinking", "thinking": []}]})
    _, llm = await serve_scripted(streams(listed, chunk({"refusal": "b"}), chunk({}, "stop")))
    assert joined(await streamed(llm, ASK)) == "ab"


async def test_a_server_that_does_not_stream_is_understood(serve_scripted) -> None:
    from support.model_server import completion

    call = {"id": "c", "type": "function", "function": {"name": "look", "arguments": "{}"}}
    _, llm = await serve_scripted(whole(completion({"content": "hi", "tool_calls": [call]}, "tool_calls")))
    (only,) = await streamed(llm, ASK)
    assert only.done
    assert only.text == "hi"
    assert only.tool_calls[0].name == "look"
    assert only.usage.total_tokens == 18


# Tool calls


async def test_several_calls_arrive_whole_from_interleaved_fragments(serve_scripted) -> None:
    _, llm = await serve_scripted(
        streams(
            fragment(index=0, id="a", type="function", function={"name": "look", "arguments": ""}),
            fragment(index=1, id="b", type="function", function={"name": "find", "arguments": '{"x'}),
            fragment(index=0, function={"arguments": '{"at"'}),
            fragment(index=1, function={"arguments": '": 1}'}),
            fragment(index=0, function={"arguments": ": 2}"}),
            chunk({}, "tool_calls"),
        )
    )
    pieces = await streamed(llm, ASK)
    found = [(call.id, call.name, call.arguments_json) for call in calls_in(pieces)]
    assert found == [("a", "look", '{"at": 2}'), ("b", "find", '{"x": 1}')]
    assert pieces[-1].finish_reason == FINISH_REASON_TOOL_CALLS


@pytest.mark.parametrize(
    "fragments",
    [
        pytest.param(
            [
                {"id": "a", "function": {"name": "look", "arguments": "{}"}},
                {"id": "b", "function": {"name": "find", "arguments": "{}"}},
            ],
            id="no index",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "look", "arguments": "{}"}},
                {"index": 0, "id": "b", "function": {"name": "find", "arguments": "{}"}},
            ],
            id="the same index for all",
        ),
        pytest.param(
            [
                {"function": {"name": "look", "arguments": {}}},
                {"function": {"name": "find", "arguments": {}}},
            ],
            id="no index, no id, arguments as objects",
        ),
        pytest.param(
            [
                {"index": 0, "function": {"name": "look", "arguments": "{"}},
                {"index": 0, "function": {"name": None, "arguments": "}"}},
                {"index": 1, "id": None, "function": {"name": "find"}},
                {"index": 1, "function": {"arguments": "{}"}},
            ],
            id="no id, names as null",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"name": "look", "arguments": "{"}},
                {"index": 0, "id": "a", "function": {"name": "look", "arguments": "}"}},
                {"index": 1, "id": "b", "function": {"name": "find", "arguments": "{}"}},
            ],
            id="id and name in every fragment",
        ),
        pytest.param(
            [
                {"index": 0, "id": "a", "function": {"arguments": "{"}},
                {"index": 0, "function": {"name": "look", "arguments": "}"}},
                {"index": 3, "id": "b", "function": {"name": "find", "arguments": "{}"}},
            ],
            id="the name late, and indexes with holes",
        ),
    ],
)
async def test_calls_are_told_apart_whatever_is_left_out(serve_scripted, fragments: list[dict]) -> None:
    _, llm = await serve_scripted(streams(*(fragment(**each) for each in fragments), chunk({}, "stop")))
    pieces = await streamed(llm, ASK)
    found = calls_in(pieces)
    assert [(call.name, call.arguments_json) for call in found] == [("look", "{}"), ("find", "{}")]
    assert all(call.id for call in found)
    assert found[0].id != found[1].id
    # A provider that says "stop" over tool calls means that it wants them.
    assert pieces[-1].finish_reason == FINISH_REASON_TOOL_CALLS


async def test_long_arguments_arrive_whole(serve_scripted) -> None:
    arguments = json.dumps({"text": "ä" * 10_000})
    _, llm = await serve_scripted(calls(("a", "write", arguments)))
    (call,) = calls_in(await streamed(llm, ASK))
    assert call.arguments_json == arguments


async def test_a_call_without_a_name_is_not_handed_on(serve_scripted) -> None:
    _, llm = await serve_scripted(
        streams(fragment(index=0, id="a", function={"arguments": "{}"}), chunk({}, "stop"))
    )
    assert await failure(llm) == "MODEL_GARBLED"


# What ends badly


async def test_a_cut_stream_breaks_off_behind_what_it_said(serve_scripted) -> None:
    _, llm = await serve_scripted(streams(*text_chunks("half of")[:-1], end=b"", finished=False))
    texts: list[str] = []
    assert await failure(llm, texts) == "MODEL_BROKE_OFF"
    assert "".join(texts) == "half of"


async def test_a_stream_that_ends_without_an_end_breaks_off(serve_scripted) -> None:
    _, llm = await serve_scripted(streams(*text_chunks("half of")[:-1], end=b""))
    texts: list[str] = []
    assert await failure(llm, texts) == "MODEL_BROKE_OFF"
    assert "".join(texts) == "half of"


@pytest.mark.parametrize("reply", [streams(end=b""), streams(), streams(chunk(usage=USAGE))])
async def test_a_stream_without_an_answer_breaks_off(serve_scripted, reply) -> None:
    _, llm = await serve_scripted(reply)
    assert await failure(llm) == "MODEL_BROKE_OFF"


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        ({"message": "The server had an error", "type": "server_error"}, "MODEL_BROKE_OFF"),
        ({"message": "slow down", "code": "rate_limit_exceeded"}, "MODEL_RATE_LIMITED"),
        ({"message": "slow down", "code": 429}, "MODEL_RATE_LIMITED"),
        ({"message": "maximum context length is 8 tokens"}, "CONTEXT_TOO_LONG"),
        ("just words", "MODEL_BROKE_OFF"),
    ],
)
async def test_an_error_in_mid_stream_ends_it_behind_what_it_said(serve_scripted, error, reason: str) -> None:
    _, llm = await serve_scripted(streams(chunk({"content": "half"}), {"error": error}))
    texts: list[str] = []
    assert await failure(llm, texts) == reason
    assert texts == ["half"]


@pytest.mark.parametrize(
    "reply",
    [
        whole("<html><body>It works!</body></html>", content_type="text/html"),
        whole("<html>", content_type="text/event-stream"),
        whole("{", content_type="application/json"),
        whole({"answer": 42}),
        streams(b"{not json"),
        streams(b"[]"),
        streams(b'"text"'),
        streams({"choices": "none"}),
        streams({"choices": [{"delta": {"content": "ok"}}]}, b"{not json"),
    ],
)
async def test_what_is_no_answer_of_a_model_is_said_to_be_none(serve_scripted, reply) -> None:
    server, llm = await serve_scripted(reply)
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await streamed(llm, ASK)
    assert info_of(failed.value).reason == "MODEL_GARBLED"
    assert server.url in failed.value.details()
    assert "Traceback" not in failed.value.details()


async def test_nothing_is_asked_twice_once_something_was_said(serve_scripted) -> None:
    """Ours: a second answer behind half of a first one is worse than none."""
    server, llm = await serve_scripted(
        streams(chunk({"content": "half"}), end=b"", finished=False), says("again")
    )
    assert await failure(llm) == "MODEL_BROKE_OFF"
    assert len(server.received) == 1


async def test_a_caller_that_leaves_closes_the_providers_connection(serve_scripted) -> None:
    """Ours: tokens nobody reads must not be paid for."""
    server, llm = await serve_scripted(trickles)
    async with asyncio.timeout(10):
        async with streaming(llm.StreamText(ASK)) as pieces:
            async for piece in pieces:
                assert piece.text
                break
        await server.left.wait()


async def test_a_connection_is_used_again_after_a_whole_stream(serve_scripted) -> None:
    server, llm = await serve_scripted(says("hi"))
    for _ in range(5):
        await streamed(llm, ASK)
    assert server.connections == 1


async def test_counts_are_corrected_by_what_the_provider_reports(serve_scripted) -> None:
    heavy = chunk(usage=USAGE | {"prompt_tokens": 1000})
    _, llm = await serve_scripted(streams(*text_chunks("hi"), heavy))
    request = CountTokensRequest(messages=[{"role": 2, "parts": [{"text": "x" * 400}]}])
    before = (await llm.CountTokens(request, timeout=10)).tokens
    await streamed(llm, StreamTextRequest(prompt="x" * 1000))
    after = await llm.CountTokens(request, timeout=10)
    assert 90 <= before <= 120
    assert after.tokens > 2 * before
    assert after.estimated


async def failure(llm: LLMProviderStub, texts: list[str] | None = None) -> str:
    """Return the reason that a stream fails for; `texts` gets what came before."""
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await gather(llm, [] if texts is None else texts)
    return info_of(failed.value).reason


async def gather(llm: LLMProviderStub, texts: list[str]) -> None:
    async with asyncio.timeout(20), streaming(llm.StreamText(ASK)) as pieces:
        async for piece in pieces:
            assert not piece.done
            texts.append(piece.text)
