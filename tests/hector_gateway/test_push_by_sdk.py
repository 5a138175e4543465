"""The official SDK's client asks for push notifications: of 1.0 and 0.3, over every binding."""

from collections.abc import AsyncIterator
from typing import Any

import grpc
import httpx
import pytest
import pytest_asyncio
from a2a.client import A2ACardResolver, Client, ClientConfig, ClientFactory
from a2a.types import a2a_pb2 as pb
from a2a.utils.errors import TaskNotFoundError
from a2a_rules.house import House, key_of, opened
from support.receiver import receiving

pytestmark = pytest.mark.asyncio(loop_scope="session")

WAYS = [(version, binding) for version in ("1.0", "0.3") for binding in ("JSONRPC", "HTTP+JSON", "GRPC")]
LACKING = {("0.3", "HTTP+JSON")}
"""Where the SDK's client cannot list or delete, whatever the server can."""


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def house() -> AsyncIterator[House]:
    async with opened("local") as house:
        yield house


@pytest.fixture(params=WAYS, ids="-".join)
def way(request: pytest.FixtureRequest) -> tuple[str, str]:
    found: tuple[str, str] = request.param
    return found


@pytest_asyncio.fixture(loop_scope="session")
async def client(house: House, way: tuple[str, str]) -> AsyncIterator[Client]:
    version, binding = way
    token = f"Bearer {key_of('ada')}"
    async with httpx.AsyncClient(timeout=10, trust_env=False, headers={"Authorization": token}) as http:
        agent = "pusher"
        resolver = A2ACardResolver(http, f"{house.place.url}/agents/{agent}")
        card = await resolver.get_agent_card(http_kwargs={"headers": {"A2A-Version": version}})
        if (version, binding) == (
            "0.3",
            "GRPC",
        ):  # where an agent is named beside the request, not in its card
            new = await resolver.get_agent_card(http_kwargs={"headers": {"A2A-Version": "1.0"}})
            address = next(one.url for one in new.supported_interfaces if one.protocol_binding == "GRPC")
            card.supported_interfaces.add(url=address, protocol_binding="GRPC", protocol_version="0.3")

        class Said(grpc.aio.UnaryUnaryClientInterceptor):
            async def intercept_unary_unary(self, continuation: Any, details: Any, request: Any) -> Any:
                said = [*(details.metadata or ()), ("authorization", token), ("agent-name", agent)]
                return await continuation(details._replace(metadata=said), request)

        def channel(url: str) -> grpc.aio.Channel:
            return grpc.aio.insecure_channel(url, interceptors=[Said()])

        config = ClientConfig(
            streaming=False,
            httpx_client=http,
            grpc_channel_factory=channel,
            supported_protocol_bindings=[binding],
        )
        yield ClientFactory(config).create(card)


async def test_it_sets_reads_lists_and_deletes_configs(client: Client, way: tuple[str, str]) -> None:
    request = pb.SendMessageRequest()
    request.message.message_id, request.message.role = "m", pb.ROLE_USER
    request.message.parts.add(text="hi")
    async with receiving() as hook:
        request.configuration.task_push_notification_config.url = hook.url
        request.configuration.task_push_notification_config.token = "tok"
        events = [event async for event in client.send_message(request)]
        task = events[-1].task.id
        told = await hook.until_over()
        assert told[0].headers["x-a2a-notification-token"] == "tok"
        assert [one.headers["a2a-version"] for one in told] == [way[0]] * len(told), told
        wanted = pb.TaskPushNotificationConfig(task_id=task, id="mine", url=hook.url, token="tok")
        wanted.authentication.scheme, wanted.authentication.credentials = "Bearer", "cred"
        made = await client.create_task_push_notification_config(wanted)
        assert (made.task_id, made.id, made.url) == (task, "mine", hook.url)
        found = await client.get_task_push_notification_config(
            pb.GetTaskPushNotificationConfigRequest(task_id=task, id="mine")
        )
        assert (found.url, found.authentication.scheme, found.token) == (hook.url, "Bearer", "")
        if way in LACKING:
            return
        listed = await client.list_task_push_notification_configs(
            pb.ListTaskPushNotificationConfigsRequest(task_id=task)
        )
        assert "mine" in [one.id for one in listed.configs]
        assert len(listed.configs) == 2
        deleted = pb.DeleteTaskPushNotificationConfigRequest(task_id=task, id="mine")
        await client.delete_task_push_notification_config(deleted)
        with pytest.raises(TaskNotFoundError):
            await client.get_task_push_notification_config(
                pb.GetTaskPushNotificationConfigRequest(task_id=task, id="mine")
            )
