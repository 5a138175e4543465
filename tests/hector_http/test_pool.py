"""Connections that are kept, and what a server can do to them; over both of the client's ways."""

import asyncio
import gzip
import subprocess
import sys
import zlib
from typing import Any

import pytest
from support.scripted_server import (
    END,
    Line,
    Received,
    Reply,
    ScriptedServer,
    chunked,
    drops,
    hangs,
    head,
    raw,
    scripted,
    whole,
)

from hector_http import NO_RETRIES, BrokeOff, HttpClient, HttpError, Request, Unreachable
from hector_http import pool as pools
from hector_http.targets import _plain, parsed, target_of

CHUNKED = {"Transfer-Encoding": "chunked"}

both_ways = pytest.mark.usefixtures("way")


async def answer(http: HttpClient, url: str, method: str = "GET", **more: Any) -> tuple[int, bytes]:
    async with http.send(Request(method, url, retries=NO_RETRIES, **more)) as response:
        return response.status, await response.read()


async def until_closed(server: ScriptedServer) -> None:
    """Wait until the server has seen all connections end."""
    if server.open:
        await asyncio.wait(server.open)


def says(data: bytes) -> Reply:
    """Send these bytes at once, and keep the connection."""

    async def reply(received: Received, line: Line) -> None:
        await line.send(data)

    return reply


@both_ways
async def test_a_connection_that_was_closed_meanwhile_is_not_the_callers_trouble() -> None:
    async with (
        scripted(whole("one"), drops, whole("two")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        assert await answer(http, server.url) == (200, b"one")
        assert await answer(http, server.url) == (200, b"two")
        assert len(server.received) == 3


@both_ways
async def test_what_may_not_be_sent_twice_is_not() -> None:
    async with (
        scripted(whole("one"), drops, whole("two")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        assert await answer(http, server.url) == (200, b"one")
        with pytest.raises(Unreachable, match="closed the connection without an answer") as failed:
            await answer(http, server.url, "POST", body=b"pay")
        assert failed.value.sent
        assert len(server.received) == 2


@both_ways
async def test_an_answer_that_began_is_not_asked_for_again() -> None:
    async with (
        scripted(whole("one"), raw(b"HTTP/1.1 2"), whole("two")) as server,
        HttpClient(trusted=[server.url]) as http,
    ):
        await answer(http, server.url)
        with pytest.raises(Unreachable):
            await answer(http, server.url, "POST", body=b"x")
        assert len(server.received) == 2


@both_ways
@pytest.mark.parametrize(
    "reply",
    [
        hangs(head(200, CHUNKED) + chunked(b"one")),
        hangs(head(200, {"Content-Length": "9"}) + b"one"),
    ],
    ids=["chunks", "a length"],
)
async def test_what_nobody_read_to_its_end_is_no_answer_to_the_next_request(reply: Reply) -> None:
    async with scripted(reply, whole("two")) as server, HttpClient(trusted=[server.url]) as http:
        async with http.send(Request("GET", server.url)) as response:
            assert await response.read_some() == b"one"
        assert await answer(http, server.url) == (200, b"two")
        assert server.connections == 2


@both_ways
async def test_a_server_that_says_too_much_is_not_believed() -> None:
    forged = head(200, {"Content-Length": "6"}) + b"forged"
    replies = [says(head(200, {"Content-Length": "3"}) + b"one" + forged), whole("two")]
    async with scripted(*replies) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, server.url) == (200, b"one")
        assert await answer(http, server.url) == (200, b"two")


async def test_bytes_that_nobody_asked_for_end_a_connection() -> None:
    go_on = asyncio.Event()

    async def chatty(received: Received, line: Line) -> None:
        await line.send(head(200, {"Content-Length": "3"}) + b"one")
        await go_on.wait()
        await line.send(head(200, {"Content-Length": "6"}) + b"forged")
        await line.until_left()

    async with scripted(chatty, whole("two")) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, server.url) == (200, b"one")
        go_on.set()
        await server.left.wait()
        assert await answer(http, server.url) == (200, b"two")


@both_ways
async def test_a_server_may_close_after_each_answer() -> None:
    async with scripted(whole("one", connection="close")) as server, HttpClient(trusted=[server.url]) as http:
        for _ in range(3):
            assert await answer(http, server.url) == (200, b"one")
        assert server.connections == 3


@both_ways
async def test_headers_alone_can_be_asked_for() -> None:
    alone = says(head(200, {"Content-Length": "1000", "X-Thing": "1"}))
    async with scripted(alone, whole("two")) as server, HttpClient(trusted=[server.url]) as http:
        async with http.send(Request("HEAD", server.url)) as response:
            assert (response.status, response.headers["x-thing"], await response.read()) == (200, "1", b"")
        assert await answer(http, server.url) == (200, b"two")


@both_ways
async def test_trailers_and_interim_answers_are_passed_over() -> None:
    interim = b"HTTP/1.1 103 Early Hints\r\nX-Thing: early\r\n\r\n"
    trailed = interim + head(200, CHUNKED) + chunked(b"one") + b"0\r\nX-Thing: late\r\n\r\n"
    async with scripted(says(trailed)) as server, HttpClient(trusted=[server.url]) as http:
        for _ in range(2):
            async with http.send(Request("GET", server.url)) as response:
                assert response.headers.get("X-Thing") is None
                assert await response.read() == b"one"
        assert server.connections == 1


@both_ways
@pytest.mark.parametrize(
    "beginning",
    [
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 10_000 + b"\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nX: " + b"x" * 1_000_000,
        b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\nContent-Length: x\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\none",
        b"HTTP/1.1 200 OK\r\nContent-Length: -3\r\n\r\none",
        b"<html>" * 1000,
    ],
    ids=["a long header", "an endless one", "another protocol", "two lengths", "a bad length", "a page"],
)
async def test_a_head_beyond_reason_is_an_error(beginning: bytes) -> None:
    async with scripted(hangs(beginning)) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(HttpError, match="does not answer in HTTP"):
            await answer(http, server.url)
        await server.left.wait()


async def test_what_came_before_nonsense_between_chunks_is_handed_out() -> None:
    async with (
        scripted(raw(head(200, CHUNKED) + chunked(b"one"), b"nonsense\r\n", cut=False)) as server,
        HttpClient(trusted=[server.url]) as http,
        http.send(Request("GET", server.url)) as response,
    ):
        assert await response.read_some() == b"one"
        with pytest.raises(BrokeOff, match="ended its answer before it was complete"):
            await response.read_some()


@both_ways
@pytest.mark.parametrize("coding", ["gzip", "deflate", "bare deflate"])
async def test_a_packed_answer_is_unpacked_whole(coding: str) -> None:
    text = b"some text " * 300_000
    if coding == "gzip":
        packed = gzip.compress(text)
    else:
        packed = zlib.compress(text)[2:-4] if coding == "bare deflate" else zlib.compress(text)
    reply = whole(packed, content_encoding=coding.split()[-1])
    async with scripted(reply) as server, HttpClient(trusted=[server.url]) as http:
        assert await answer(http, server.url) == (200, text)


@both_ways
async def test_what_is_not_packed_as_it_says_is_an_error() -> None:
    lie = whole(b"plain text", content_encoding="gzip")
    async with scripted(lie) as server, HttpClient(trusted=[server.url]) as http:
        with pytest.raises(HttpError):
            await answer(http, server.url)


@both_ways
async def test_a_server_waits_for_a_reader_who_is_slow() -> None:
    stuck, sent_bytes, piece = asyncio.Event(), 0, b"x" * 100_000

    async def endless(received: Received, line: Line) -> None:
        nonlocal sent_bytes
        await line.send(head(200, CHUNKED))
        while not stuck.is_set():
            line.writer.write(chunked(piece))
            sent_bytes += len(piece)
            try:
                async with asyncio.timeout(0.3):
                    await line.writer.drain()
            except TimeoutError:
                stuck.set()
        await line.send(END)

    async with (
        scripted(endless) as server,
        HttpClient(trusted=[server.url]) as http,
        http.send(Request("GET", server.url, max_body_bytes=1 << 40)) as response,
    ):
        await stuck.wait()
        assert len(await response.read_some()) < 2_000_000
        while await response.read_some():
            pass
    assert sent_bytes < 50_000_000  # what the kernel's buffers hold, and no more


@both_ways
async def test_many_at_once_have_a_connection_each_and_give_it_back() -> None:
    together = asyncio.Barrier(20)

    async def meets(received: Received, line: Line) -> None:
        await together.wait()
        await line.send(head(200, {"Content-Length": "2"}) + b"ok")

    async with scripted(meets) as server, HttpClient(trusted=[server.url]) as http:
        for _ in range(3):
            answers = await asyncio.gather(*(answer(http, server.url) for _ in range(20)))
            assert set(answers) == {(200, b"ok")}
        assert server.connections == 20


@both_ways
async def test_leaving_the_client_closes_what_it_kept() -> None:
    async with scripted(whole("one")) as server:
        async with HttpClient(trusted=[server.url]) as http:
            await answer(http, server.url)
            assert server.open
        await until_closed(server)


async def test_what_nobody_uses_is_closed_after_a_while(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pools, "IDLE_S", 0.05)
    async with scripted(whole("one")) as server, HttpClient(trusted=[server.url]) as http:
        await answer(http, server.url)
        await until_closed(server)
        assert await answer(http, server.url) == (200, b"one")
        assert server.connections == 2


@both_ways
async def test_a_cancelled_reader_leaves_a_client_that_works() -> None:
    stalls = hangs(head(200, CHUNKED) + chunked(b"one"))
    async with scripted(stalls, whole("two")) as server, HttpClient(trusted=[server.url]) as http:
        asking = asyncio.create_task(answer(http, server.url))
        await server.asked.wait()
        asking.cancel()
        await server.left.wait()
        with pytest.raises(asyncio.CancelledError):
            await asking
        assert await answer(http, server.url) == (200, b"two")


@both_ways
async def test_a_large_body_is_sent_whole() -> None:
    body = b"x" * 900_000
    async with scripted(whole("ok")) as server, HttpClient(trusted=[server.url]) as http:
        assert (await answer(http, server.url, "POST", body=body))[1] == b"ok"
        assert server.received[0].body == body


@pytest.mark.parametrize(
    "url",
    [
        "http://localhost",
        "http://127.0.0.1:8080/v1/chat/completions",
        "https://api.example.com/v1/",
        "https://api.example.com:443/v1.5/a-b_c~d",
        "http://my_model:80/v1",
        "http://a.b:65535/",
    ],
)
def test_a_plain_url_is_read_as_any_other_is(url: str) -> None:
    found, theirs = target_of(url, [url]), parsed(url)
    assert _plain(url)
    assert found.url == str(theirs)
    assert found.origin == str(theirs.origin())
    assert (found.host, found.port, found.path) == (theirs.raw_host, theirs.port, theirs.raw_path_qs)
    assert found.trusted
    assert found.secure == (theirs.scheme == "https")


@pytest.mark.parametrize(
    "url",
    [
        *(
            "http://a@b",
            "http://a\\b",
            "http://a/../b",
            "http://a/%2e",
            "http://A",
            "http://a:0",
            "http://a#b",
        ),
        *(
            "http://-a",
            "http://a-",
            "http://a//b",
            "http://[::1]",
            "http://ä",
            "http://a/b?c",
            "http://a:080",
        ),
        *("http://a\n", "http://a/ b", "http://a:99999", "ftp://a"),
    ],
)
def test_what_parsers_could_disagree_about_is_left_to_one(url: str) -> None:
    plain = _plain(url)
    assert plain is None or int(plain[3]) > 65535


def test_a_plain_request_needs_no_aiohttp() -> None:
    headers = {"Accept-Encoding": "identity", "Authorization": "Bearer x", "Content-Type": "application/json"}
    code = (
        "import asyncio, sys\n"
        "from hector_http import HttpClient, NO_RETRIES, Request, Unreachable\n"
        "async def main():\n"
        "    url = 'http://127.0.0.1:1'\n"
        "    async with HttpClient(trusted=[url]) as http:\n"
        "        try:\n"
        "            async with http.send(Request('GET', url, "
        + f"{headers}"
        + ", retries=NO_RETRIES)): pass\n"
        "        except Unreachable as error:\n"
        "            print(error)\n"
        "asyncio.run(main())\n"
        "sys.exit(', '.join({'aiohttp', 'yarl', 'multidict'} & set(sys.modules)) or 0)\n"
    )
    shown = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=30, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout == "cannot connect to http://127.0.0.1:1: connection refused\n"
