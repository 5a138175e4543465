"""Clients that ask again as soon as they are answered; every answer is checked to be whole.

    python bench/load.py --port PORT [--kind blocking] [--clients 32] [--seconds 4] [--pids PID ...]

Runs in a process of its own and prints one line of JSON: answers/s, p50 and p99 in ms, errors, and the CPU
time that the processes in --pids spent per answer. The kinds `model` and `model-whole` ask the mock model
itself, which tells what the clients and the model cost. Where the model says in its first word when that left
(--stamped), `first_ms` is the time from there to the client.
"""

import argparse
import asyncio
import json
import os
import re
import time
from dataclasses import asdict, dataclass, field
from pathlib import Path

import uvloop
from mock_model import TEXT, WORDS

WHOLE, WHOLE_BUT_FIRST = TEXT, "".join(WORDS[1:])
METHODS = {"blocking": "SendMessage", "streamed": "SendStreamingMessage"}
MODEL_KINDS = {"model": True, "model-whole": False}  # kind -> whether it streams
PIECE_OF_TASK = re.compile(rb'"text": ?"([^"]*)"')
PIECE_OF_MODEL = re.compile(rb'"content": ?"([^"]*)"')
STAMP = re.compile(rb'"(\d{12,19}) *"')
MORE_S = 20.0
SLOWEST_S = 0.01  # an answer, when so many answers are asked for and not so many seconds


@dataclass
class Counted:
    """What one round has seen."""

    piece: re.Pattern[bytes]
    expected: bytes
    stamped: bool
    until: float = 0.0
    left: int = 0
    took_s: list[float] = field(default_factory=list)
    first_s: list[float] = field(default_factory=list)
    errors: int = 0
    example: str = ""

    def wrong(self, answer: bytes) -> None:
        self.errors += 1
        self.example = self.example or answer[:600].decode(errors="replace")


@dataclass(frozen=True)
class Round:
    """The result, as it is printed."""

    answers_s: float
    p50_ms: float
    p99_ms: float
    cpu_ms: float
    errors: int
    first_ms: float
    answers: int
    example: str = ""


class Client(asyncio.Protocol):
    """One connection that is never idle."""

    def __init__(self, request: bytes, counted: Counted, done: asyncio.Event) -> None:
        self.request, self.counted, self.done = request, counted, done
        self.parts: list[bytes] = []
        self.length: int | None = None
        self.began = self.first = 0.0

    def connection_made(self, transport: asyncio.Transport) -> None:
        self.transport = transport
        self.ask()

    def ask(self) -> None:
        self.parts, self.length, self.first = [], None, 0.0
        self.began = time.perf_counter()
        self.transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.parts.append(data)
        if self.counted.stamped and not self.first and STAMP.search(data):
            self.first = (time.monotonic_ns() - int(STAMP.search(data)[1])) / 1e9  # type: ignore[index]
        if self.is_complete(data):
            self.answered(b"".join(self.parts))

    def is_complete(self, data: bytes) -> bool:
        if self.length is None:
            head, end, _ = b"".join(self.parts).partition(b"\r\n\r\n")
            if not end:
                return False
            found = re.search(rb"\r\ncontent-length: *(\d+)", head, re.IGNORECASE)
            self.length = len(head) + 4 + int(found[1]) if found else 0
        if self.length:
            return sum(map(len, self.parts)) >= self.length
        return (b"".join(self.parts[-2:]) if len(data) < 5 else data).endswith(b"0\r\n\r\n")

    def answered(self, answer: bytes) -> None:
        counted, now = self.counted, time.perf_counter()
        if now <= counted.until or counted.left > 0:
            text = b"".join(counted.piece.findall(answer))
            if counted.expected in text and answer.startswith(b"HTTP/1.1 200"):
                counted.took_s.append(now - self.began)
                counted.first_s.append(self.first)
            else:
                counted.wrong(answer)
        counted.left -= 1
        if now < counted.until or counted.left > 0:
            self.ask()
        else:
            self.done.set()
            self.transport.close()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.is_set():
            self.counted.wrong(f"the connection was lost: {error}".encode())
            self.done.set()


def request_of(kind: str, path: str, text: str) -> bytes:
    body: dict[str, object]
    if kind in MODEL_KINDS:
        body = {"model": "mock", "messages": [{"role": "user", "content": text}], "stream": MODEL_KINDS[kind]}
        path += "/chat/completions"
    else:
        message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}]}
        body = {"jsonrpc": "2.0", "id": 1, "method": METHODS[kind], "params": {"message": message}}
    data = json.dumps(body).encode()
    head = (
        f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nA2A-Version: 1.0\r\n"
    )
    return head.encode() + b"Content-Length: %d\r\n\r\n" % len(data) + data


async def loaded(port: int, request: bytes, counted: Counted, clients: int) -> None:
    loop, ends = asyncio.get_running_loop(), []
    for _ in range(clients):
        ends.append(asyncio.Event())
        await loop.create_connection(lambda: Client(request, counted, ends[-1]), "127.0.0.1", port)
    limit_s = max(0.0, counted.until - time.perf_counter(), counted.left * SLOWEST_S) + MORE_S
    async with asyncio.timeout(limit_s):
        for end in ends:
            await end.wait()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--path", default="", help="/agents/bench, or /burst/v1 for the model itself")
    parser.add_argument("--text", default="hi", help="what is asked")
    parser.add_argument("--expect", default="", help="what each answer must contain: the model's whole text")
    parser.add_argument("--stamped", action="store_true", help="the model's pace stamps its first word")
    parser.add_argument("--kind", choices=[*METHODS, *MODEL_KINDS], default="blocking")
    parser.add_argument("--clients", type=int, default=32)
    parser.add_argument("--seconds", type=float, default=4.0)
    parser.add_argument("--answers", type=int, default=0, help="so many answers instead of so many seconds")
    parser.add_argument("--warm-up", type=float, default=0.5, help="seconds before it counts")
    parser.add_argument("--pids", type=int, nargs="*", default=[], help="whose CPU time is counted")
    given = parser.parse_args()
    print(json.dumps(asdict(uvloop.run(measured(given)))))


async def measured(given: argparse.Namespace) -> Round:
    path = given.path or ("/burst/v1" if given.kind in MODEL_KINDS else "/agents/bench")
    request = request_of(given.kind, path, given.text)
    piece = PIECE_OF_MODEL if given.kind in MODEL_KINDS else PIECE_OF_TASK
    expected = (given.expect or (WHOLE_BUT_FIRST if given.stamped else WHOLE)).encode()
    warming = Counted(piece, expected, given.stamped, until=time.perf_counter() + given.warm_up)
    if given.warm_up:
        await loaded(given.port, request, warming, given.clients)
    counted = Counted(piece, expected, given.stamped, left=given.answers)
    cpu_s, began = sum(map(cpu_of, given.pids)), time.perf_counter()
    if not given.answers:
        counted.until = began + given.seconds
    await loaded(given.port, request, counted, given.clients)
    seconds = time.perf_counter() - began if given.answers else given.seconds
    answers = len(counted.took_s)
    cpu_s = sum(map(cpu_of, given.pids)) - cpu_s
    return Round(
        answers_s=answers / seconds,
        p50_ms=share(counted.took_s, 0.5) * 1000,
        p99_ms=share(counted.took_s, 0.99) * 1000,
        cpu_ms=cpu_s / answers * 1000 if answers else 0.0,
        errors=counted.errors + warming.errors,
        first_ms=share(counted.first_s, 0.5) * 1000,
        answers=answers,
        example=warming.example or counted.example,
    )


def share(values: list[float], part: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(len(ordered) * part))] if ordered else 0.0


def cpu_of(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
