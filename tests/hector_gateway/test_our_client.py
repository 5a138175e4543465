"""Our own client, as the command line uses it: against a gateway, and against what is none."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from support.scripted_server import hangs, scripted

import hector_a2a as a2a
from hector_a2a import client_http as client_module
from hector_a2a.client import Client
from hector_http import Timeouts
from hector_mesh import HectorError


def request(text: str, tenant: str = "") -> a2a.SendMessageRequest:
    found = a2a.SendMessageRequest(tenant=tenant)
    found.message.message_id, found.message.role = "m", a2a.ROLE_USER
    found.message.parts.add(text=text)
    return found


@pytest.fixture(params=["jsonrpc", "http+json", "grpc", "grpc by its card"])
def ours(request: Any) -> Any:
    """Return what makes a client of a gateway, over each transport."""

    def made(gateway: Any, **more: Any) -> Client:
        if request.param == "grpc":
            return Client(f"grpc://{gateway.grpc_address}", **more)
        return Client(gateway.url, transport=request.param.partition(" ")[0], **more)

    return made


async def test_it_asks_and_follows_the_answer(gateway: Any, ours: Any) -> None:
    async with ours(gateway) as client:
        events = [event async for event in client.ask(request("one two"))]
        assert [event.WhichOneof("payload") for event in events] == [
            "task",
            "artifact_update",
            "artifact_update",
            "status_update",
        ]
        found = await client.send(request("hello", "whole"))
        assert found.task.artifacts[0].parts[0].text == "hello"
        assert gateway.fake.requests[-1].tenant == "whole"
        assert (await client.get("t")).id == "t"
        await client.cancel("t", "helper")


async def test_it_lists_the_agents(gateway: Any, ours: Any) -> None:
    async with ours(gateway) as client:
        found = await client.agents()
    assert [(one.name, one.title, one.default) for one in found] == [
        ("helper", "Helper", True),
        ("inside", "inside", False),
        ("whole", "whole", False),
    ]


async def test_what_the_server_refuses_is_said_in_its_words(gateway: Any, ours: Any) -> None:
    async with ours(gateway) as client:
        with pytest.raises(HectorError, match="no task 'gone' is known here") as error:
            await client.get("gone")
        assert error.value.facts["reason"] == "TASK_NOT_FOUND"
        with pytest.raises(HectorError, match=r"there is no agent 'nobody' \(agents: helper"):
            await client.send(request("x", "nobody"))
        with pytest.raises(HectorError, match="media type 'video/mp4'"):
            await read(client.ask(request("fail first")))
        with pytest.raises(HectorError, match="something odd"):
            await read(client.ask(request("fail later")))


async def read(events: AsyncIterator[Any]) -> list[Any]:
    return [event async for event in events]


@pytest.mark.parametrize(("token", "message"), [(None, "wants a credential"), ("x", "does not accept this")])
async def test_a_server_that_wants_a_credential_says_how_to_pass_it(
    start_gateway: Any, ours: Any, token: str | None, message: str
) -> None:
    gateway = await start_gateway(auth={"api_keys": ["the-key"]})
    async with ours(gateway, token=token) as client:
        with pytest.raises(HectorError, match=f"{message}.*--token"):
            await client.send(request("x"))
    async with ours(gateway, token="the-key") as client:
        assert (await client.send(request("x"))).task.id == "t"


async def test_no_server_is_said_with_how_to_start_one() -> None:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{probe.getsockname()[1]}"
        async with Client(url) as client:
            with pytest.raises(HectorError, match=f"no server answers at {url}.*hector serve.*--url"):
                await client.send(request("x"))


@pytest.mark.parametrize("url", ["localhost:8080", "http://ada:secret@localhost:8080", "nowhere"])
async def test_what_is_no_address_is_said_to_be_none(url: str) -> None:
    async with Client(url) as client:
        with pytest.raises(HectorError, match="no address of a server; write --url as") as refused:
            await client.send(request("x"))
    assert url.rpartition("@")[2] in str(refused.value)
    assert "secret" not in str(refused.value)


async def test_a_server_that_takes_the_connection_and_keeps_silent_is_given_up(monkeypatch: Any) -> None:
    monkeypatch.setattr(client_module, "_STREAMING", Timeouts(first_byte_s=0.2))
    async with scripted(hangs()) as server, Client(server.url) as client:
        with pytest.raises(HectorError, match=f"{server.url} took the request and kept silent.*--url"):
            await read(client.ask(request("x")))


@asynccontextmanager
async def answering(*pieces: bytes) -> AsyncIterator[str]:
    """A server that says the same to everybody, and hangs up."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        writer.close()

    server = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"


OK = b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
TASK = b'data: {"jsonrpc":"2.0","id":1,"result":{"task":{"id":"t","contextId":"c","status":{"state":2}}}}\n\n'


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (OK + b"Content-Type: text/html\r\n\r\n<html>", "but not as an A2A server does"),
        (OK + b"\r\n[]", "but not as an A2A server does"),
        (b"HTTP/1.1 500 Oh\r\nConnection: close\r\n\r\noops", r"HTTP 500\), but not as"),
        (OK + b"Content-Type: text/event-stream\r\n\r\n" + TASK, "broke off.*ended before the answer did"),
        (
            OK + b"Content-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\ndata:",
            "broke off",
        ),
        (OK + b"Content-Type: text/event-stream\r\n\r\ndata: nonsense\n\n", "but not as an A2A server"),
    ],
)
async def test_what_is_no_a2a_server_is_said_to_be_none(answer: bytes, message: str) -> None:
    async with answering(answer) as url, Client(url) as client:
        with pytest.raises(HectorError, match=message):
            await read(client.ask(request("x")))


async def test_leaving_a_stream_early_closes_the_connection(gateway: Any) -> None:
    async with Client(gateway.url) as client:
        events = client.ask(request("endless"))
        await anext(events)
        await events.aclose()
        async with asyncio.timeout(5):
            await gateway.fake.stopped.wait()
