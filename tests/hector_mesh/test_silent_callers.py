"""Who connects to a server and says nothing does not stay, and does no harm to it."""

import asyncio

import pytest

from hector_mesh import wire_server

BEGINNINGS = {"nothing": b"", "half of a beginning": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"}


@pytest.mark.parametrize("said", BEGINNINGS)
async def test_who_says_nothing_is_let_go_and_the_server_stops_in_order_after_that(said: str) -> None:
    async with asyncio.timeout(10), wire_server("127.0.0.1:0", handshake_s=0.2) as server:
        caller, writer = await asyncio.open_connection("127.0.0.1", int(server.address.rpartition(":")[2]))
        try:
            writer.write(BEGINNINGS[said])
            while await caller.read(1000):
                pass  # how the server speaks HTTP/2, and that it has had enough
        finally:
            writer.close()
