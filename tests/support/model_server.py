"""A model server that follows a script: OpenAI's chat completions, well and badly served.

`test_model_server.py` checks with the vendor's own client that what it says well is really said well.
"""

import asyncio
import json
from collections.abc import Sequence
from typing import Any

from support.scripted_server import END, Line, Received, Reply, chunked, head

USAGE = {
    "prompt_tokens": 11,
    "completion_tokens": 7,
    "total_tokens": 18,
    "prompt_tokens_details": {"cached_tokens": 3},
    "completion_tokens_details": {"reasoning_tokens": 2},
}
STREAM = {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}
DONE = b"data: [DONE]\n\n"


def chunk(delta: dict[str, Any] | None = None, finish: str | None = None, **more: Any) -> dict[str, Any]:
    """Return one chunk of a streamed answer; without a delta it is one without choices."""
    choices = [] if delta is None else [{"index": 0, "delta": delta, "finish_reason": finish}]
    frame = {"id": "chatcmpl-7", "object": "chat.completion.chunk", "created": 1, "model": "served-model"}
    return {**frame, "choices": choices, **more}


def event(data: object) -> bytes:
    return b"data: " + (data if isinstance(data, bytes) else json.dumps(data).encode()) + b"\n\n"


def text_chunks(text: str) -> list[dict[str, Any]]:
    """Return a text as a provider streams it: a role, words, the reason it stopped."""
    words = [word + " " for word in text.split(" ")]
    words[-1] = words[-1].rstrip()
    return [
        chunk({"role": "assistant", "content": ""}),
        *(chunk({"content": word}) for word in words),
        chunk({}, "stop"),
    ]


def call_chunks(*calls: tuple[str, str, str]) -> list[dict[str, Any]]:
    """Return tool calls (id, name, arguments) as OpenAI streams them: the arguments in fragments."""
    chunks = [chunk({"role": "assistant", "content": None})]
    for index, (id_, name, arguments) in enumerate(calls):
        first = {"index": index, "id": id_, "type": "function", "function": {"name": name, "arguments": ""}}
        chunks.append(chunk({"tool_calls": [first]}))
        for at in range(0, len(arguments), 5):
            piece = {"index": index, "function": {"arguments": arguments[at : at + 5]}}
            chunks.append(chunk({"tool_calls": [piece]}))
    return [*chunks, chunk({}, "tool_calls")]


def completion(message: dict[str, Any], finish: str = "stop") -> dict[str, Any]:
    """Return a whole answer."""
    choice = {
        "index": 0,
        "message": {"role": "assistant", **message},
        "finish_reason": finish,
        "logprobs": None,
    }
    frame = {"id": "chatcmpl-7", "object": "chat.completion", "created": 1, "model": "served-model"}
    return {**frame, "choices": [choice], "usage": USAGE}


def says(text: str, *, pause_s: float = 0.0) -> Reply:
    """Answer with a text, streamed or whole as it is asked for."""
    return _answers(text_chunks(text), completion({"content": text}), pause_s)


def calls(*wanted: tuple[str, str, str]) -> Reply:
    """Ask for tools: (id, name, arguments as JSON)."""
    tool_calls = [
        {"id": id_, "type": "function", "function": {"name": name, "arguments": arguments}}
        for id_, name, arguments in wanted
    ]
    return _answers(
        call_chunks(*wanted), completion({"content": None, "tool_calls": tool_calls}, "tool_calls"), 0.0
    )


def streams(*data: object, end: bytes = DONE + b"", finished: bool = True) -> Reply:
    """Stream these events and no others, all at once; unfinished, the connection is cut behind them."""

    async def reply(received: Received, line: Line) -> None:
        events = b"".join(map(event, data)) + end
        await line.send(head(200, STREAM) + (chunked(events) if events else b"") + (END if finished else b""))
        if not finished:
            line.cut()

    return reply


def refuses(status: int, message: str, code: str = "", **headers: str) -> Reply:
    """Answer with an error as OpenAI words it."""
    from support.scripted_server import whole

    error = {"message": message, "type": "invalid_request_error", "param": None, "code": code or None}
    return whole({"error": error}, status, **headers)


async def trickles(received: Received, line: Line) -> None:
    """Stream words without an end, until the client leaves."""
    await line.send(head(200, STREAM))
    while not line.reader.at_eof():
        await line.send(chunked(event(chunk({"content": "word "}))))
        try:
            async with asyncio.timeout(0.01):
                await line.until_left()
        except TimeoutError:
            pass


def _answers(chunks: Sequence[dict[str, Any]], answer: dict[str, Any], pause_s: float) -> Reply:
    async def reply(received: Received, line: Line) -> None:
        asked = received.json
        if not asked.get("stream"):
            body = json.dumps(answer).encode()
            headers = {"Content-Type": "application/json", "Content-Length": str(len(body))}
            await line.send(head(200, headers) + body)
            return
        said = list(chunks)
        if (asked.get("stream_options") or {}).get("include_usage"):
            said.append(chunk(usage=USAGE))
        await line.send(head(200, STREAM))
        for each in said:
            await line.send(chunked(event(each)))
            if pause_s:
                await asyncio.sleep(pause_s)
        await line.send(chunked(DONE) + END)

    return reply
