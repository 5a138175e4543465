"""SIGTERM while everything is stuck: nothing new comes in, what can end ends, and it is over within 30 s."""

import asyncio
import json
import signal
import socket
import time
from pathlib import Path
from typing import Any

import aiohttp
import pytest
from support.processes import HECTOR, Hector, answer_of, free_port, message, post, wait_until_ready

HANDLERS = """
import asyncio
from pathlib import Path

async def quick(turn):
    yield "quick"

async def held(turn):
    yield "begun, "
    while not Path("let-go").exists():
        await asyncio.sleep(0.02)
    yield "ended"

async def stuck(turn):
    yield "begun"
    await asyncio.Event().wait()

async def twice(turn):
    if Path("begun-before").exists():
        yield "ended"
        return
    Path("begun-before").touch()
    yield "begun"
    await asyncio.Event().wait()

async def stubborn(turn):
    yield "begun"
    while True:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            pass
"""
CONFIG = """
agents:
  quick: {type: custom, handler: "handlers:quick"}
  held: {type: custom, handler: "handlers:held"}
  stuck: {type: custom, handler: "handlers:stuck"}
  stubborn: {type: custom, handler: "handlers:stubborn"}
  twice: {type: custom, handler: "handlers:twice"}
server:
  a2a: {push: {allow_http: true, allowed_networks: [127.0.0.1/32], timeout: 100s}}
"""
WORST_S = 30.0


async def rpc(session: aiohttp.ClientSession, url: str, method: str, params: Any) -> Any:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with session.post(url, json=body, headers={"A2A-Version": "1.0"}) as answer:
        return await answer.json()


async def streamed(session: aiohttp.ClientSession, url: str, begun: asyncio.Event) -> str:
    body = {"jsonrpc": "2.0", "id": 1, "method": "SendStreamingMessage", "params": message("hi")}
    async with session.post(url, json=body, headers={"A2A-Version": "1.0"}) as answer:
        text = b""
        async for line in answer.content:
            text += line
            if b"begun" in line:
                begun.set()
        return text.decode()


async def test_a_server_where_everything_is_stuck_is_gone_within_thirty_seconds(
    hector: Hector, folder: Path
) -> None:
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG)
    server = await asyncio.to_thread(hector.serve)
    agents = f"{server.url}/agents"
    called, never = asyncio.Event(), asyncio.Event()

    async def hang(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        called.set()
        await never.wait()
        writer.close()

    hook = await asyncio.start_server(hang, "127.0.0.1", 0)
    async with asyncio.timeout(100), hook, aiohttp.ClientSession() as session:
        webhook = f"http://127.0.0.1:{hook.sockets[0].getsockname()[1]}/"
        push = {"configuration": {"taskPushNotificationConfig": {"url": webhook}}}
        told = await rpc(session, f"{agents}/quick", "SendMessage", message("hi") | push)
        assert told["result"]["task"]["status"]["state"] == "TASK_STATE_COMPLETED", told
        await called.wait()
        begun = [asyncio.Event() for _ in range(3)]
        streams = [
            asyncio.create_task(streamed(session, f"{agents}/{agent}", one))
            for agent, one in zip(("stuck", "stubborn", "held"), begun, strict=True)
        ]
        for one in begun:
            await one.wait()
        waiting = [
            asyncio.create_task(rpc(session, f"{agents}/{agent}", "SendMessage", message("hi")))
            for agent in ("held", "stuck")
        ]
        for agent in ("held", "stuck"):
            await _until_at_work(session, f"{agents}/{agent}", 2)
        began = time.monotonic()
        server.process.send_signal(signal.SIGTERM)
        port = int(server.url.rpartition(":")[2])
        await asyncio.to_thread(_wait_until_closed, port)
        closed_s = time.monotonic() - began
        (folder / "let-go").touch()
        assert answer_of((await waiting[0])["result"]["task"]) == "begun, ended"
        assert "TASK_STATE_COMPLETED" in await streams[2]
        ended_s = time.monotonic() - began
        code = await asyncio.to_thread(server.process.wait, WORST_S + 10)
        took_s = time.monotonic() - began
        refused = await waiting[1]
        left = [await stream for stream in streams[:2]]
        never.set()
    assert code == 0
    assert closed_s < 2
    assert ended_s < 5
    assert took_s < WORST_S
    assert "UNAVAILABLE" in json.dumps(refused) or "STOPPING" in json.dumps(refused), refused
    for text in left:
        assert "id: " in text
        assert text.rstrip().endswith("subscribe to the task to go on")


@pytest.mark.parametrize("transport", ["jsonrpc", "http+json", "grpc"])
async def test_hector_call_goes_on_when_the_server_is_back(
    hector: Hector, folder: Path, transport: str
) -> None:
    """Ours: what a stop let go of goes on at the next start, and whoever waits for it notices a pause."""
    hector.write(HANDLERS, "handlers.py")
    hector.write(CONFIG + "  shutdown_timeout: 500ms\n")
    port, grpc_port = free_port(), free_port()
    arguments = ("--port", str(port), "--grpc-port", str(grpc_port))
    server = hector.start(*arguments, url=f"http://127.0.0.1:{port}")
    await asyncio.to_thread(wait_until_ready, server)
    async with asyncio.timeout(100):
        call = await asyncio.create_subprocess_exec(
            *(HECTOR, "call", "twice", "hi", "--url", server.url, "--transport", transport),
            cwd=hector.folder,
            env=dict(hector.environment),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        assert call.stdout is not None
        assert await call.stdout.read(5) == b"begun"
        assert await asyncio.to_thread(server.stop) == 0
        again = hector.start(*arguments, url=server.url)
        await asyncio.to_thread(wait_until_ready, again)
        out, said = await call.communicate()
    assert b"ended" in out
    assert call.returncode == 0
    assert b"connection was lost" in said
    task = post(f"{server.url}/agents/twice", "ListTasks", {"includeArtifacts": True})["result"]["tasks"][0]
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    assert answer_of(task).endswith("ended")


async def _until_at_work(session, agent, tasks):
    async with asyncio.timeout(20):
        while (await rpc(session, agent, "ListTasks", {}))["result"]["totalSize"] < tasks:
            pass


def _wait_until_closed(port: int) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=2):
                time.sleep(0.02)
        except OSError:
            return
