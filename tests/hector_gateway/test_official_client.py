"""The official SDK's client against our gateway: in A2A 1.0 and 0.3, over HTTP and gRPC."""

from typing import Any

import grpc
import httpx
import pytest
from a2a.client import A2ACardResolver, ClientConfig, ClientFactory
from a2a.client.errors import A2AClientError
from a2a.utils.errors import A2AError, TaskNotCancelableError, TaskNotFoundError

import hector_a2a as a2a

# How the client is told to speak: the version of the card it reads, and the binding it prefers.
WAYS = [
    ("1.0", "JSONRPC"),
    ("0.3", "JSONRPC"),
    ("both", "JSONRPC"),
    ("1.0", "HTTP+JSON"),
    ("0.3", "HTTP+JSON"),
    ("both", "HTTP+JSON"),
    ("1.0", "GRPC"),
    ("0.3", "GRPC"),
    ("both", "GRPC"),
]


@pytest.fixture(params=WAYS, ids="-".join)
async def connected(request: Any, gateway: Any) -> Any:
    """Return what makes a client that streams, or does not."""
    version, binding = request.param
    async with httpx.AsyncClient(timeout=10, trust_env=False) as http:
        headers = {} if version == "both" else {"A2A-Version": version}
        resolver = A2ACardResolver(http, f"{gateway.url}/agents/helper")
        card = await resolver.get_agent_card(http_kwargs={"headers": headers})

        def connect(streaming: bool) -> Any:
            config = ClientConfig(
                streaming=streaming,
                httpx_client=http,
                grpc_channel_factory=grpc.aio.insecure_channel,
                supported_protocol_bindings=[binding],
            )
            return ClientFactory(config).create(card)

        yield connect


def request(text: str) -> a2a.SendMessageRequest:
    found = a2a.SendMessageRequest()
    found.message.message_id, found.message.role = "m", a2a.ROLE_USER
    found.message.parts.add(text=text)
    return found


async def test_it_reads_our_cards(gateway: Any, connected: Any) -> None:
    card = connected(streaming=False)._card
    assert card.name == "Helper"
    assert card.capabilities.streaming
    assert [skill.id for skill in card.skills] == ["help"]


async def test_it_sends_and_gets_the_task(gateway: Any, connected: Any) -> None:
    async with connected(streaming=False) as client:
        events = [event async for event in client.send_message(request("hello there"))]
    assert len(events) == 1
    assert events[0].task.artifacts[0].parts[0].text == "hello there"
    assert events[0].task.status.state == a2a.TASK_STATE_COMPLETED


async def test_it_streams_and_gets_every_event_in_order(gateway: Any, connected: Any) -> None:
    async with connected(streaming=True) as client:
        events = [event async for event in client.send_message(request("one two three"))]
    assert [event.WhichOneof("payload") for event in events] == [
        "task",
        *["artifact_update"] * 3,
        "status_update",
    ]
    assert [event.artifact_update.artifact.parts[0].text for event in events[1:-1]] == ["one", "two", "three"]
    assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED


async def test_it_gets_and_cancels_tasks(gateway: Any, connected: Any) -> None:
    async with connected(streaming=False) as client:
        found = await client.get_task(a2a.GetTaskRequest(id="t", history_length=3))
        assert found.artifacts[0].parts[0].text == "kept"
        assert gateway.fake.requests[-1].history_length == 3
        cancelled = await client.cancel_task(a2a.CancelTaskRequest(id="t"))
    assert cancelled.status.state == a2a.TASK_STATE_CANCELED


async def test_it_follows_a_task(gateway: Any, connected: Any) -> None:
    async with connected(streaming=True) as client:
        events = [event async for event in client.subscribe(a2a.SubscribeToTaskRequest(id="t"))]
    assert [event.WhichOneof("payload") for event in events] == ["task", "artifact_update"]
    assert events[0].task.status.state == a2a.TASK_STATE_WORKING
    assert events[1].artifact_update.artifact.parts[0].text == "one"


async def test_it_lists_tasks_where_its_version_can(gateway: Any, connected: Any) -> None:
    """A2A 0.3 has no such operation over JSON-RPC, and its SDK none over HTTP+JSON."""
    asked = a2a.ListTasksRequest(
        context_id="c", status=a2a.TASK_STATE_COMPLETED, page_size=7, history_length=0
    )
    asked.status_timestamp_after.FromJsonString("2026-01-31T12:00:00.5Z")
    async with connected(streaming=False) as client:
        try:
            found = await client.list_tasks(asked)
        except NotImplementedError:
            assert "0_3" in type(client._transport).__module__
            return
    assert [one.id for one in found.tasks] == ["t"]
    assert gateway.fake.requests[-1].context_id == "c"
    assert gateway.fake.requests[-1].status_timestamp_after == asked.status_timestamp_after


async def test_it_knows_our_errors(gateway: Any, connected: Any) -> None:
    async with connected(streaming=False) as client:
        with pytest.raises((TaskNotFoundError, A2AClientError)):
            await client.get_task(a2a.GetTaskRequest(id="gone"))
        with pytest.raises((TaskNotCancelableError, A2AClientError)):
            await client.cancel_task(a2a.CancelTaskRequest(id="over"))


async def test_an_error_in_mid_stream_reaches_it(gateway: Any, connected: Any) -> None:
    seen: list[str] = []

    async def read(client: Any) -> None:
        async for event in client.send_message(request("fail later")):
            seen.append(event.WhichOneof("payload"))

    async with connected(streaming=True) as client:
        with pytest.raises((A2AError, A2AClientError)):
            await read(client)
    assert seen == ["task", "artifact_update", "artifact_update"]
