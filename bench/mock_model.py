"""A model that costs nothing: one fixed answer of 49 words over OpenAI's chat completions, in 50 chunks.

    python bench/mock_model.py [PORT]        prints the port it listens on

The first part of the path is the pace: /burst all chunks at once, /tick one in each turn of the event loop,
/d20 one every 20 ms (any number), /todo calls the tool todo_write first, and answers whole then. What it
sends is made before the first request. In all paces but /burst and /todo the first word is the time at which
it left (`time.monotonic_ns()`), for whoever measures how long it took.
"""

import asyncio
import json
import socket
import sys
import time
from collections.abc import Iterable

import httptools
import uvloop

WORDS = [f"token{number:02d} " for number in range(49)]
TEXT = "".join(WORDS)
USAGE = {"prompt_tokens": 100, "completion_tokens": 49, "total_tokens": 149}
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: "
LAST = b"0\r\n\r\n"


def main() -> None:
    uvloop.run(serve(int(sys.argv[1]) if len(sys.argv) > 1 else 0))


async def serve(port: int) -> None:
    loop = asyncio.get_running_loop()
    server = await loop.create_server(Connection, "127.0.0.1", port, backlog=2048)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


def event(delta: dict[str, str], finish: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "logprobs": None, "finish_reason": finish}
    chunk = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1, "model": "mock"}
    return b"data: " + json.dumps({**chunk, "choices": [choice]}).encode() + b"\n\n"


def chunked(data: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(data), data)


def first_chunk(word: str) -> bytes:
    return chunked(event({"role": "assistant", "content": word}))


STREAM_HEAD = HEAD + b"text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"
REST = [
    *(chunked(event({"content": word})) for word in WORDS[1:]),
    chunked(event({}, "stop") + b"data: [DONE]\n\n"),
]
BURST = STREAM_HEAD + first_chunk(WORDS[0]) + b"".join(REST) + LAST


def whole() -> bytes:
    message = {"role": "assistant", "content": TEXT}
    choice = {"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock"}
    body = json.dumps({**answer, "choices": [choice], "usage": USAGE}).encode()
    return HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


def calling() -> bytes:
    todo = {"todos": [{"id": "1", "content": "answer", "status": "pending"}]}
    function = {"name": "todo_write", "arguments": json.dumps(todo)}
    called = [{"id": "call-1", "type": "function", "function": function}]
    message = {"role": "assistant", "content": None, "tool_calls": called}
    choice = {"index": 0, "message": message, "finish_reason": "tool_calls"}
    answer = {"id": "chatcmpl-1", "object": "chat.completion", "created": 1, "model": "mock"}
    body = json.dumps({**answer, "choices": [choice], "usage": USAGE}).encode()
    return HEAD + b"application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body


WHOLE, CALLING = whole(), calling()
MISSING = b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"


def stamped_first_chunk() -> bytes:
    word = f"{time.monotonic_ns():<19}"
    return first_chunk(word + " ")


class Connection(asyncio.Protocol):
    """Answers one request after another."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.transport = transport
        self.parser = httptools.HttpRequestParser(self)
        self.path = self.body = b""
        self.telling: asyncio.Task[None] | None = None

    def data_received(self, data: bytes) -> None:
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if self.telling is not None:
            self.telling.cancel()

    def on_url(self, part: bytes) -> None:
        self.path += part

    def on_body(self, part: bytes) -> None:
        self.body += part

    def on_message_complete(self) -> None:
        path, body = self.path, self.body
        self.path = self.body = b""
        pace = path.split(b"/", 2)[1]
        if not path.endswith(b"/chat/completions"):
            self.transport.write(MISSING)
        elif pace == b"todo" and b'"tool_call_id"' not in body:
            self.transport.write(CALLING)
        elif b'"stream":true' not in body and b'"stream": true' not in body:
            self.transport.write(WHOLE)
        elif pace == b"burst":
            self.transport.write(BURST)
        else:
            pause_s = 0.0 if pace == b"tick" else float(pace[1:]) / 1000
            self.telling = asyncio.get_running_loop().create_task(self.tell(REST, pause_s))

    async def tell(self, rest: Iterable[bytes], pause_s: float) -> None:
        self.transport.write(STREAM_HEAD + stamped_first_chunk())
        for chunk in rest:
            await asyncio.sleep(pause_s)
            self.transport.write(chunk)
        self.transport.write(LAST)


if __name__ == "__main__":
    main()
