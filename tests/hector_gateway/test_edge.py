"""What callers of the public gRPC port are told when a call ends under them."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import grpc
import pytest

from hector_gateway.access import Access
from hector_gateway.edge import Edge
from hector_gateway.in_flight import InFlight


class Told(Exception):
    """What `abort` raises here."""


class FakeContext:
    """A caller on this machine."""

    def invocation_metadata(self) -> tuple[tuple[str, str], ...]:
        return ()

    def peer(self) -> str:
        return "ipv4:127.0.0.1:1"

    def time_remaining(self) -> None:
        return None

    async def abort(self, code: grpc.StatusCode, *details: Any) -> None:
        raise Told(code)


@pytest.fixture
def in_flight() -> InFlight:
    return InFlight()


@pytest.fixture
def edge(in_flight: InFlight) -> Edge:
    return Edge(Access((), required=False, local_only=True), in_flight, lambda: "1.0.1")


async def test_a_call_that_ends_because_the_server_stops_says_so(edge: Edge, in_flight: InFlight) -> None:
    async def ended(request: object, visit: object) -> AsyncIterator[str]:
        yield "first"
        raise asyncio.CancelledError

    stream = edge.stream(ended)(None, FakeContext())
    assert await anext(stream) == "first"
    in_flight.end_streams()
    with pytest.raises(Told, match="UNAVAILABLE"):
        await anext(stream)


async def test_a_stream_that_is_closed_while_the_server_stops_tells_nobody(
    edge: Edge, in_flight: InFlight
) -> None:
    async def endless(request: object, visit: object) -> AsyncIterator[str]:
        while True:
            yield "more"

    stream = edge.stream(endless)(None, FakeContext())
    assert await anext(stream) == "more"
    in_flight.end_streams()
    await stream.aclose()
