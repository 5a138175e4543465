"""What a call through the mesh costs: in process, over a unix socket, over TCP.

    python bench/mesh.py

Prints microseconds per unary call and per streamed message, and calls a second with 32 callers.
Token streams over sockets are measured as they are and coalesced.
"""

import asyncio
import tempfile
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

import grpc.aio

from hector.llm.v1 import (
    GenerateTextRequest,
    GenerateTextResponse,
    LLMProviderServicer,
    LLMProviderStub,
    StreamTextRequest,
    StreamTextResponse,
    add_LLMProviderServicer_to_server,
)
from hector_mesh import Context, LocalChannel, LocalServer, Mesh, streaming, wire_channel, wire_server
from hector_mesh.coalescing import Merge

SERVICE = "hector.llm.v1.LLMProvider"
CALLS = 3_000
PIECES = 20_000
CALLERS = 32


class Words(LLMProviderServicer):
    """Answers at once, so that what is measured is the way."""

    async def GenerateText(  # noqa: N802  gRPC chooses the name
        self, request: GenerateTextRequest, context: Context
    ) -> GenerateTextResponse:
        return GenerateTextResponse(text=request.prompt)

    async def StreamText(  # noqa: N802
        self, request: StreamTextRequest, context: Context
    ) -> AsyncIterator[StreamTextResponse]:
        for number in range(int(request.prompt)):
            yield StreamTextResponse(text="word ")
            if number % 8 == 7:
                await asyncio.sleep(0)  # pieces of a real answer arrive a few at a time


def joined(first: StreamTextResponse, second: StreamTextResponse) -> StreamTextResponse | None:
    first.text += second.text
    return first


@asynccontextmanager
async def local(_: Path) -> AsyncIterator[grpc.aio.Channel]:
    server = LocalServer()
    add_LLMProviderServicer_to_server(Words(), server)
    yield LocalChannel(server)
    await server.stop(None)


@asynccontextmanager
async def wire(
    listen: str, merges: Mapping[str, Merge[StreamTextResponse]] | None = None
) -> AsyncIterator[grpc.aio.Channel]:
    server = wire_server(listen, merges=merges, token="secret")
    add_LLMProviderServicer_to_server(Words(), server)
    async with server, wire_channel(server.address, token="secret") as channel:
        yield channel


async def measure(name: str, channel: grpc.aio.Channel) -> None:
    stub = LLMProviderStub(Mesh({SERVICE: channel}))
    request = GenerateTextRequest(prompt="hello there", model="fast")
    for _ in range(CALLS // 10):
        await stub.GenerateText(request)
    began = time.perf_counter()
    for _ in range(CALLS):
        await stub.GenerateText(request)
    unary_us = (time.perf_counter() - began) / CALLS * 1e6

    async def one() -> None:
        for _ in range(CALLS // CALLERS):
            await stub.GenerateText(request)

    began = time.perf_counter()
    await asyncio.gather(*(one() for _ in range(CALLERS)))
    calls_s = CALLS // CALLERS * CALLERS / (time.perf_counter() - began)

    began = time.perf_counter()
    received = words = 0
    async with streaming(stub.StreamText(StreamTextRequest(prompt=str(PIECES)))) as pieces:
        async for piece in pieces:
            received += 1
            words += piece.text.count(" ")
    piece_us = (time.perf_counter() - began) / PIECES * 1e6
    assert words == PIECES
    print(
        f"{name:24} {unary_us:8.1f} us/call {calls_s:9,.0f} calls/s {piece_us:8.2f} us/piece "
        f"{received:7,} messages for {PIECES:,} pieces"
    )


async def main() -> None:
    with tempfile.TemporaryDirectory(prefix="hector-") as folder:
        socket = f"unix:{folder}/mesh.sock"
        merges = {f"/{SERVICE}/StreamText": joined}
        async with local(Path(folder)) as channel:
            await measure("in process", channel)
        async with wire(socket) as channel:
            await measure("unix socket", channel)
        async with wire(socket, merges) as channel:
            await measure("unix socket, coalesced", channel)
        async with wire("127.0.0.1:0") as channel:
            await measure("tcp", channel)
        async with wire("127.0.0.1:0", merges) as channel:
            await measure("tcp, coalesced", channel)


if __name__ == "__main__":
    asyncio.run(main())
