"""Server-sent events: order, places, errors, silence, and clients that leave or do not read."""

import asyncio
import socket
from typing import Any
from urllib.parse import urlsplit

import aiohttp
import orjson

SEND = "SendStreamingMessage"


async def test_a_stream_is_the_task_then_what_changes_then_the_end(gateway: Any) -> None:
    """A2A 1.0 section 9.4.2: each event is a JSON-RPC response with the request's id."""
    events = await gateway.events(SEND, gateway.said("one two"))
    assert [(data["jsonrpc"], data["id"]) for _, data in events] == [("2.0", "s")] * 4
    results = [data["result"] for _, data in events]
    assert [next(iter(result)) for result in results] == [
        "task",
        "artifactUpdate",
        "artifactUpdate",
        "statusUpdate",
    ]
    assert results[1]["artifactUpdate"]["artifact"]["parts"] == [{"text": "one"}]
    assert results[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


async def test_events_carry_their_place_in_the_log(gateway: Any) -> None:
    """Ours: the SSE id is where a client that comes back goes on."""
    events = await gateway.events(SEND, gateway.said("one two"))
    assert [place for place, _ in events] == ["1", "2", "3", ""]


async def test_a_stream_says_when_to_come_back(gateway: Any) -> None:
    """Ours: a client whose stream broke off comes back after a second; browsers go by it."""
    async with gateway.stream(SEND, gateway.said("one")) as answer:
        text = await answer.text()
    assert text.startswith("retry: 1000\nid: 1\ndata: {")
    assert text.count("retry:") == 1


async def test_the_old_version_streams_its_own_events(gateway: Any) -> None:
    """A2A 0.3: bare events with kind, and `final` at the end."""
    events = await gateway.events("message/stream", gateway.said_v03("one"))
    results = [data["result"] for _, data in events]
    assert [result["kind"] for result in results] == ["task", "artifact-update", "status-update"]
    assert results[-1]["final"] is True


async def test_an_error_before_the_stream_is_no_stream(gateway: Any) -> None:
    """A2A 1.0: a plain JSON-RPC error, not an event."""
    async with gateway.stream(SEND, gateway.said("fail first")) as answer:
        assert answer.content_type == "application/json"
        assert (await answer.json())["error"]["code"] == -32005
    async with gateway.stream(SEND, {"message": {}}) as answer:
        assert (await answer.json())["error"]["code"] == -32602


async def test_an_error_in_mid_stream_is_its_last_event(gateway: Any) -> None:
    """A2A 1.0: one event with an error envelope, then the end."""
    events = await gateway.events(SEND, gateway.said("fail later"))
    assert events[-1][1]["error"]["code"] == -32006
    assert "result" in events[-2][1]


async def test_a_silent_stream_shows_signs_of_life(start_gateway: Any) -> None:
    """Ours: comments, so that proxies keep the connection and we notice clients that are gone."""
    gateway = await start_gateway(limits={"heartbeat": 0.1})
    async with gateway.stream(SEND, gateway.said("quiet")) as answer:
        await answer.content.readuntil(b"\n\n")
        for _ in range(3):
            async with asyncio.timeout(5):
                assert await answer.content.readuntil(b"\n\n") == b": alive\n\n"


async def test_a_client_that_leaves_stops_the_stream_behind_it(gateway: Any) -> None:
    """Ours: nothing is produced for nobody."""
    async with gateway.stream(SEND, gateway.said("endless")) as answer:
        await answer.content.readuntil(b"\n\n")
    async with asyncio.timeout(5):
        await gateway.fake.stopped.wait()


async def test_a_client_that_leaves_before_the_first_event_stops_it_too(gateway: Any) -> None:
    task = asyncio.create_task(gateway.rpc(SEND, gateway.said("quiet")))
    async with asyncio.timeout(5):
        await gateway.fake.begun.wait()
        task.cancel()
        await gateway.fake.stopped.wait()


async def test_a_client_that_does_not_read_holds_up_only_itself(start_gateway: Any) -> None:
    """Ours: what it does not read is not produced, and after a while its connection is cut."""
    gateway = await start_gateway(limits={"send_timeout": 0.5, "heartbeat": 0.2})
    reader = stalled(gateway, "endless")
    async with asyncio.timeout(20):
        await gateway.fake.begun.wait()
        assert "result" in await gateway.rpc("GetTask", {"id": "t"})  # others are served meanwhile
        await gateway.fake.stopped.wait()
    assert gateway.fake.produced < 20_000
    reader.close()


def stalled(gateway: Any, text: str) -> socket.socket:
    """Ask for a stream and read none of it."""
    place = urlsplit(gateway.url)
    found = socket.socket()
    found.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    found.connect((place.hostname, place.port))
    body = orjson.dumps({"jsonrpc": "2.0", "id": 1, "method": SEND, "params": gateway.said(text)})
    head = (
        "POST /agents/helper HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        f"A2A-Version: 1.0\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    found.sendall(head.encode() + body)
    return found


async def test_a_server_that_stops_ends_its_streams_cleanly(start_gateway: Any) -> None:
    """Ours: after server.shutdown_timeout, and the body ends as HTTP wants it, with what to do."""
    gateway = await start_gateway(shutdown_timeout=0.5)
    async with gateway.stream(SEND, gateway.said("quiet")) as answer:
        await answer.content.readuntil(b"\n\n")
        async with asyncio.timeout(10):
            stopping = asyncio.create_task(gateway.stop())
            rest = await answer.content.read()
            await stopping
    assert b"stopping" in rest


async def test_a_server_that_stops_lets_streams_finish(start_gateway: Any) -> None:
    """Ours: within server.shutdown_timeout; a restart must not cost whoever is reading an answer."""
    gateway = await start_gateway(shutdown_timeout=30)
    async with asyncio.timeout(20), gateway.stream(SEND, gateway.said("held")) as answer:
        await answer.content.readuntil(b"\n\n")
        stopping = asyncio.create_task(gateway.stop())
        await asyncio.sleep(0)
        gateway.fake.let_go.set()
        rest = await answer.content.read()
        await stopping
    assert b"TASK_STATE_COMPLETED" in rest
    assert b"stopping" not in rest


async def test_a_server_that_stops_lets_answers_finish(start_gateway: Any) -> None:
    """Ours: within server.shutdown_timeout; then they end with what to do."""
    gateway = await start_gateway(shutdown_timeout=0.5)
    message = gateway.said("hang")
    message["message"]["taskId"] = "t"
    waiting = asyncio.create_task(gateway.rpc("SendMessage", message))
    async with asyncio.timeout(10):
        await gateway.fake.begun.wait()
        await gateway.stop()
        found = await waiting
    assert "stopping; task 't' may go on" in found["error"]["message"]
    assert found["error"]["data"][0]["metadata"] == {"taskId": "t"}


async def test_many_streams_run_side_by_side(gateway: Any) -> None:
    answers = await asyncio.gather(*(gateway.events(SEND, gateway.said(f"a{n} b{n}")) for n in range(40)))
    for number, events in enumerate(answers):
        texts = [
            data["result"]["artifactUpdate"]["artifact"]["parts"][0]["text"]
            for _, data in events
            if "artifactUpdate" in data["result"]
        ]
        assert texts == [f"a{number}", f"b{number}"]


async def test_a_connection_serves_one_answer_after_the_other(gateway: Any) -> None:
    """Ours: a stream that ended leaves its connection usable."""
    connector = aiohttp.TCPConnector(limit=1)
    async with aiohttp.ClientSession(connector=connector) as session:
        body = {"jsonrpc": "2.0", "id": 1, "method": SEND, "params": gateway.said("x")}
        for _ in range(3):
            headers = {"A2A-Version": "1.0"}
            async with session.post(gateway.url + "/agents/helper", json=body, headers=headers) as answer:
                assert answer.content_type == "text/event-stream"
                assert b"COMPLETED" in await answer.read()
