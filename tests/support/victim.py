"""A real server for hostile clients: bytes go in, answers come out, and what it holds can be counted."""

import asyncio
import json
import re
import ssl
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httptools
from support.certificates import Authority
from support.processes import Server, free_port, hector_in, wait_until_ready

AGENT = "victim"
CONFIG = """
agents: {victim: {type: custom, handler: "victim_agent:answer"}}
storage: {database: "%s"}
server:
  limits:
    {max_body_size: 1MB, receive_timeout: 0.3s, header_timeout: 0.5s, send_timeout: 1s, heartbeat: 0.5s}
"""
HANDLER = """
import asyncio
import gc


async def answer(turn):
    if turn.text == "count tasks":
        yield str(len(asyncio.all_tasks()))
    elif turn.text == "count garbage":
        yield str(gc.collect())
    elif turn.text == "tell history":
        for message in turn.history:
            yield f"{message.role} {message.parts[0].text}\\n"
    elif turn.text == "wait":
        yield "begun"
        await asyncio.Event().wait()
    elif turn.text == "endless":
        while True:
            yield "x" * 1000
            await asyncio.sleep(0.002)
    elif turn.text == "on and on":  # but not so much that a busy machine's seconds fill its memory
        while True:
            yield "x" * 100
            await asyncio.sleep(0.02)
    elif turn.text == "fail":
        raise RuntimeError("password=hunter2 at /etc/secret")
    else:
        for word in turn.text.split(" "):
            yield f"{word} "
            await asyncio.sleep(0)
"""
INTERNALS = re.compile(rb"Traceback|File \"|site-packages|\.py\b| object at 0x|\bhector_[a-z]+\.[a-z_]+\b")
"""What no stranger needs to see."""
LAZY = 16
"""Descriptors that are opened when they are first needed, and stay: readers of the database, say."""
BAD_LOG = re.compile(
    r"^.*(?:Traceback|\bERROR\b|\bCRITICAL\b|never awaited|never retrieved|Unclosed).*$", re.MULTILINE
)


@dataclass
class Answer:
    """One HTTP answer."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def code(self) -> int:
        """Return JSON-RPC's error code; 0: it succeeded."""
        found = self.json.get("error", {}).get("code", 0)
        assert isinstance(found, int)
        return found


@dataclass(frozen=True)
class Held:
    """What the process has open."""

    descriptors: int
    memory_mb: float
    """The proportional set size."""


@dataclass
class Victim:
    """One `hector serve` and the means to be rude to it."""

    server: Server
    port: int
    grpc_port: int
    tls: ssl.SSLContext | None = None
    """How to speak with its HTTP port, where that speaks TLS."""
    _read_chars: int = 0

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        name = "localhost" if self.tls else None
        return await asyncio.open_connection(
            "127.0.0.1", self.port, limit=2**24, ssl=self.tls, server_hostname=name
        )

    async def say(self, *pieces: bytes, answers: int = 1, within_s: float = 20) -> list[Answer]:
        """Send bytes on a connection of their own, and return what comes until it closes or is enough.

        Fails when the server neither answers nor hangs up in time.
        """
        found = _Answers()
        async with asyncio.timeout(within_s):
            reader, writer = await self.connect()
            sending = asyncio.create_task(_send(writer, pieces))
            try:
                while len(found.whole) < answers and (data := await _read(reader)):
                    found.feed(data)
            finally:
                sending.cancel()
                await asyncio.gather(sending, return_exceptions=True)
                await hang_up(writer)
        for answer in found.whole:
            check_decent(answer)
        return found.whole

    async def ask(self, request: bytes, **more: Any) -> Answer:
        (answer,) = await self.say(request, **more)
        return answer

    async def ask_all(self, requests: Sequence[bytes], *, clients: int = 8) -> list[Answer]:
        """Ask many things over a few connections; the answers are in the order of the requests."""
        shares = await asyncio.gather(*(self._ask_in_turn(requests[n::clients]) for n in range(clients)))
        return [shares[n % clients][n // clients] for n in range(len(requests))]

    async def _ask_in_turn(self, requests: Sequence[bytes]) -> list[Answer]:
        found: list[Answer] = []
        reader = writer = None
        for request in requests:
            async with asyncio.timeout(20):
                if writer is None or reader is None:
                    reader, writer = await self.connect()
                writer.write(request)
                reading = _Answers()
                while not reading.whole:
                    data = await _read(reader)
                    assert data, f"the server hung up without an answer to {request[:2000]!r}"
                    reading.feed(data)
                check_decent(reading.whole[0], request)
                found += reading.whole
                if found[-1].headers.get("connection") == "close":
                    await hang_up(writer)
                    writer = None
        if writer is not None:
            await hang_up(writer)
        return found

    async def is_well(self) -> None:
        """Fail unless it still answers as it should.

        It hangs up on who sends nothing for half a second; a full machine can keep us from sending as long.
        """
        answers: list[Answer] = []
        for _ in range(3):
            if answers := await self.say(rpc("SendMessage", said("hello"))):
                break
        (answer,) = answers
        assert answer.json["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"

    async def count(self, what: str = "tasks") -> int:
        """Return how many tasks the server's event loop has, or how much garbage there was to collect."""
        answer = await self.ask(rpc("SendMessage", said(f"count {what}")))
        return int(answer.json["result"]["task"]["artifacts"][0]["parts"][0]["text"])

    def held(self) -> Held:
        process = Path(f"/proc/{self.server.process.pid}")
        memory = re.search(r"^Pss:\s+(\d+) kB", (process / "smaps_rollup").read_text(), re.MULTILINE)
        assert memory is not None
        return Held(len(list((process / "fd").iterdir())), int(memory[1]) / 1024)

    async def lets_go(self, before: Held, tasks: int, *, more_mb: float = 80, within_s: float = 20) -> None:
        """Wait until it holds no more descriptors and tasks than before, and not much more memory.

        The first storm leaves the allocator with room for the next one; what grows with every storm is
        looked for by the tests of storms.
        """
        now, found = before, tasks

        async def is_back() -> bool:
            nonlocal now, found
            now, found = self.held(), await self.count()
            few = now.descriptors <= before.descriptors + LAZY and found <= tasks
            return few and now.memory_mb <= before.memory_mb + more_mb

        await until(is_back, within_s, lambda: f"{before}, {tasks} tasks before; {now}, {found} after")

    def check_log(self) -> None:
        """Fail if the log shows that anything inside went wrong since it was last looked at."""
        assert BAD_LOG.findall(self._more_log()) == []

    def expect_in_log(self, text: str) -> None:
        """Fail unless the log has this since it was last looked at; whatever else went wrong is forgiven."""
        assert text in self._more_log()

    def _more_log(self) -> str:
        before, self._read_chars = self._read_chars, len(log := self.server.output())
        return log[before:]


async def until(condition: Callable[[], Awaitable[bool]], within_s: float, told: Callable[[], str]) -> None:
    """Ask again and again until it holds."""
    try:
        async with asyncio.timeout(within_s):
            while not await condition():  # noqa: ASYNC110 - what it asks about is another process's
                await asyncio.sleep(0.05)
    except TimeoutError:
        raise AssertionError(told()) from None


def check_decent(answer: Answer, asked: bytes = b"") -> None:
    """Fail if a client's mistake is called the server's, or the answer tells of the inside."""
    shown = f"{asked[:1500]!r} got {answer.status} {answer.body[:1500]!r}"
    assert answer.status < 500 or answer.status in (501, 505), shown
    assert not INTERNALS.search(answer.body), shown
    if answer.status >= 400:
        assert answer.headers.get("content-type", "").endswith("json"), shown
        assert answer.json["error"]["message"], shown
    elif answer.body.startswith(b'{"jsonrpc"'):
        assert answer.code != -32603, shown


def post(path: str, body: bytes, *headers: str, version: str = "1.0") -> bytes:
    """Return a request with a JSON body."""
    lines = [f"POST {path} HTTP/1.1", "Host: localhost", "Content-Type: application/json", *headers]
    if version:
        lines.append(f"A2A-Version: {version}")
    lines.append(f"Content-Length: {len(body)}")
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def rpc(method: str, params: object, *, version: str = "1.0") -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    return post(f"/agents/{AGENT}", body, version=version)


def said(text: str, **more: object) -> dict[str, Any]:
    """Return the parameters of a send in A2A 1.0."""
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **more}}


@contextmanager
def standing(
    folder: Path, database: str = "sqlite://.hector/hector.db", authority: Authority | None = None
) -> Iterator[Victim]:
    """Run a server until the block ends. Its agent says back what it is told, word by word; see HANDLER.

    Args:
        folder: Where it runs.
        database: For storage.database.
        authority: Whose certificate both ports show; None: they speak no TLS.
    """
    with hector_in(folder) as hector:
        config, trusting = CONFIG % database, None
        if authority is not None:
            pair, trusting = authority.issue(), ssl.create_default_context(cafile=str(authority.file))
            config += f"  tls: {{cert_file: {pair.cert_file}, key_file: {pair.key_file}}}\n"
        hector.write(config)
        hector.write(HANDLER, "victim_agent.py")
        port, grpc_port = free_port(), free_port()
        words = ("--port", str(port), "--grpc-port", str(grpc_port))
        scheme = "https" if authority else "http"
        server = hector.start(*words, url=f"{scheme}://localhost:{port}")
        wait_until_ready(server, trusting)
        yield Victim(server, port, grpc_port, trusting)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    """Close a connection in good order, which takes TLS a moment."""
    writer.close()
    with suppress(OSError, TimeoutError):
        async with asyncio.timeout(5):
            await writer.wait_closed()


async def _send(writer: asyncio.StreamWriter, pieces: Sequence[bytes]) -> None:
    for piece in pieces:
        writer.write(piece)
        await writer.drain()


async def _read(reader: asyncio.StreamReader) -> bytes:
    try:
        return await reader.read(65536)
    except ConnectionError:
        return b""


class _Answers:
    """Takes bytes apart into answers."""

    def __init__(self) -> None:
        self.whole: list[Answer] = []
        self._parser: Any = None
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []

    def feed(self, data: bytes) -> None:
        self._parser = self._parser or httptools.HttpResponseParser(self)
        self._parser.feed_data(data)

    def on_message_begin(self) -> None:
        self._headers, self._body = {}, []

    def on_header(self, name: bytes, value: bytes) -> None:
        self._headers[name.decode().lower()] = value.decode("latin-1")

    def on_body(self, body: bytes) -> None:
        self._body.append(body)

    def on_message_complete(self) -> None:
        status = self._parser.get_status_code()
        if status >= 200:  # 100 Continue is no answer
            self.whole.append(Answer(status, self._headers, b"".join(self._body)))
