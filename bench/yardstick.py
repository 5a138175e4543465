"""How fast this machine is just now: what uvicorn makes of an application that does nothing.

    python bench/yardstick.py

The numbers that Hector is held to were set where this made 34,000 answers a second. Machines differ, and one
machine from hour to hour by a factor of two: read what was measured in the same run beside it.
"""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import uvloop
from figures import Figure, table_of
from plan import Plan

WHERE_THEY_WERE_SET = 34_000
CLIENTS = 64
WARM_UP_S, ROUND_S, ROUNDS = 0.5, 1.5, 3
BODY = b'{"id": "x", "ok": true, "text": "hello hello hello hello"}'
HEADERS = [(b"content-type", b"application/json"), (b"content-length", str(len(BODY)).encode())]
REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"


def yardstick(plan: Plan, model: int) -> list[Figure]:
    """Answers a second of a server that does nothing."""
    return [measured(min(plan.seconds, ROUND_S))]


def measured(seconds: float) -> Figure:
    """Run the server in a process of its own, and return the best of a few rounds."""
    here = str(Path(__file__))
    with subprocess.Popen([sys.executable, here, "serve"], stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            port = int(server.stdout.readline())
            answers_s = uvloop.run(best(port, seconds))
        finally:
            server.terminate()
    told = f"this machine now: uvicorn and nothing ({WHERE_THEY_WERE_SET:,}/s where the bars were set)"
    return Figure(told, answers_s, "/s", more_is_better=True)


async def best(port: int, seconds: float) -> float:
    """Ask over and over with so many connections; return the answers a second of the best round."""
    answered = [0]
    loop = asyncio.get_running_loop()
    pairs = [
        await loop.create_connection(lambda: Client(answered), "127.0.0.1", port) for _ in range(CLIENTS)
    ]
    await asyncio.sleep(WARM_UP_S)
    rates = []
    for _ in range(ROUNDS):
        before, began = answered[0], time.perf_counter()
        await asyncio.sleep(seconds)
        rates.append((answered[0] - before) / (time.perf_counter() - began))
    for transport, _ in pairs:
        transport.abort()
    return max(rates)


class Client(asyncio.Protocol):
    """One connection that is never idle. Head and body of an answer may come one by one."""

    def __init__(self, answered: list[int]) -> None:
        self.answered = answered

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self.transport = transport
        transport.write(REQUEST)

    def data_received(self, data: bytes) -> None:
        if data.endswith(BODY):
            self.answered[0] += 1
            self.transport.write(REQUEST)


async def application(scope: dict[str, Any], receive: Any, send: Any) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": HEADERS})
    await send({"type": "http.response.body", "body": BODY})


def serve() -> None:
    """Serve on a free port, which is printed, until somebody ends it."""
    import uvicorn

    config = uvicorn.Config(
        application, lifespan="off", log_level="warning", access_log=False, loop="uvloop", http="httptools"
    )
    listening = socket.create_server(("127.0.0.1", 0), backlog=CLIENTS)
    print(listening.getsockname()[1], flush=True)
    uvicorn.Server(config).run([listening])


def main(arguments: Sequence[str]) -> None:
    if arguments == ["serve"]:
        serve()
    else:
        print(table_of([measured(ROUND_S)]))


if __name__ == "__main__":
    main(sys.argv[1:])
