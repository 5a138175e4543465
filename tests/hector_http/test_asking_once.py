"""Requests without tries and redirects to a server that a person named, as programs send that ask once."""

import asyncio
import socket
import subprocess
import sys
from typing import Any

import pytest
from support.scripted_server import END, chunked, drops, hangs, head, raw, scripted, whole

from hector_http import NO_RETRIES, BadUrl, BrokeOff, HttpClient, HttpError, Request, Timeouts

SHORT = Timeouts(connect_s=5, first_byte_s=0.2, stall_s=0.2, total_s=5)
CHUNKED = {"Transfer-Encoding": "chunked"}


@pytest.fixture
def client() -> Any:
    """Return a maker of clients for an address."""
    return lambda url: HttpClient(trusted=[url])


async def answer(
    client: Any, url: str, body: bytes | None = None, headers: Any = None, **more: Any
) -> tuple[int, str, bytes]:
    said = headers or {"X-A": "b"}
    wanted = Request("POST" if body else "GET", url, said, body, retries=NO_RETRIES, **more)
    async with client(url) as http, http.send(wanted) as response:
        return response.status, response.headers.get("Content-Type", ""), await response.read()


async def test_a_whole_answer_is_read(client: Any) -> None:
    async with scripted(whole("hello", 418, content_type="text/plain")) as server:
        assert await answer(client, f"{server.url}/a?b=c", b"body") == (418, "text/plain", b"hello")
        received = server.received[0]
    assert (received.method, received.path, received.body) == ("POST", "/a?b=c", b"body")
    assert received.headers["x-a"] == "b"
    assert received.headers["host"] == server.url.partition("://")[2]


@pytest.mark.parametrize(
    ("sent", "body"),
    [
        ((head(200, CHUNKED), chunked(b"one "), chunked(b"two"), END), b"one two"),
        ((head(200, {"Content-Length": "3"}), b"o", b"n", b"e"), b"one"),
        ((head(200, {}), b"until ", b"the end"), b"until the end"),
        ((b"HTTP/1.1 100 Continue\r\n\r\n", head(200, {"Content-Length": "2"}), b"ok"), b"ok"),
        ((head(204, {}),), b""),
    ],
    ids=["chunks", "a length", "no length", "to be continued", "nothing"],
)
async def test_a_body_is_read_however_it_is_framed(client: Any, sent: tuple[bytes, ...], body: bytes) -> None:
    async with scripted(raw(*sent)) as server:
        assert (await answer(client, server.url))[2] == body


async def test_pieces_are_given_out_as_they_arrive(client: Any) -> None:
    go_on = asyncio.Event()

    async def slowly(received: Any, line: Any) -> None:
        await line.send(head(200, CHUNKED) + chunked(b"first"))
        await go_on.wait()
        await line.send(chunked(b"last") + END)

    async with (
        scripted(slowly) as server,
        client(server.url) as http,
        http.send(Request("GET", server.url, retries=NO_RETRIES)) as response,
    ):
        assert await response.read_some() == b"first"
        go_on.set()
        assert await response.read() == b"last"


async def test_leaving_early_closes_the_connection(client: Any) -> None:
    async with scripted(hangs(head(200, CHUNKED) + chunked(b"first"))) as server:
        wanted = Request("GET", server.url, retries=NO_RETRIES)
        async with client(server.url) as http, http.send(wanted) as response:
            await response.read_some()
        await server.left.wait()


FAILURES = {
    "dropped": (drops, HttpError, "closed the connection without an answer"),
    "cut in the body": (raw(head(200, {"Content-Length": "9"}) + b"one"), BrokeOff, "before it was complete"),
    "cut between chunks": (raw(head(200, CHUNKED) + chunked(b"one")), BrokeOff, "before it was complete"),
    "no http": (raw(b"220 smtp.example.com ESMTP\r\n"), HttpError, "does not answer in HTTP"),
    "silent": (hangs(), HttpError, r"did not answer within 0\.2 s"),
    "silent in the body": (hangs(head(200, CHUNKED) + chunked(b"x")), HttpError, r"sent nothing for 0\.2 s"),
}


@pytest.mark.parametrize("case", FAILURES)
async def test_what_goes_wrong_is_said_alike(client: Any, case: str) -> None:
    reply, kind, words = FAILURES[case]
    async with scripted(reply) as server:
        with pytest.raises(kind, match=words) as failed:
            await answer(client, server.url, timeouts=SHORT)
    assert failed.value.facts["origin"] == server.url


async def test_nobody_there_is_said_alike(client: Any) -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(HttpError, match=f"cannot connect to http://{host}:{port}: connection refused"):
            await answer(client, f"http://{host}:{port}")


@pytest.mark.parametrize(
    "url", ["nonsense", "ftp://x", "http://", "http://u:p@127.0.0.1", "http://127.0.0.1:x"]
)
async def test_what_is_no_address_is_refused(client: Any, url: str) -> None:
    with pytest.raises(BadUrl):
        await answer(lambda _: client("http://127.0.0.1"), url)


async def test_headers_take_no_line_breaks() -> None:
    async with scripted(whole("x")) as server:
        with pytest.raises(BadUrl):
            await answer(lambda url: HttpClient(trusted=[url]), server.url, headers={"A": "b\r\nC: d"})
        assert server.received == []


def test_it_imports_nothing_that_takes_long() -> None:
    code = (
        "import sys; import hector_a2a.client, hector_runtime.asking, hector_runtime.cli.call, httptools\n"
        "heavy = {'aiohttp', 'pydantic', 'sqlalchemy', 'yaml', 'numpy', 'uvicorn', 'hector_store'}\n"
        "sys.exit(', '.join(heavy & set(sys.modules)) or 0)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=20, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
