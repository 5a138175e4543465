"""An answer's head waits for its body, and for nothing else; what is left unanswered is ended."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from uvicorn.protocols.http.flow_control import FlowControl

from hector_gateway.cycle import Cycle
from hector_gateway.exchange import ClientLeft

HEAD = b"HTTP/1.1 200 OK\r\ndate: today\r\n"
CHUNKED = HEAD + b"transfer-encoding: chunked\r\n\r\n"


class Transport(asyncio.Transport):
    """Keeps what is written, write by write."""

    def __init__(self) -> None:
        super().__init__()
        self.written: list[bytes] = []

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.written.append(bytes(data))

    def close(self) -> None:
        self.written.append(b"(closed)")

    def is_closing(self) -> bool:
        return self.written[-1:] == [b"(closed)"]

    def resume_reading(self) -> None:
        pass


class Broken(Transport):
    """Takes nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("unable to perform operation on a closed handle")


class Connection:
    """One client's."""

    client = ("127.0.0.1", 1)

    def __init__(self, transport: Transport) -> None:
        self.transport, self.flow = transport, FlowControl(transport)
        self.leaving: list[Callable[[], None]] = []
        self.answered = 0

    def on_response_complete(self) -> None:
        self.answered += 1


def asked(
    verb: str = "POST", *, on: Transport | None = None, headers: Any = (), version: str = "1.1"
) -> tuple[Cycle, Transport]:
    transport = on or Transport()
    always = [(b"date", b"today")]
    cycle = Cycle(
        Connection(transport),
        verb,
        "/",
        b"/",
        b"",
        version,
        list(headers),
        always,
        keep_alive=version == "1.1",
    )
    return cycle, transport


async def test_head_and_body_leave_together() -> None:
    cycle, transport = asked()
    await cycle.answer(200, ((b"a", b"b"),), b"ok")
    assert transport.written == [HEAD + b"a: b\r\ncontent-length: 2\r\n\r\nok"]


async def test_every_later_piece_leaves_at_once() -> None:
    cycle, transport = asked()
    await cycle.begin(200, ())
    assert transport.written == []
    for piece in (b"a", HEAD):  # a body may look like a head
        await cycle.send(piece, more=True)
    assert cycle.send_at_once(b"b")
    await cycle.send(b"", more=False)
    assert transport.written == [
        CHUNKED + b"1\r\na\r\n",
        b"%x\r\n%b\r\n" % (len(HEAD), HEAD),
        b"1\r\nb\r\n",
        b"0\r\n\r\n",
    ]


async def test_an_older_client_gets_pieces_without_chunks_until_its_connection_ends() -> None:
    """RFC 9112 6.1: a server must not send what is chunked to a client of HTTP/1.0."""
    cycle, transport = asked(version="1.0")
    await cycle.begin(200, ())
    for piece in (b"a", b"b"):
        await cycle.send(piece, more=True)
    await cycle.send(b"", more=False)
    assert b"".join(transport.written) == HEAD + b"connection: close\r\n\r\nab(closed)"


async def test_a_head_request_gets_the_length_and_no_body() -> None:
    cycle, transport = asked("HEAD")
    await cycle.answer(200, (), b"ok")
    assert transport.written == [HEAD + b"content-length: 2\r\n\r\n"]


async def test_an_answer_without_a_body_says_nothing_of_its_length() -> None:
    cycle, transport = asked()
    await cycle.answer(204, (), b"")
    assert transport.written == [b"HTTP/1.1 204 No Content\r\ndate: today\r\n\r\n"]


async def test_who_waits_to_be_invited_is_invited_once_and_at_once() -> None:
    cycle, transport = asked(headers=[(b"expect", b"100-Continue")])
    for piece in (b"x", b"y"):
        reading = asyncio.ensure_future(cycle.piece())
        await asyncio.sleep(0)
        assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
        cycle.take(piece)
        assert await reading == piece
    cycle.arrived()
    await cycle.answer(200, (), b"ok")
    assert transport.written[1:] == [HEAD + b"content-length: 2\r\n\r\nok"]


async def test_a_body_that_stops_coming_ends_with_its_client() -> None:
    cycle, _ = asked()
    reading = asyncio.ensure_future(cycle.piece())
    await asyncio.sleep(0)
    cycle.leave()
    with pytest.raises(ClientLeft):
        await reading


async def test_what_is_written_to_a_broken_connection_is_lost() -> None:
    """uvloop refuses it; the client is gone, and there is nothing to tell."""
    cycle, transport = asked(on=Broken())
    await cycle.begin(200, ())
    with pytest.raises(RuntimeError):
        await cycle.send(b"ok", more=True)
    transport.close()
    await cycle.send(b"ok", more=True)
    assert transport.written == [b"(closed)"]


async def test_a_header_that_would_end_itself_is_not_sent() -> None:
    cycle, transport = asked()
    with pytest.raises(RuntimeError):
        await cycle.answer(200, ((b"a", b"b\r\nc: d"),), b"ok")
    assert transport.written == []


async def breaks(cycle: Cycle) -> None:
    raise ValueError


async def breaks_off(cycle: Cycle) -> None:
    await cycle.begin(200, ())
    raise ValueError


async def is_cancelled(cycle: Cycle) -> None:
    raise asyncio.CancelledError


async def says_nothing(cycle: Cycle) -> None:
    pass


@pytest.mark.parametrize("serve", [breaks, is_cancelled, says_nothing])
async def test_who_is_left_without_an_answer_is_told_so(serve: Callable[[Cycle], Awaitable[None]]) -> None:
    cycle, transport = asked()
    await asyncio.wait([asyncio.ensure_future(cycle.run(serve))])
    said, closed = transport.written
    assert said.startswith(b"HTTP/1.1 500 Internal Server Error\r\n")
    assert b"connection: close\r\n" in said
    assert closed == b"(closed)"


async def test_an_answer_that_breaks_off_takes_its_connection_along() -> None:
    cycle, transport = asked()
    await cycle.run(breaks_off)
    assert transport.written == [CHUNKED, b"(closed)"]
