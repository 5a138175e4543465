"""A stream outlasts the agent replica that shows it: the gateway goes on with it at another one."""

import asyncio
import shutil
import tempfile
from pathlib import Path

import grpc
import pytest
from grpc import StatusCode

import hector_a2a as a2a
import hector_gateway.lasting
from hector_a2a.parameters import Parameters
from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_gateway.methods import methods_of
from hector_mesh import LocalChannel, LocalServer, Mesh, streaming, wire_channel, wire_server

PLACE = "hector.seq"


def task(place, state=a2a.TASK_STATE_WORKING, text=""):
    response = a2a.StreamResponse(task=a2a.Task(id="t", status=a2a.TaskStatus(state=state)))
    if text:
        response.task.artifacts.add(artifact_id="a").parts.add(text=text)
    response.task.metadata[PLACE] = place
    return response


def piece(place, text, *, append=True):
    response = a2a.StreamResponse()
    update = response.artifact_update
    update.task_id, update.append, update.artifact.artifact_id = "t", append, "a"
    update.artifact.parts.add(text=text)
    update.metadata[PLACE] = place
    return response


def status(place, state):
    response = a2a.StreamResponse()
    response.status_update.task_id, response.status_update.status.state = "t", state
    response.status_update.metadata[PLACE] = place
    return response


class Agent(a2a.A2AServiceServicer):
    """Shows what it was given, stream after stream, each up to what ends it."""

    def __init__(self, *streams):
        self.streams = list(streams)
        self.asked = []

    async def SendStreamingMessage(self, request, context):
        async for response in self._shown(context):
            yield response

    async def SubscribeToTask(self, request, context):
        assert request.id == "t"
        async for response in self._shown(context):
            yield response

    async def _shown(self, context):
        self.asked.append(Parameters.read(context.invocation_metadata()))
        for one in self.streams.pop(0):
            if isinstance(one, StatusCode):
                await context.abort(one, "gone")
            if isinstance(one, asyncio.Event):
                await one.wait()
                continue
            yield one


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    monkeypatch.setattr(hector_gateway.lasting, "AGAIN_S", 0.001)


@pytest.fixture
async def serve():
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    servers, channels = [], []

    async def serving(agent):
        server = wire_server(f"unix:{folder}/agent.sock")
        a2a.add_A2AServiceServicer_to_server(agent, server)
        await server.start()
        servers.append(server)
        channels.append(wire_channel(server.address))
        return methods_of(SERVICE_DESCRIPTOR, Mesh({a2a.SERVICE: channels[0]}))

    async with asyncio.timeout(20):
        yield serving
    for channel in channels:
        await channel.close()
    for server in servers:
        await server.stop(None)
    shutil.rmtree(folder, ignore_errors=True)


async def read(methods, *, name="SendStreamingMessage", metadata=()):
    found = []
    request = methods[name].request(**({"id": "t"} if name == "SubscribeToTask" else {}))
    async with streaming(methods[name].wire(request, metadata=metadata)) as rpc:
        async for message in rpc:
            found.append(a2a.StreamResponse.FromString(message))
    return found


async def test_a_stream_that_broke_off_goes_on_where_it_was(serve):
    """Ours: the client does nothing, and sees every event once."""
    agent = Agent(
        [task("2"), piece("3.2", "He", append=False), StatusCode.UNAVAILABLE],
        [StatusCode.UNAVAILABLE],
        [task("3.2", text="He"), piece("3.5", "llo"), StatusCode.UNAVAILABLE],
        [task("3.5", text="Hello"), status("4", a2a.TASK_STATE_COMPLETED)],
    )
    metadata = (("a2a-extensions", "urn:x"), ("idempotency-key", "k"))
    found = await read(await serve(agent), metadata=metadata)
    assert [one.WhichOneof("payload") for one in found] == [
        "task",
        "artifact_update",
        "artifact_update",
        "status_update",
    ]
    assert [asked.last_event_id for asked in agent.asked] == ["", "3.2", "3.2", "3.5"]
    assert [asked.idempotency_key for asked in agent.asked] == ["k", "", "", ""]
    assert all(asked.extensions == ("urn:x",) for asked in agent.asked)


async def test_where_text_was_lost_the_client_gets_the_task_without_it(serve):
    agent = Agent(
        [task("2"), piece("3.2", "He", append=False), StatusCode.UNAVAILABLE],
        [task("2"), status("4", a2a.TASK_STATE_FAILED)],
    )
    found = await read(await serve(agent))
    assert [one.WhichOneof("payload") for one in found] == [
        "task",
        "artifact_update",
        "task",
        "status_update",
    ]


@pytest.mark.parametrize(("name", "events"), [("SendStreamingMessage", 3), ("SubscribeToTask", 4)])
async def test_the_stream_of_a_send_ends_where_the_task_waits_also_after_that(serve, name, events):
    agent = Agent(
        [task("2"), piece("3.2", "He"), StatusCode.UNAVAILABLE],
        [
            task("3.2"),
            status("4", a2a.TASK_STATE_INPUT_REQUIRED),
            status("6", a2a.TASK_STATE_COMPLETED),
        ],
    )
    assert len(await read(await serve(agent), name=name)) == events


@pytest.mark.parametrize(
    "stream",
    [
        [StatusCode.UNAVAILABLE],
        [task("2"), StatusCode.INTERNAL],
        [a2a.StreamResponse(), StatusCode.UNAVAILABLE],
    ],
)
async def test_what_has_no_place_or_another_reason_is_not_gone_on_with(serve, stream):
    with pytest.raises(grpc.aio.AioRpcError):
        await read(await serve(Agent(stream, [task("2")])))


async def test_a_client_is_told_when_nobody_goes_on(serve, monkeypatch):
    monkeypatch.setattr(hector_gateway.lasting, "GIVES_UP_S", 0.05)
    agent = Agent([task("2"), StatusCode.UNAVAILABLE], *[[StatusCode.UNAVAILABLE]] * 1000)
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await read(await serve(agent))
    assert error.value.code() is StatusCode.UNAVAILABLE


async def test_a_client_that_leaves_is_not_gone_on_for(serve):
    held = asyncio.Event()
    agent = Agent([task("2"), StatusCode.UNAVAILABLE], [task("2"), piece("3.2", "He"), held])
    methods = await serve(agent)
    rpc = methods["SendStreamingMessage"].wire(a2a.SendMessageRequest())
    messages = aiter(rpc)
    assert a2a.StreamResponse.FromString(await anext(messages)).HasField("task")
    assert a2a.StreamResponse.FromString(await anext(messages)).HasField("artifact_update")
    rpc.cancel()
    with pytest.raises(asyncio.CancelledError):
        await anext(messages)
    assert len(agent.asked) == 2


async def test_within_a_process_there_is_nothing_to_go_on_from():
    server = LocalServer()
    agent = Agent([task("2"), StatusCode.UNAVAILABLE], [task("2")])
    a2a.add_A2AServiceServicer_to_server(agent, server)
    with pytest.raises(grpc.aio.AioRpcError):
        await read(methods_of(SERVICE_DESCRIPTOR, Mesh({a2a.SERVICE: LocalChannel(server)})))
    await server.stop(None)
