"""An answer's head waits for its body, and for nothing else."""

import asyncio

import pytest

from hector_gateway.joined import Joined

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"


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


@pytest.fixture
def transport() -> Transport:
    return Transport()


def test_head_and_body_leave_together(transport: Transport) -> None:
    answer = Joined(transport)
    answer.write(HEAD)
    answer.write(b"ok")
    assert transport.written == [HEAD + b"ok"]


def test_every_later_piece_leaves_at_once(transport: Transport) -> None:
    answer = Joined(transport)
    for piece in (HEAD, b"a", b"b", HEAD):  # a body may look like a head
        answer.write(piece)
    assert transport.written == [HEAD + b"a", b"b", HEAD]


def test_an_interim_answer_does_not_wait(transport: Transport) -> None:
    answer = Joined(transport)
    answer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert transport.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    answer.write(HEAD)
    answer.write(b"ok")
    assert transport.written[1:] == [HEAD + b"ok"]


def test_a_head_without_a_body_leaves_when_the_connection_is_closed(transport: Transport) -> None:
    answer = Joined(transport)
    answer.write(HEAD)
    answer.close()
    assert transport.written == [HEAD, b"(closed)"]
    assert answer.is_closing()


def test_what_is_written_to_a_broken_connection_is_lost() -> None:
    """uvloop refuses it; the client is gone, and there is nothing to tell."""
    transport = Broken()
    answer = Joined(transport)
    answer.write(HEAD)
    with pytest.raises(RuntimeError):
        answer.write(b"ok")
    transport.close()
    answer.write(b"ok")
    answer.close()
    assert transport.written == [b"(closed)"] * 2


class Broken(Transport):
    """Takes nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        raise RuntimeError("unable to perform operation on a closed handle")
