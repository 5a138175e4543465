"""What a stream costs that waits: the memory of one `hector serve` before and after a thousand are open.

    python bench/idle_streams.py [--streams 1000] [--only rpc-send]

Every stream has got its task and a first word, and waits for more. `send`: each has a task of its own, that
a handler in code works on; `subscribe`: all follow one task. Memory is PSS; the clients are this process.
"""

import argparse
import asyncio
import json
import tempfile
import time
from pathlib import Path

import grpc.aio
import uvloop
from processes import free_port, memory_mb, serving

import hector_a2a as a2a

HANDLER = """
import asyncio

async def wait(turn):
    yield "hello"
    await asyncio.Event().wait()
"""
CONFIG = """
agents:
  idle: {type: custom, handler: "idle:wait", timeout: 1h}
storage: {database: inmemory}
server: {limits: {max_streams: 20000, max_connections: 20000}}
"""
KINDS = ("rpc-send", "rpc-subscribe", "grpc-send", "grpc-subscribe")
SETTLED_S = 3.0
FIRST_WORD_S = 60.0


class Reader(asyncio.Protocol):
    """A client that has asked for a stream, and counts its events."""

    def __init__(self, request: bytes, wanted: int) -> None:
        self.request, self.left = request, wanted
        self.begun = asyncio.Event()
        self.data = b""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if self.data.count(b"\ndata:") + self.data.count(b"\r\ndata:") >= self.left:
            self.begun.set()


def posted(method: str, params: object) -> bytes:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
    head = "POST /agents/idle HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}A2A-Version: 1.0\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def said() -> bytes:
    message = {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "hi"}]}
    return posted("SendStreamingMessage", {"message": message})


async def opened(port: int, request: bytes, wanted: int) -> Reader:
    _, reader = await asyncio.get_running_loop().create_connection(
        lambda: Reader(request, wanted), "127.0.0.1", port
    )
    async with asyncio.timeout(FIRST_WORD_S):
        await reader.begun.wait()
    return reader


def task_in(reader: Reader) -> str:
    for line in reader.data.split(b"\n"):
        if line.startswith(b"data: "):
            return str(json.loads(line[6:])["result"]["task"]["id"])
    raise AssertionError(reader.data)


async def over_http(port: int, streams: int, *, subscribe: bool) -> list[Reader]:
    readers = [await opened(port, said(), 2)]
    request, wanted = said(), 2
    if subscribe:
        request, wanted = posted("SubscribeToTask", {"id": task_in(readers[0])}), 1
    while len(readers) <= streams:
        readers += await asyncio.gather(*(opened(port, request, wanted) for _ in range(50)))
    return readers


async def over_grpc(channel: grpc.aio.Channel, streams: int, *, subscribe: bool) -> list[object]:
    stub = a2a.A2AServiceStub(channel)
    request = a2a.SendMessageRequest(tenant="idle")
    request.message.message_id, request.message.role = "m", a2a.ROLE_USER
    request.message.parts.add(text="hi")

    async def one(call: grpc.aio.UnaryStreamCall, wanted: int) -> tuple[object, str]:
        async with asyncio.timeout(FIRST_WORD_S):
            first = await call.read()
            for _ in range(wanted - 1):
                await call.read()
        return call, first.task.id

    call, task = await one(stub.SendStreamingMessage(request), 2)
    calls = [call]
    while len(calls) <= streams:
        if subscribe:
            more = [
                one(stub.SubscribeToTask(a2a.SubscribeToTaskRequest(tenant="idle", id=task)), 1)
                for _ in range(50)
            ]
        else:
            more = [one(stub.SendStreamingMessage(request), 2) for _ in range(50)]
        calls += [call for call, _ in await asyncio.gather(*more)]
    return calls


async def measured(kind: str, port: int, grpc_port: int, pid: int, streams: int) -> None:
    subscribe = kind.endswith("subscribe")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{grpc_port}") as channel:
        if kind.startswith("rpc"):
            warm: list = await over_http(port, 50, subscribe=subscribe)
        else:
            warm = await over_grpc(channel, 50, subscribe=subscribe)
        await asyncio.sleep(SETTLED_S)
        before, began = memory_mb(pid), time.perf_counter()
        if kind.startswith("rpc"):
            held: list = await over_http(port, streams, subscribe=subscribe)
        else:
            held = await over_grpc(channel, streams, subscribe=subscribe)
        took_s = time.perf_counter() - began
        await asyncio.sleep(SETTLED_S)
        after = memory_mb(pid)
        each_kib = (after - before) * 1024 / streams
        print(
            f"{kind:15} {len(held)} streams  {before:6.1f} -> {after:6.1f} MiB"
            f"  {each_kib:6.1f} KiB each  opened in {took_s:.1f} s  ({len(warm)} to warm up)",
            flush=True,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--streams", type=int, default=1000)
    parser.add_argument("--only", choices=KINDS)
    given = parser.parse_args()
    for kind in [given.only] if given.only else KINDS:
        with tempfile.TemporaryDirectory(prefix="hector-idle-") as folder:
            Path(folder, "idle.py").write_text(HANDLER, encoding="utf-8")
            Path(folder, "hector.yaml").write_text(CONFIG, encoding="utf-8")
            grpc_port = free_port()
            with serving(Path(folder), "--config", "hector.yaml", grpc_port=grpc_port) as server:
                pid = server.pids["hector"]
                uvloop.run(measured(kind, server.port, grpc_port, pid, given.streams))


if __name__ == "__main__":
    main()
