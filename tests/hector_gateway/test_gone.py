"""An agent that is configured no more: its tasks are served at every door, and nothing else is."""

from typing import Any

import grpc
import pytest
from a2a.compat.v0_3 import a2a_v0_3_pb2 as old
from a2a.compat.v0_3.a2a_v0_3_pb2_grpc import A2AServiceStub as OldStub
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector_mesh import info_of

GONE = "/agents/gone"
V1 = {"A2A-Version": "1.0"}


async def status(gateway: Any, path: str, verb: str = "GET", **more: Any) -> tuple[int, dict[str, Any]]:
    async with gateway.http.request(verb, gateway.url + path, **more) as answer:
        return answer.status, await answer.json()


async def test_its_tasks_are_read_followed_listed_and_cancelled_over_json_rpc(gateway: Any) -> None:
    assert (await gateway.rpc("GetTask", {"id": "t"}, path=GONE))["result"]["id"] == "t"
    assert (await gateway.rpc("tasks/get", {"id": "t"}, path=GONE))["result"]["kind"] == "task"
    assert (await gateway.rpc("ListTasks", {}, path=GONE))["result"]["totalSize"] == 1
    assert (await gateway.rpc("CancelTask", {"id": "t"}, path=GONE))["result"]["id"] == "t"
    events = await gateway.events("SubscribeToTask", {"id": "t"}, path=GONE)
    assert len(events) == 2
    assert {request.tenant for request in gateway.fake.requests} == {"gone"}


async def test_its_tasks_are_read_over_http_json_in_both_versions(gateway: Any) -> None:
    assert (await status(gateway, f"{GONE}/tasks/t", headers=V1))[0] == 200
    assert (await status(gateway, f"{GONE}/tasks", headers=V1))[1]["totalSize"] == 1
    assert (await status(gateway, f"{GONE}/v1/tasks/t"))[0] == 200
    assert (await status(gateway, "/v1/agents/gone/tasks/t"))[0] == 200
    assert (await status(gateway, "/gone/tasks/t", headers=V1))[0] == 200


async def test_its_tasks_are_read_over_grpc_in_both_versions(gateway: Any) -> None:
    async with gateway.channel() as channel:
        stub = a2a.A2AServiceStub(channel)
        assert (await stub.GetTask(a2a.GetTaskRequest(tenant="gone", id="t"), timeout=5)).id == "t"
        request = a2a.SendMessageRequest(tenant="gone")
        request.message.message_id, request.message.role = "m", a2a.ROLE_USER
        request.message.parts.add(text="x")
        with pytest.raises(AioRpcError) as refused:
            await stub.SendMessage(request, timeout=5)
        assert refused.value.code() is grpc.StatusCode.NOT_FOUND
        assert info_of(refused.value).reason == "AGENT_NOT_FOUND"
        found = await OldStub(channel).GetTask(
            old.GetTaskRequest(name="tasks/t"), metadata=[("agent-name", "gone")], timeout=5
        )
        assert found.id == "t"


@pytest.mark.parametrize(
    ("method", "params"),
    [
        ("SendMessage", {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}}),
        (
            "SendStreamingMessage",
            {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "x"}]}},
        ),
        ("GetExtendedAgentCard", {}),
    ],
)
async def test_nothing_else_can_be_asked_of_it(gateway: Any, method: str, params: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    code, said = await status(gateway, GONE, "POST", json=body, headers=V1)
    assert code == 404
    assert "there is no agent 'gone' any more" in said["error"]["message"]
    assert "GET /agents lists" in said["error"]["message"]
    assert (await status(gateway, f"{GONE}/.well-known/agent-card.json"))[0] == 404
    assert not gateway.fake.requests


@pytest.mark.parametrize("name", ["never", "hidden"])
async def test_who_has_no_tasks_there_is_told_that_there_is_no_such_agent(gateway: Any, name: str) -> None:
    """Ours: an agent that one may not see is none, and a name that was tried tells nothing."""
    assert (await status(gateway, f"/agents/{name}/tasks/t", headers=V1))[0] == 404
    body = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "t"}}
    assert (await status(gateway, f"/agents/{name}", "POST", json=body, headers=V1))[0] == 404
    assert not gateway.fake.requests
