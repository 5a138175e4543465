"""The proxy of a plugin: lets through what is allowed, refuses everything else, and says so."""

import asyncio
import logging
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest

from hector_plugin_host.sandbox import outward
from hector_plugin_host.sandbox.gate import Gate
from hector_plugin_host.sandbox.networks import policy

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]
Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@asynccontextmanager
async def serving(serve: Serve) -> AsyncIterator[int]:
    """Serve at a port, until all who came have been served."""
    served: set[asyncio.Task[None]] = set()

    async def kept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        served.add(task)
        await serve(reader, writer)

    server = await asyncio.start_server(kept, "127.0.0.1", 0)
    async with server:
        yield server.sockets[0].getsockname()[1]
    await asyncio.gather(*served)  # none of them with an error


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(1000):
        writer.write(data.upper())
    await outward.hang_up(writer)


async def asked(port: int, request: bytes, length: int = 4096) -> tuple[bytes, Streams]:
    line = await asyncio.open_connection("127.0.0.1", port)
    line[1].write(request)
    return await line[0].read(length), line


async def test_an_allowed_place_is_connected_to() -> None:
    async with asyncio.timeout(10), serving(echo) as place:
        gate = Gate("p", policy((f"localhost:{place}",)))
        async with serving(gate.serve) as port:
            answer, (reader, writer) = await asked(port, b"CONNECT localhost:%d HTTP/1.1\r\n\r\n" % place)
            assert answer == b"HTTP/1.1 200 Connection established\r\n\r\n"
            writer.write(b"words")
            writer.write_eof()
            assert await reader.read() == b"WORDS"
            writer.close()


async def test_any_other_place_is_refused_and_reported(caplog: pytest.LogCaptureFixture) -> None:
    async with asyncio.timeout(10):
        gate = Gate("p", policy(("*.example.com",)))
        async with serving(gate.serve) as port:
            with caplog.at_level(logging.WARNING):
                answer, (_, writer) = await asked(port, b"CONNECT evil.test:443 HTTP/1.1\r\n\r\n")
            writer.close()
    assert answer.startswith(b"HTTP/1.1 403 Forbidden\r\n")
    assert answer.endswith(b"evil.test:443 is not in allowed_networks of plugin p\n")
    (record,) = [one for one in caplog.records if one.name == "hector_plugin_host.security"]
    assert (record.__dict__["event"], record.__dict__["host"], record.__dict__["port"]) == (
        "network_refused",
        "evil.test",
        443,
    )


async def test_a_name_that_leads_back_to_this_machine_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    async with asyncio.timeout(10), serving(echo) as place:
        gate = Gate("p", policy(("*.example.com",)))
        resolved(monkeypatch, "rebound.example.com", "127.0.0.1")
        async with serving(gate.serve) as port:
            request = b"CONNECT rebound.example.com:%d HTTP/1.1\r\n\r\n" % place
            answer, (_, writer) = await asked(port, request)
            writer.close()
    assert answer.startswith(b"HTTP/1.1 403")
    assert b"this machine's loopback; list that address itself" in answer


async def test_a_name_that_is_not_listed_is_not_even_resolved(monkeypatch: pytest.MonkeyPatch) -> None:
    async def resolve(*_: object, **__: object) -> object:
        raise AssertionError("a question to a name server leaves the machine")

    async with asyncio.timeout(10):
        gate = Gate("p", policy(("10.0.0.0/8", "a.example")))
        async with serving(gate.serve) as port:
            monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", resolve)
            line = await asyncio.open_connection("127.0.0.1", port)
            line[1].write(b"CONNECT secret-words.evil.test:443 HTTP/1.1\r\n\r\n")
            assert (await line[0].read(100)).startswith(b"HTTP/1.1 403")
            line[1].close()


async def test_plain_http_is_handed_on_for_one_request() -> None:
    heads: list[bytes] = []

    async def page(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\npage")
        await outward.hang_up(writer)

    async with asyncio.timeout(10), serving(page) as place:
        gate = Gate("p", policy((f"localhost:{place}",)))
        async with serving(gate.serve) as port:
            request = (
                b"GET http://localhost:%d/path?q=1 HTTP/1.1\r\nHost: localhost\r\n"
                b"Proxy-Connection: keep-alive\r\nX-Own: 1\r\n\r\n" % place
            )
            _, (reader, writer) = await asked(port, request, 0)
            assert (await reader.read()).endswith(b"page")
            writer.close()
    assert heads == [b"GET /path?q=1 HTTP/1.1\r\nHost: localhost\r\nX-Own: 1\r\nConnection: close\r\n\r\n"]


async def test_socks_is_spoken_too() -> None:
    async with asyncio.timeout(10), serving(echo) as place:
        gate = Gate("p", policy((f"localhost:{place}",)))
        async with serving(gate.serve) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x05\x01\x00")
            assert await reader.readexactly(2) == b"\x05\x00"
            writer.write(b"\x05\x01\x00\x03\x09localhost" + place.to_bytes(2, "big"))
            assert (await reader.readexactly(10))[1] == 0
            writer.write(b"words")
            assert await reader.readexactly(5) == b"WORDS"
            writer.close()


@pytest.mark.parametrize(
    ("request_bytes", "answer"),
    [
        (b"\x05\x01\x00\x05\x01\x00\x01\x7f\x00\x00\x01\x00\x50", 2),
        (b"\x05\x01\x00\x05\x01\x00\x03\x04evil\x01\xbb", 2),
        (b"\x05\x01\x00\x05\x02\x00\x01\x7f\x00\x00\x01\x00\x50", 7),
        (b"\x05\x01\x00\x05\x01\x00\x04" + b"\0" * 15 + b"\x01\x00\x50", 2),
    ],
)
async def test_socks_refuses_as_well(request_bytes: bytes, answer: int) -> None:
    async with asyncio.timeout(10):
        gate = Gate("p", policy(("*.example.com",)))
        async with serving(gate.serve) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(request_bytes)
            assert (await reader.readexactly(12))[3] == answer
            writer.close()


@pytest.mark.parametrize(
    "nonsense",
    [
        b"\0\0\0\0",
        b"GET\r\n\r\n",
        b"\x05\xff",
        b"CONNECT x:99999 HTTP/1.1\r\n\r\n",
        b"GET http://[::1/ HTTP/1.1\r\n\r\n",
        b"GET http://x:99999/ HTTP/1.1\r\n\r\n",
        b"GET http://x:one/ HTTP/1.1\r\n\r\n",
    ],
)
async def test_nonsense_is_hung_up_on(nonsense: bytes) -> None:
    async with asyncio.timeout(10):
        gate = Gate("p", policy(("*.example.com",)))
        async with serving(gate.serve) as port:
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(nonsense)
            writer.write_eof()
            assert await reader.read() == b""
            writer.close()


@pytest.mark.parametrize(
    "name",
    [b"a..example.com", b"x" * 64 + b".example.com", b"\0.example.com", b"\xe9\xe9" * 40 + b".example.com"],
)
async def test_a_name_that_is_none_cannot_be_reached(name: bytes) -> None:
    async with asyncio.timeout(10):
        gate = Gate("p", policy(("*.example.com",)))
        async with serving(gate.serve) as port:
            answer, (_, writer) = await asked(port, b"CONNECT %s:443 HTTP/1.1\r\n\r\n" % name)
            writer.close()
    assert answer.startswith(b"HTTP/1.1 502")


async def test_a_page_that_is_asked_of_the_proxy_itself_is_refused() -> None:
    async with asyncio.timeout(10):
        gate = Gate("p", policy(("*.example.com",)))
        async with serving(gate.serve) as port:
            answer, (_, writer) = await asked(port, b"GET /index.html HTTP/1.1\r\n\r\n")
            writer.close()
    assert answer.startswith(b"HTTP/1.1 400")


async def test_what_is_allowed_and_not_there_is_no_refusal() -> None:
    async with asyncio.timeout(10):
        async with serving(echo) as gone:
            pass
        with pytest.raises(outward.Unreachable, match="cannot be reached"):
            await outward.connect("p", policy((f"localhost:{gone}",)), "localhost", gone)


def resolved(monkeypatch: pytest.MonkeyPatch, name: str, address: str) -> None:
    loop = asyncio.get_running_loop()
    really = loop.getaddrinfo

    async def resolve(host: str, *arguments: object, **settings: object) -> object:
        return await really(address if host == name else host, *arguments, **settings)  # type: ignore[arg-type]

    monkeypatch.setattr(loop, "getaddrinfo", resolve)


async def pair() -> tuple[Streams, Streams]:
    """Return the two ends of a connection."""
    ends = socket.socketpair()
    one, other = [await asyncio.open_connection(sock=end) for end in ends]
    return one, other


async def test_both_sides_are_closed_when_nobody_waits_until_the_first_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waits = asyncio.Event()

    async def never(_: asyncio.StreamWriter) -> None:
        waits.set()
        await asyncio.Event().wait()

    monkeypatch.setattr(outward, "hang_up", never)
    async with asyncio.timeout(10):
        (one, its_peer), (other, the_others_peer) = await pair(), await pair()
        carrying = asyncio.create_task(outward.splice(one, other))
        its_peer[1].close()
        the_others_peer[1].close()
        await waits.wait()
        carrying.cancel()
        await asyncio.wait([carrying])
        assert one[1].is_closing()
        assert other[1].is_closing()
