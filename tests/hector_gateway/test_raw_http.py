"""Bytes that no client should send; the server answers or hangs up, and goes on serving."""

import asyncio
import re
from typing import Any
from urllib.parse import urlsplit

import pytest

POST = b"POST /agents/helper HTTP/1.1\r\nHost: localhost\r\n"
JSON = b"Content-Type: application/json\r\n"

RAW = [
    b"\r\n\r\n",
    b"GET\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    b"GET /\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /agents/%ff%fe HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /agents/%00 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /agents/..%2f..%2fetc HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /agents?%zz=%&A2A-Version=%ff HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET http://localhost/agents HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET /health HTTP/1.1\r\nHost: localhost\r\nx-request-id: \xff\xfe\r\ntraceparent: \xff\r\n\r\n",
    b"GET /agents HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer \xff\xff\r\n\r\n",
    b"GET /agents/helper HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \xff,,,\r\n\r\n",
    POST + b"Content-Length: -5\r\n\r\n",
    POST + b"Content-Length: 999999999999999999999\r\n\r\n",
    POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
    POST + b"Transfer-Encoding: chunked\r\n\r\nzz\r\n",
    POST + JSON + b"Content-Length: 50\r\n\r\n{",
    POST + JSON + b"Expect: 100-continue\r\nContent-Length: 2\r\n\r\n{}",
    b"CONNECT localhost:80 HTTP/1.1\r\nHost: localhost\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
]


@pytest.mark.parametrize("data", RAW)
async def test_odd_bytes_do_no_harm(gateway: Any, data: bytes, caplog: pytest.LogCaptureFixture) -> None:
    place = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    writer.write(data)
    writer.write_eof()
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert b"Traceback" not in answer
    assert b" 500 " not in answer.split(b"\r\n")[0]
    assert [record for record in caplog.records if record.levelname in ("ERROR", "CRITICAL")] == []
    assert "result" in await gateway.rpc("GetTask", {"id": "t"})


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (POST + JSON + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n\r\n", "NOT_HTTP"),
        (POST + JSON + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n-1\r\n", "NOT_HTTP"),
        (POST + JSON + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\n{}", "NOT_HTTP"),
        (b"GET /agents HTTP/1.1\r\n\r\n", "NO_HOST"),
        (b"GET /live HTTP/1.1\r\n\r\n", "NO_HOST"),
    ],
)
async def test_what_is_no_request_is_told_so_wherever_that_shows(
    gateway: Any, data: bytes, reason: str
) -> None:
    """RFC 9112, sections 3.2, 6.3 and 7.1."""
    place = urlsplit(gateway.url)
    for pause in (False, True):
        reader, writer = await asyncio.open_connection(place.hostname, place.port)
        head, separator, rest = data.partition(b"\r\n\r\n")
        writer.write(head + separator)
        if pause:  # the gateway begins to serve it
            await writer.drain()
            await asyncio.sleep(0)
        writer.write(rest)
        async with asyncio.timeout(10):
            status = await reader.readline()
            answer = b"" if b" 400 " not in status else await reader.readuntil(b"}}")
        writer.close()
        assert b" 400 " in status
        assert reason.encode() in answer
        assert answer.count(b"HTTP/1.1") <= 1, "one answer, and no more"


async def test_a_broken_request_behind_another_is_not_told_in_its_answer(gateway: Any) -> None:
    place = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    good = b"GET /agents HTTP/1.1\r\nHost: localhost\r\n\r\n"
    writer.write(good + POST + b"Transfer-Encoding: chunked\r\n\r\nZZ\r\n")
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert b" 400 " not in answer.split(b"\r\n")[0]


async def test_requests_sent_at_once_are_answered_in_their_order(gateway: Any) -> None:
    """RFC 9112 section 9.3.2."""
    place = urlsplit(gateway.url)
    reader, writer = await asyncio.open_connection(place.hostname, place.port)
    paths = [b"/live", b"/nothing", b"/agents", b"/health"]
    last = b"GET /live HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    writer.write(b"".join(b"GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n" % path for path in paths) + last)
    async with asyncio.timeout(10):
        answer = await reader.read()
    writer.close()
    assert re.findall(rb"HTTP/1.1 (\d+)", answer) == [b"200", b"404", b"200", b"200", b"200"]
    found = [answer.index(sign) for sign in (b'"alive"', b'"error"', b'"agents"', b'"version"')]
    assert found == sorted(found)
