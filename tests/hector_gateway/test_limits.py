"""What clients may take, and how slow they may be: each limit ends in words, and the server goes on."""

import asyncio
import contextlib
import json
import os
import socket

import pytest

from hector_gateway.errors import CannotServe
from hector_gateway.listening import bound
from hector_mesh.occupant import occupant


@contextlib.asynccontextmanager
async def connected(gateway):
    reader, writer = await asyncio.open_connection("127.0.0.1", int(gateway.url.rpartition(":")[2]))
    try:
        async with asyncio.timeout(10):
            yield reader, writer
    finally:
        writer.close()


async def told(reader):
    """Return status and error of an answer that ends the connection."""
    text = (await reader.read()).decode()
    head, _, body = text.partition("\r\n\r\n")
    return int(head.split()[1]), head.lower(), json.loads(body)["error"]


async def test_headers_beyond_the_limit_get_a_431(start_gateway):
    gateway = await start_gateway(limits={"max_header_size": 2048})
    async with connected(gateway) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: " + b"a" * 3000 + b"\r\n\r\n")
        status, _, error = await told(reader)
    assert status == 431
    assert "server.limits.max_header_size" in error["message"]


async def test_a_header_that_never_ends_is_cut_off_at_the_limit(start_gateway):
    gateway = await start_gateway(limits={"max_header_size": 2048})
    async with connected(gateway) as (reader, writer):
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\nX-A: ")
        for _ in range(3):
            writer.write(b"a" * 1000)
            await writer.drain()
        status, _, _ = await told(reader)
    assert status == 431


async def test_too_many_headers_get_a_431(start_gateway):
    gateway = await start_gateway(limits={"max_headers": 10})
    async with connected(gateway) as (reader, writer):
        many = b"".join(b"X-%d: 1\r\n" % number for number in range(11))
        writer.write(b"GET /health HTTP/1.1\r\nHost: localhost\r\n" + many + b"\r\n")
        status, _, error = await told(reader)
    assert status == 431
    assert "10 lines" in error["message"]


async def test_headers_that_trickle_in_end_with_a_408(start_gateway):
    gateway = await start_gateway(limits={"header_timeout": 0.1})
    async with connected(gateway) as (reader, writer):
        writer.write(b"GET /health HT")
        status, _, error = await told(reader)
    assert status == 408
    assert error["details"][0]["reason"] == "HEADERS_TOO_SLOW"


async def test_headers_of_a_second_request_may_not_trickle_in_either(start_gateway):
    gateway = await start_gateway(limits={"header_timeout": 0.1})
    async with connected(gateway) as (reader, writer):
        writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
        await reader.readuntil(b'alive"}')
        writer.write(b"GET /live")
        status, _, _ = await told(reader)
    assert status == 408


async def test_a_connection_on_which_nothing_is_asked_is_closed(start_gateway):
    gateway = await start_gateway(limits={"header_timeout": 0.1})
    async with connected(gateway) as (reader, _):
        assert await reader.read() == b""


async def test_what_is_no_http_is_told_so(gateway):
    async with connected(gateway) as (reader, writer):
        writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
        status, _, error = await told(reader)
    assert status == 400
    assert "no HTTP/1.1 request" in error["message"]


async def test_connections_beyond_the_limit_get_a_503_and_later_ones_are_taken_again(start_gateway):
    gateway = await start_gateway(limits={"max_connections": 2})
    async with connected(gateway) as (first, asks), connected(gateway) as (other, also_asks):
        for reader, writer in ((first, asks), (other, also_asks)):
            writer.write(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n")
            await reader.readuntil(b'alive"}')
        async with connected(gateway) as (reader, _):
            status, head, error = await told(reader)
        assert status == 503
        assert "retry-after: 5" in head
        assert "server.limits.max_connections" in error["message"]
    async with asyncio.timeout(5):
        while True:
            async with gateway.http.get(gateway.url + "/live") as answer:
                if answer.status == 200:
                    break
            await asyncio.sleep(0)


async def test_streams_beyond_the_limit_get_a_503_and_start_nothing(start_gateway):
    gateway = await start_gateway(limits={"max_streams": 1})
    async with gateway.stream("SendStreamingMessage", gateway.said("held")) as held:
        await held.content.readline()
        asked = len(gateway.fake.calls)
        async with gateway.stream("SendStreamingMessage", gateway.said("two words")) as refused:
            assert refused.status == 503
            assert refused.headers["Retry-After"] == "5"
            error = (await refused.json())["error"]
        assert "1 open streams already" in error["message"]
        assert len(gateway.fake.calls) == asked
        gateway.fake.let_go.set()
        await held.read()
    assert await gateway.events("SendStreamingMessage", gateway.said("two words"))


async def test_a_body_of_100_megabytes_gets_a_413_without_being_read(start_gateway):
    gateway = await start_gateway()
    curl = await asyncio.create_subprocess_exec(
        *("curl", "--silent", "--max-time", "20", "--write-out", "%{http_code}"),
        *("-H", "Content-Type: application/json", "--data-binary", "@-", gateway.url + "/agents/helper"),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        env={**os.environ, "no_proxy": "*"},
    )
    out, _ = await curl.communicate(b"x" * 100_000_000)
    assert out.endswith(b"413")
    assert b"server.limits.max_body_size" in out


def test_who_has_the_port_is_named():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"(process {os.getpid()})" in occupant(port)
        with pytest.raises(
            CannotServe, match=rf"in use by .*\(process {os.getpid()}\); choose another with --port"
        ):
            bound("127.0.0.1", port)


def test_a_port_that_nobody_has_belongs_to_nobody():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    assert occupant(port) == ""


async def test_a_server_that_is_told_to_stop_says_so_before_it_goes(start_gateway):
    gateway = await start_gateway(shutdown_delay=2)
    stopping = asyncio.create_task(gateway.stop())
    async with asyncio.timeout(5):
        while True:
            async with gateway.http.get(gateway.url + "/ready") as answer:
                if answer.status == 503:
                    assert (await answer.json())["reasons"] == ["the server is stopping"]
                    break
            await asyncio.sleep(0)
        found = await gateway.rpc("SendMessage", gateway.said("still here"))
        assert found["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED"
        await stopping


async def test_answers_say_what_they_are(gateway):
    async with gateway.http.get(gateway.url + "/agents") as answer:
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
