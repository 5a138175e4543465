"""How many events one `hector serve` delivers a second: to readers of tasks of their own, and of one task.

    python bench/event_delivery.py [--seconds 4] [--only rpc-own]

An agent in code says a word whenever the loop comes round to it. `own`: each of 32 streams is an answer of
its own, of 500 words, asked for again at once; `parts` are committed one by one.
`shared`: 50 streams follow one endless task. Events are counted
at the clients, which are another process; words that a reader did not keep up with come in one event. Beside
it: the time of a core that the server spent on each event, which says what it could do with one to itself.
"""

import argparse
import asyncio
import json
import multiprocessing
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import grpc.aio
import uvloop
from idle_streams import posted
from load import cpu_of
from processes import free_port, serving

import hector_a2a as a2a

HANDLER = """
import asyncio

from hector_agent import custom

async def say(turn):
    if turn.text == "words":
        for _ in range(500):
            yield "word "
            await asyncio.sleep(0)
    elif turn.text == "parts":
        for number in range(500):
            yield custom.piece("parts", "word ", append=number > 0)
    else:
        number = 0
        while True:
            yield custom.piece(f"endless-{number // 500}", "word ", append=number % 500 > 0)
            number += 1
            await asyncio.sleep(0)
"""
CONFIG = """
agents:
  idle: {type: custom, handler: "words:say", timeout: 1h, max_answer_size: 32mib}
storage: {database: inmemory}
"""
KINDS = ("rpc-own", "rpc-parts", "rpc-shared", "grpc-own", "grpc-shared")
WARM_S = 1.0


class Counter:
    """Events seen since the clock was set."""

    def __init__(self) -> None:
        self.events = self.words = 0

    def take(self, data: bytes, events: int) -> None:
        self.events += events
        self.words += data.count(b"word ")


class Reader(asyncio.Protocol):
    """A client that reads streams one after the other."""

    def __init__(self, request: bytes, counter: Counter) -> None:
        self.request, self.counter, self.tail = request, counter, b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.counter.take(data, data.count(b"\ndata: "))
        self.tail = (self.tail + data)[-5:]
        if self.tail == b"0\r\n\r\n":
            self.tail = b""
            self.transport.write(self.request)


def said(text: str) -> bytes:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}
    return posted("SendStreamingMessage", {"message": message})


async def begun(port: int) -> str:
    """Begin the endless task, and return its id."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "endless"}]}
    writer.write(posted("SendMessage", {"message": message, "configuration": {"returnImmediately": True}}))
    head = await reader.readuntil(b"\r\n\r\n")
    length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
    found = json.loads(await reader.readexactly(length))
    writer.close()
    return str(found["result"]["task"]["id"])


async def counted(counter: Counter, seconds: float, pid: int) -> tuple[float, float, float]:
    """Return events and words a second, and the server's time for an event."""
    await asyncio.sleep(WARM_S)
    counter.events = counter.words = 0
    began, cpu_s = time.perf_counter(), cpu_of(pid)
    await asyncio.sleep(seconds)
    took_s, cpu_s = time.perf_counter() - began, cpu_of(pid) - cpu_s
    return counter.events / took_s, counter.words / took_s, cpu_s / max(counter.events, 1)


async def over_http(port: int, kind: str, seconds: float, pid: int) -> tuple[float, float, float]:
    counter, loop = Counter(), asyncio.get_running_loop()
    if kind == "rpc-shared":
        request, streams = posted("SubscribeToTask", {"id": await begun(port)}), 50
    else:
        request, streams = said("words" if kind == "rpc-own" else "parts"), 32
    for _ in range(streams):
        await loop.create_connection(lambda: Reader(request, counter), "127.0.0.1", port)
    return await counted(counter, seconds, pid)


async def over_grpc(
    port: int, grpc_port: int, kind: str, seconds: float, pid: int
) -> tuple[float, float, float]:
    counter = Counter()
    task = await begun(port) if kind == "grpc-shared" else ""
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        raw: Callable[..., grpc.aio.UnaryStreamCall]
        if task:
            raw = channel.unary_stream("/lf.a2a.v1.A2AService/SubscribeToTask")
            request = a2a.SubscribeToTaskRequest(tenant="idle", id=task).SerializeToString()
        else:
            raw = channel.unary_stream("/lf.a2a.v1.A2AService/SendStreamingMessage")
            send = a2a.SendMessageRequest(tenant="idle")
            send.message.message_id, send.message.role = "m", a2a.ROLE_USER
            send.message.parts.add(text="words")
            request = send.SerializeToString()

        async def read() -> None:
            while True:
                async for message in raw(request):
                    counter.take(message, 1)

        readers = [asyncio.create_task(read()) for _ in range(50 if task else 32)]
        try:
            return await counted(counter, seconds, pid)
        finally:
            for reader in readers:
                reader.cancel()
            await asyncio.wait(readers)


def clients(kind: str, port: int, grpc_port: int, seconds: float, pid: int) -> tuple[float, float, float]:
    reading: Awaitable[tuple[float, float, float]]
    if kind.startswith("rpc"):
        reading = over_http(port, kind, seconds, pid)
    else:
        reading = over_grpc(port, grpc_port, kind, seconds, pid)
    return uvloop.run(reading)  # type: ignore[arg-type]


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--only", choices=KINDS)
    given = parser.parse_args()
    spawning = multiprocessing.get_context("spawn")
    for kind in [given.only] if given.only else KINDS:
        with tempfile.TemporaryDirectory(prefix="hector-words-") as folder:
            Path(folder, "words.py").write_text(HANDLER, encoding="utf-8")
            Path(folder, "hector.yaml").write_text(CONFIG, encoding="utf-8")
            grpc_port = free_port()
            with (
                serving(Path(folder), "--config", "hector.yaml", grpc_port=grpc_port) as server,
                spawning.Pool(1) as pool,
            ):
                words = (kind, server.port, grpc_port, given.seconds, server.pids["hector"])
                events_s, words_s, each_s = pool.apply(clients, words)
        print(
            f"{kind:12} {events_s:10,.0f} events/s  {words_s:10,.0f} words/s  {each_s * 1e6:7.1f} us each",
            flush=True,
        )


if __name__ == "__main__":
    main()
