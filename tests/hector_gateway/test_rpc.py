"""JSON-RPC over HTTP: A2A 1.0 and 0.3, what is refused and how."""

import asyncio
import json
from typing import Any

import pytest

import hector_a2a as a2a


async def test_a_sent_message_is_answered_with_the_task(gateway: Any) -> None:
    """A2A 1.0, SendMessage over JSON-RPC."""
    found = await gateway.rpc("SendMessage", gateway.said("hello"))
    assert found == {
        "jsonrpc": "2.0",
        "id": 1,
        "result": {
            "task": {
                "id": "t",
                "contextId": "c",
                "status": {"state": "TASK_STATE_COMPLETED", "timestamp": "2026-01-31T12:00:00.000Z"},
                "artifacts": [{"artifactId": "a", "name": "answer", "parts": [{"text": "hello"}]}],
            }
        },
    }


async def test_the_path_picks_the_agent_and_the_root_is_the_default_one(gateway: Any) -> None:
    """Ours: tenant is filled from the URL."""
    for path, tenant in (
        ("/agents/whole", "whole"),
        ("/agents/whole/", "whole"),
        ("/", "helper"),
        ("/v1/agents/whole", "whole"),
    ):
        assert "result" in await gateway.rpc("SendMessage", gateway.said("x"), path=path)
        assert gateway.fake.requests[-1].tenant == tenant


async def test_at_the_root_tenant_picks_the_agent(gateway: Any) -> None:
    """A2A 1.0 section 13: tenant is routing."""
    params = gateway.said("x") | {"tenant": "whole"}
    assert "result" in await gateway.rpc("SendMessage", params, path="/")
    assert gateway.fake.requests[-1].tenant == "whole"


async def test_path_and_tenant_must_not_disagree(gateway: Any) -> None:
    """A2A 1.0: path tenant and body tenant differing is refused."""
    found = await gateway.rpc("SendMessage", gateway.said("x") | {"tenant": "whole"})
    assert found["error"]["code"] == -32602
    assert violations(found) == {"tenant"}


async def test_a_call_enters_the_mesh_with_identity_deadline_and_trace(gateway: Any) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {
        "traceparent": trace,
        "x-request-id": "req-1",
        "hector-principal": "root",
        "hector-roles": "admin",
    }
    await gateway.rpc("SendMessage", gateway.said("x"), headers=headers)
    call = gateway.fake.calls[-1]
    assert (call.principal.id, call.principal.roles) == ("local", {"user", "operator"})
    assert (call.app, call.traceparent, call.request_id) == ("default", trace, "req-1")
    assert 500 < call.remaining() <= 600


async def test_get_and_cancel(gateway: Any) -> None:
    assert (await gateway.rpc("GetTask", {"id": "t"}))["result"]["id"] == "t"
    found = await gateway.rpc("CancelTask", {"id": "t"})
    assert found["result"]["status"]["state"] == "TASK_STATE_CANCELED"


async def test_the_old_version_speaks_its_own_way_throughout(gateway: Any) -> None:
    """A2A 0.3: bare results with kind, lower-case states; a missing A2A-Version means 0.3."""
    found = await gateway.rpc("message/send", gateway.said_v03("hello"))
    assert found["result"]["kind"] == "task"
    assert found["result"]["status"]["state"] == "completed"
    assert found["result"]["artifacts"][0]["parts"] == [{"kind": "text", "text": "hello"}]
    assert (await gateway.rpc("tasks/get", {"id": "t"}))["result"]["kind"] == "task"
    assert (await gateway.rpc("tasks/cancel", {"id": "t"}))["result"]["status"]["state"] == "canceled"
    assert (await gateway.rpc("tasks/get", {"id": "no"}))["error"]["code"] == -32001


async def test_errors_say_which_and_why(gateway: Any) -> None:
    """A2A 1.0.1 section 9.5: data is a list with google.rpc.ErrorInfo."""
    found = (await gateway.rpc("GetTask", {"id": "gone"}))["error"]
    assert found["code"] == -32001
    assert found["data"][0] == {
        "@type": "type.googleapis.com/google.rpc.ErrorInfo",
        "reason": "TASK_NOT_FOUND",
        "domain": "a2a-protocol.org",
        "metadata": {"taskId": "gone"},
    }
    assert found["data"][-1]["@type"].endswith("RequestInfo")
    assert (await gateway.rpc("CancelTask", {"id": "over"}))["error"]["code"] == -32002
    assert (await gateway.rpc("SendMessage", gateway.said("fail first")))["error"]["code"] == -32005


async def test_wrong_params_are_named_by_field(gateway: Any) -> None:
    """A2A 1.0: -32602 with google.rpc.BadRequest."""
    found = await gateway.rpc("SendMessage", {"message": {"role": "user", "parts": []}})
    assert found["error"]["code"] == -32602
    assert violations(found) == {"message.role"}
    found = await gateway.rpc("SendMessage", {"message": {"role": "ROLE_USER", "parts": []}})
    assert violations(found) == {"message.messageId", "message.parts"}


async def test_a_bug_behind_the_border_tells_nothing_of_the_inside(gateway: Any) -> None:
    """Ours: exception texts stay in the log, under the request's id."""
    found = await gateway.rpc("SendMessage", gateway.said("bug"), headers={"x-request-id": "req-9"})
    assert found["error"]["code"] == -32603
    assert "hunter2" not in json.dumps(found)
    assert "req-9" in found["error"]["message"]


async def test_an_agent_that_is_down_is_said_to_be(gateway: Any, mesh_under_test: Any) -> None:
    """Issue: a role that is down gives callers UNAVAILABLE, and nothing of its addresses."""
    for server in mesh_under_test.servers:
        await server.stop(None)
    for path in ("/", "/agents/helper"):
        found = await gateway.rpc("SendMessage", gateway.said("x"), path=path)
        assert (found["jsonrpc"], found["id"], found["error"]["code"]) == ("2.0", 1, -32603)
        assert "unix:" not in found["error"]["message"]
        (told,) = (one for one in found["error"]["data"] if one["@type"].endswith("ErrorInfo"))
        assert (told["reason"], told["domain"]) == ("UNAVAILABLE", "hector")
    async with gateway.http.get(gateway.url + "/agents/helper") as answer:
        assert answer.status == 503
        assert "UNAVAILABLE" in {one.get("reason") for one in (await answer.json())["error"]["details"]}


ENVELOPES: list[tuple[str, Any, int, Any]] = [
    ("no JSON", b"{", -32700, None),
    ("empty", b"", -32700, None),
    ("a batch", b"[]", -32600, None),
    ("a string", b'"x"', -32600, None),
    ("no version", {"id": 7, "method": "GetTask"}, -32600, 7),
    ("old version", {"jsonrpc": "1.0", "id": "a", "method": "GetTask"}, -32600, "a"),
    ("no method", {"jsonrpc": "2.0", "id": None}, -32600, None),
    ("method a number", {"jsonrpc": "2.0", "id": 1, "method": 5}, -32600, 1),
    ("id an object", {"jsonrpc": "2.0", "id": {}, "method": "GetTask"}, -32600, None),
    ("id a flag", {"jsonrpc": "2.0", "id": True, "method": "GetTask"}, -32600, None),
    ("unknown method", {"jsonrpc": "2.0", "id": 1.5, "method": "Dance"}, -32601, 1.5),
    ("params a list", {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": ["t"]}, -32602, 1),
    ("no params", {"jsonrpc": "2.0", "id": 1, "method": "GetTask"}, -32602, 1),
    ("params null", {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": None}, -32602, 1),
    (
        "push config",
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "GetTaskPushNotificationConfig",
            "params": {"taskId": "t", "id": "p"},
        },
        -32003,
        1,
    ),
    ("extended card", {"jsonrpc": "2.0", "id": 1, "method": "GetExtendedAgentCard"}, -32004, 1),
]


@pytest.mark.parametrize(
    ("body", "code", "rpc_id"), [row[1:] for row in ENVELOPES], ids=[row[0] for row in ENVELOPES]
)
async def test_what_json_rpc_refuses(gateway: Any, body: Any, code: int, rpc_id: Any) -> None:
    """JSON-RPC 2.0, and HTTP 200 for all of it; the id comes back whatever it is."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    headers = {"Content-Type": "application/json", "A2A-Version": "1.0"}
    async with gateway.http.post(gateway.url + "/agents/helper", data=data, headers=headers) as answer:
        assert answer.status == 200
        found = await answer.json()
    assert (found["error"]["code"], found["id"], found["jsonrpc"]) == (code, rpc_id, "2.0")


async def test_an_unknown_method_names_those_there_are(gateway: Any) -> None:
    found = await gateway.rpc("Dance")
    assert "SendMessage" in found["error"]["message"]
    assert "message/send" in found["error"]["message"]


VERSIONS: list[tuple[str, str | None, int | None]] = [
    ("GetTask", "1.0", None),
    ("GetTask", "1.0.1", None),
    ("GetTask", None, -32009),
    ("GetTask", "0.3", -32009),
    ("GetTask", "2.0", -32009),
    ("GetTask", "99", -32009),
    ("tasks/get", None, None),
    ("tasks/get", "", None),
    ("tasks/get", "0.3", None),
    ("tasks/get", "0.3.0", None),
    ("tasks/get", "1.0", -32009),
]


@pytest.mark.parametrize(("method", "version", "code"), VERSIONS)
async def test_version_and_spelling_must_agree(
    gateway: Any, method: str, version: str | None, code: int | None
) -> None:
    """A2A 1.0 section 3.6: empty or missing means 0.3. Whatever the spelling, the code is -32009."""
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": {"id": "t"}}
    headers = {} if version is None else {"A2A-Version": version}
    async with gateway.http.post(gateway.url + "/agents/helper", json=body, headers=headers) as answer:
        found = await answer.json()
    assert found.get("error", {}).get("code") == code


async def test_the_version_may_stand_in_the_query(gateway: Any) -> None:
    body = {"jsonrpc": "2.0", "id": 1, "method": "GetTask", "params": {"id": "t"}}
    async with gateway.http.post(gateway.url + "/agents/helper?A2A-Version=1.0", json=body) as answer:
        assert "result" in await answer.json()


async def test_a_notification_is_done_and_not_answered(gateway: Any) -> None:
    """JSON-RPC 2.0: the server must not reply; a send does not wait."""
    for method in ("SendMessage", "SendStreamingMessage"):
        body = {"jsonrpc": "2.0", "method": method, "params": gateway.said("x")}
        headers = {"A2A-Version": "1.0"}
        async with gateway.http.post(gateway.url + "/agents/helper", json=body, headers=headers) as answer:
            assert (answer.status, await answer.read()) == (204, b"")
        assert gateway.fake.requests[-1].configuration.return_immediately


async def test_old_clients_are_forgiven_at_the_old_door_only(gateway: Any) -> None:
    """Ours: missing message id, role, kind, content type and version."""
    sloppy = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "message/send",
        "params": {"message": {"parts": [{"text": "x"}]}},
    }
    for path, fine in (("/v1/agents/helper", True), ("/agents/helper", False)):
        found = gateway.http.post(
            gateway.url + path, data=json.dumps(sloppy).encode(), skip_auto_headers=["Content-Type"]
        )
        async with found as answer:
            assert answer.status == (200 if fine else 415)
            assert ("result" in await answer.json()) is fine
    modern = {**sloppy, "method": "SendMessage"}
    async with gateway.http.post(gateway.url + "/v1/agents/helper", json=modern) as answer:
        assert "result" in await answer.json()
    assert gateway.fake.requests[-1].message.role == a2a.ROLE_USER


async def test_an_agent_that_does_not_stream_says_so(gateway: Any) -> None:
    """A2A 1.0: a capability that the card does not declare is refused first."""
    found = await gateway.rpc("SendStreamingMessage", gateway.said("x"), path="/agents/whole")
    assert found["error"]["code"] == -32004


async def test_a_client_that_leaves_ends_the_wait_and_nothing_else(gateway: Any) -> None:
    """Ours: the mesh's call is given up, so that nobody waits for nobody."""
    waiting = asyncio.create_task(gateway.rpc("SendMessage", gateway.said("hang")))
    async with asyncio.timeout(5):
        await gateway.fake.begun.wait()
        waiting.cancel()
        await gateway.fake.stopped.wait()


async def test_an_answer_that_takes_too_long_ends_with_what_to_do(start_gateway: Any) -> None:
    gateway = await start_gateway(request_timeout=0.3)
    found = await gateway.rpc("SendMessage", gateway.said("hang"))
    assert found["error"]["code"] == -32603
    assert "ask for it later" in found["error"]["message"]


async def test_the_error_codes_of_the_first_edition_can_be_had(start_gateway: Any) -> None:
    """Ours: `server.a2a.errors: 1.0.0`; over JSON-RPC both editions agree."""
    gateway = await start_gateway(a2a={"errors": "1.0.0"})
    assert (await gateway.rpc("CancelTask", {"id": "over"}))["error"]["code"] == -32002


def violations(found: dict[str, Any]) -> set[str]:
    details = found["error"]["data"]
    bad = next(one for one in details if one["@type"].endswith("BadRequest"))
    return {one["field"] for one in bad["fieldViolations"]}
