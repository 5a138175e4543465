"""Clients of the border that ask again as soon as they are answered, over JSON-RPC, HTTP+JSON or gRPC.

    python bench/a2a_load.py --port PORT --kind sends [--binding gRPC] [--clients 32] [--seconds 4]

Runs in a process of its own and prints one line of JSON, see Round. They are protocols on bare sockets, and
gRPC is spoken in frames made beforehand: a real client would take more of the machine than the server.
Every answer is checked to be whole, and events are counted.
"""

import argparse
import asyncio
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field

import uvloop
from a2a_asks import BINDINGS, GRPC, KINDS, Ask, ask
from load import cpu_of, share

MORE_S = 20.0
WINDOW = 2**31 - 1
ACK = b"\x00\x00\x00\x04\x01\x00\x00\x00\x00"


@dataclass
class Counted:
    """What one round has seen."""

    ask: Ask
    until: float
    took_s: list[float] = field(default_factory=list)
    events: int = 0
    errors: int = 0
    example: str = ""

    def take(self, began: float, answer: bytes, *, ok: bool = True) -> bool:
        """Count an answer; say whether to go on."""
        now = time.perf_counter()
        if now > self.until:
            return False
        if ok and self.ask.is_whole(answer):
            self.took_s.append(now - began)
            if self.ask.streams:
                self.events += self.ask.events_in(answer)
        else:
            self.wrong(answer)
        return True

    def wrong(self, answer: bytes) -> None:
        self.errors += 1
        self.example = self.example or answer[:600].decode(errors="replace")


@dataclass(frozen=True)
class Round:
    """The result, as it is printed."""

    answers_s: float
    events_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    """Of the server's, for each answer."""
    errors: int
    example: str = ""


class OverHttp(asyncio.Protocol):
    """One connection of HTTP/1.1 that is never idle."""

    def __init__(self, counted: Counted, done: Callable[[], None]) -> None:
        self.counted, self.done = counted, done
        self.parts: list[bytes] = []

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        self.again()

    def again(self) -> None:
        self.parts.clear()
        self.began = time.perf_counter()
        self.transport.write(self.counted.ask.request)

    def data_received(self, data: bytes) -> None:
        if self.parts:
            self.parts.append(data)
            if self.counted.ask.streams and not data.endswith(b"\r\n"):
                return
            data = b"".join(self.parts)
        else:
            self.parts.append(data)
        head = data.find(b"\r\n\r\n")
        if head < 0:
            return
        if data.find(b"chunked", 0, head) >= 0:
            whole = data.endswith(b"\r\n0\r\n\r\n")
        else:
            at = data.lower().find(b"content-length: ", 0, head)
            whole = len(data) - head - 4 >= int(data[at + 16 : data.find(b"\r", at)])
        if whole:
            if self.counted.take(self.began, data, ok=data.startswith(b"HTTP/1.1 200")):
                self.again()
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.transport.is_closing():
            self.counted.wrong(f"the connection was lost: {error}".encode())
        self.done()


class OverGrpc(asyncio.Protocol):
    """One connection of HTTP/2 with one call at a time. Headers are not read: an answer is its messages."""

    def __init__(self, counted: Counted, done: Callable[[], None]) -> None:
        self.counted, self.done = counted, done
        self.buffer, self.answer, self.stream = b"", bytearray(), -1
        body = counted.ask.request
        data = b"\x00" + len(body).to_bytes(4) + body
        self.data = data
        self.headers = (
            b"\x83\x86"  # POST, http
            + b"\x04" + _text(counted.ask.path)
            + b"\x01" + _text("localhost")
            + b"\x0f\x10" + _text("application/grpc")
            + b"".join(b"\x00" + _text(name) + _text(value) for name, value in
                       (("te", "trailers"), ("a2a-version", "1.0")))
        )  # fmt: skip

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        settings = b"\x00\x01\x00\x00\x00\x00" + b"\x00\x04" + WINDOW.to_bytes(4)  # no table; a wide window
        more = (WINDOW - 65535).to_bytes(4)
        start = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + _frame(4, 0, 0, settings) + _frame(8, 0, 0, more)
        transport.write(start)
        self.again()

    def again(self) -> None:
        self.stream += 2
        self.answer.clear()
        self.began = time.perf_counter()
        self.transport.write(_frame(1, 4, self.stream, self.headers) + _frame(0, 1, self.stream, self.data))

    def data_received(self, data: bytes) -> None:
        data = self.buffer + data if self.buffer else data
        at, end = 0, len(data)
        while end - at >= 9:
            length = int.from_bytes(data[at : at + 3])
            if end - at < 9 + length:
                break
            self.frame(data[at + 3], data[at + 4], data[at + 9 : at + 9 + length])
            at += 9 + length
        self.buffer = data[at:]

    def frame(self, kind: int, flags: int, payload: bytes) -> None:
        if kind == 0:
            self.answer += payload
        elif kind == 4 and not flags & 1:
            self.transport.write(ACK)
        elif kind == 6 and not flags & 1:
            self.transport.write(_frame(6, 1, 0, payload))
        elif kind in (3, 7):
            self.counted.wrong(b"the call was reset, or the connection sent away: " + payload)
            self.transport.close()
        if flags & 1 and kind in (0, 1):
            if self.counted.take(self.began, bytes(self.answer)):
                self.again()
            else:
                self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.transport.is_closing():
            self.counted.wrong(f"the connection was lost: {error}".encode())
        self.done()


def _frame(kind: int, flags: int, stream: int, payload: bytes) -> bytes:
    return len(payload).to_bytes(3) + bytes([kind, flags]) + stream.to_bytes(4) + payload


def _text(text: str) -> bytes:
    return bytes([len(text)]) + text.encode()


async def loaded(port: int, asked: Ask, clients: int, seconds: float) -> Counted:
    loop, counted = asyncio.get_running_loop(), Counted(asked, time.perf_counter() + seconds)
    left, over = clients, asyncio.Event()

    def done() -> None:
        nonlocal left
        left -= 1
        if not left:
            over.set()

    kind = OverGrpc if asked.binding == GRPC else OverHttp
    for _ in range(clients):
        await loop.create_connection(lambda: kind(counted, done), "127.0.0.1", port)
    async with asyncio.timeout(seconds + MORE_S):
        await over.wait()
    return counted


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--kind", choices=KINDS, default="sends")
    parser.add_argument("--binding", choices=BINDINGS, default=BINDINGS[0])
    parser.add_argument("--known", default="", help="the task to get, or the context to list")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before it counts")
    parser.add_argument("--pids", type=int, nargs="*", default=[], help="whose CPU time is counted")
    print(json.dumps(asdict(uvloop.run(measured(parser.parse_args())))))


async def measured(given: argparse.Namespace) -> Round:
    asked = ask(given.kind, given.binding, known=given.known)
    warming = await loaded(given.port, asked, given.clients, given.warm_up) if given.warm_up else None
    cpu_s = sum(map(cpu_of, given.pids))
    counted = await loaded(given.port, asked, given.clients, given.seconds)
    cpu_s = sum(map(cpu_of, given.pids)) - cpu_s
    answers = len(counted.took_s)
    return Round(
        answers_s=answers / given.seconds,
        events_s=counted.events / given.seconds,
        p50_ms=share(counted.took_s, 0.5) * 1000,
        p99_ms=share(counted.took_s, 0.99) * 1000,
        cpu_ms=cpu_s / answers * 1000 if answers else 0.0,
        errors=counted.errors + (warming.errors if warming else 0),
        example=(warming.example if warming else "") or counted.example,
    )


if __name__ == "__main__":
    main()
