"""What the border costs: requests/s and streams/s in front of an agent that answers at once.

Run: python bench/gateway.py [seconds]. Server and client are two processes; 32 connections.
"""

# ruff: noqa: N802  gRPC chooses the names of servicer methods

import asyncio
import multiprocessing
import sys
import time
from collections.abc import AsyncIterator

import orjson
import uvloop

CHUNKS = 20
CONNECTIONS = 32


def serve(port: "multiprocessing.Queue[int]") -> None:
    import hector_a2a as a2a
    from hector.agent.v1 import (
        VISIBILITY_PUBLIC,
        Agent,
        AgentServiceServicer,
        ListAgentsRequest,
        ListAgentsResponse,
        add_AgentServiceServicer_to_server,
    )
    from hector_gateway.config import GatewaySection
    from hector_gateway.room import Border
    from hector_mesh import Context, LocalChannel, LocalServer, Mesh

    class Agents(AgentServiceServicer):
        async def ListAgents(self, request: ListAgentsRequest, context: Context) -> ListAgentsResponse:
            return ListAgentsResponse(
                agents=[Agent(name="a", streaming=True, default=True, visibility=VISIBILITY_PUBLIC)]
            )

    class Answers(a2a.A2AServiceServicer):
        async def SendMessage(
            self, request: a2a.SendMessageRequest, context: Context
        ) -> a2a.SendMessageResponse:
            return a2a.SendMessageResponse(task=task("word " * CHUNKS, a2a.TASK_STATE_COMPLETED))

        async def SendStreamingMessage(
            self, request: a2a.SendMessageRequest, context: Context
        ) -> AsyncIterator[a2a.StreamResponse]:
            yield a2a.StreamResponse(task=task("", a2a.TASK_STATE_WORKING))
            piece = a2a.StreamResponse()
            update = piece.artifact_update
            update.task_id, update.context_id, update.append = "t", "c", True
            update.artifact.artifact_id = "a"
            update.artifact.parts.add(text="word ")
            for number in range(CHUNKS):
                update.metadata["hector.seq"] = str(number)
                yield piece
            last = a2a.StreamResponse()
            last.status_update.task_id, last.status_update.context_id = "t", "c"
            last.status_update.status.state = a2a.TASK_STATE_COMPLETED
            yield last

    def task(text: str, state: "a2a.TaskState") -> a2a.Task:
        found = a2a.Task(id="t", context_id="c", status=a2a.TaskStatus(state=state))
        if text:
            found.artifacts.add(artifact_id="a").parts.add(text=text)
        return found

    async def run() -> None:
        local = LocalServer()
        a2a.add_A2AServiceServicer_to_server(Answers(), local)
        add_AgentServiceServicer_to_server(Agents(), local)
        channel = LocalChannel(local)
        mesh = Mesh({a2a.SERVICE: channel, "hector.agent.v1.AgentService": channel})
        config = GatewaySection.model_validate({"server": {"port": 0, "grpc_port": None}})
        border = Border(config, mesh, lambda made: None)
        async with border.running():
            port.put(int(border.public.url.rpartition(":")[2]))
            await asyncio.Event().wait()

    uvloop.run(run())


class Connection(asyncio.Protocol):
    """Sends a request, waits for the end of its answer, and sends it again."""

    def __init__(self, request: bytes, end: bytes) -> None:
        self.request, self.end, self.tail = request, end, b""
        self.done, self.started = [0.0], 0.0
        self.times: list[float] = []

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.again()

    def again(self) -> None:
        self.started, self.tail = time.perf_counter(), b""
        self.transport.write(self.request)  # type: ignore[attr-defined]

    def data_received(self, data: bytes) -> None:
        self.tail = (self.tail + data)[-len(self.end) :]
        if self.tail == self.end:
            self.times.append(time.perf_counter() - self.started)
            self.again()


async def load(
    port: int, request: bytes, end: bytes, connections: int, seconds: float
) -> tuple[float, float]:
    loop, made = asyncio.get_running_loop(), []
    for _ in range(connections):
        made.append(await loop.create_connection(lambda: Connection(request, end), "127.0.0.1", port))
    await asyncio.sleep(0.5)
    for _, one in made:
        one.times.clear()
    await asyncio.sleep(seconds)
    times = sorted(took for _, one in made for took in one.times)
    for transport, _ in made:
        transport.close()
    return len(times) / seconds, times[len(times) // 2] * 1000 if times else 0.0


def request_of(method: str, path: str = "/agents/a", version: str = "1.0") -> bytes:
    part = {"text": "hello"} if version == "1.0" else {"kind": "text", "text": "hello"}
    role = "ROLE_USER" if version == "1.0" else "user"
    message = {"messageId": "m", "role": role, "parts": [part]}
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": {"message": message}})
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
    return f"{head}A2A-Version: {version}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 4.0
    spawning = multiprocessing.get_context("spawn")
    ports = spawning.Queue()
    server = spawning.Process(target=serve, args=(ports,), daemon=True)
    server.start()
    port = ports.get(timeout=20)
    cases = {
        "GET /live": (b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n", b'{"status":"alive"}'),
        "SendMessage 1.0": (request_of("SendMessage"), b"}]}]}}}"),
        "message/send 0.3": (request_of("message/send", version="0.3"), b"}]}]}}"),
        f"stream of {CHUNKS} chunks": (request_of("SendStreamingMessage"), b"0\r\n\r\n"),
    }
    for name, (request, end) in cases.items():
        for connections in (1, CONNECTIONS):
            rate, middle = uvloop.run(load(port, request, end, connections, seconds))
            print(f"{name:24} c{connections:<3} {rate:9.0f}/s   p50 {middle:7.2f} ms")
    server.terminate()


if __name__ == "__main__":
    main()
