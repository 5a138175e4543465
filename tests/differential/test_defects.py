"""Ours: each known defect of a2a-sdk 1.3.0 is still there, and Hector does not have it.

The numbers are those of the list from which this project began. A test that fails because the SDK has become
better is good news: its half may go.
"""

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from a2a.server.cluster.database_task_store import VersionedDatabaseTaskStore
from a2a.server.context import ServerCallContext
from a2a.types import a2a_pb2 as pb
from a2a.utils.signing import _canonicalize_agent_card
from aiohttp import web
from differential.ours import SECRET
from differential.theirs import AGENT, EXTENSION
from differential.twins import NEEDY, Twins, attempt, events_of
from google.protobuf.json_format import MessageToDict
from sqlalchemy.ext.asyncio import create_async_engine
from support.doors import DOORS, GrpcV1, Place, RestV03, RestV1, RpcV1
from support.receiver import receiving

from hector_a2a.canonical import forms_of
from hector_store import RunLog
from hector_store import opened as store_opened

pytestmark = pytest.mark.asyncio(loop_scope="session")

RAW = {"Content-Type": "application/json", "A2A-Version": "1.0"}


async def rpc(place: Place, body: Any, **headers: str) -> tuple[int, bytes, Any]:
    """Post bytes to the JSON-RPC door; return status, body and headers."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    said = {**RAW, "Authorization": "Bearer key-of-ada"}
    said |= {name.replace("_", "-"): value for name, value in headers.items()}
    async with place.http.post(f"{place.url}/agents/{AGENT}", data=data, headers=said) as answer:
        return answer.status, await answer.read(), answer.headers


def request(method: str, params: Any, **more: Any) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": 1, "method": method, "params": params, **more}


def said(text: str, **more: Any) -> dict[str, Any]:
    return {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": text}], **more}}


async def test_01_a_follow_up_by_task_id_alone_stays_in_its_context(twins: Twins) -> None:
    """The SDK makes up a new context for it (a2a-python#1206)."""
    contexts = []
    for door in twins.doors(RpcV1):
        first = await door.send("ask")
        task = await door.send("hello", taskId=first["id"], messageId="m2")
        contexts.append({message.get("contextId") for message in task["history"]} == {first["contextId"]})
    assert contexts == [True, False]


@pytest.mark.parametrize("version", ["99.0", "1.7", "2.0"])
async def test_02_a_version_that_is_not_served_is_refused_on_every_binding(
    twins: Twins, version: str
) -> None:
    """The SDK takes any over gRPC, and compares the major number only over HTTP (a2a-python#1166)."""
    for kind in (RpcV1, RestV1, GrpcV1):
        ours, theirs = twins.doors(kind)
        refused = await attempt(ours.call("GetTask", {"id": "x"}, {"a2a-version": version}))
        assert refused["refused"] == "VERSION_NOT_SUPPORTED"
        if kind is GrpcV1 or version == "1.7":
            taken = await attempt(theirs.call("GetTask", {"id": "x"}, {"a2a-version": version}))
            assert taken["refused"] == "TASK_NOT_FOUND"


async def test_02_a_version_in_the_query_counts(twins: Twins) -> None:
    """A2A 1.0, 3.6.1; the SDK ignores it."""
    found = []
    for place in (twins.ours, twins.theirs):
        url = f"{place.url}/agents/{AGENT}?A2A-Version=1.0"
        headers = {"Content-Type": "application/json", "Authorization": "Bearer key-of-ada"}
        body = request("SendMessage", said("hello"))
        async with place.http.post(url, json=body, headers=headers) as answer:
            found.append("result" in await answer.json())
    assert found == [True, False]


async def test_03_an_extension_that_is_required_is_demanded_and_echoed(twins: Twins) -> None:
    """A2A 1.0, 3.3.4; the SDK neither demands nor echoes it."""
    ours, theirs = twins.doors(RpcV1)
    needy, named = ours.at(NEEDY), {"a2a-extensions": EXTENSION}
    refused = await attempt(needy.send("hello"))
    assert refused["refused"] == "EXTENSION_SUPPORT_REQUIRED"
    body = {"message": said("hello")["message"]}
    answer = await needy.call("SendMessage", body, named)
    assert answer.said["a2a-extensions"] == EXTENSION
    assert (await theirs.send("hello"))["status"]["state"] == "TASK_STATE_COMPLETED"
    assert "a2a-extensions" not in (await theirs.call("SendMessage", body, named)).said


async def test_04_the_extended_card_wants_a_credential(twins: Twins) -> None:
    """A2A 1.0, 13.3; the SDK shows it to everybody."""
    ours, theirs = twins.doors(RestV1)
    url = f"{twins.ours.url}/agents/{AGENT}/extendedAgentCard"
    async with twins.ours.http.get(url, headers={"A2A-Version": "1.0"}) as answer:
        assert answer.status == 401
        assert answer.headers["www-authenticate"].startswith("Bearer")
    assert (await ours.card())["name"]
    assert (await theirs.card())["name"]


INSIDE = [
    "http://169.254.169.254/latest/meta-data",
    "http://10.0.0.1/",
    "https://[::ffff:10.0.0.1]/",
    "ftp://a/",
]


async def test_05_webhooks_may_not_be_inside(twins: Twins) -> None:
    """A2A 1.0, 13.2; the SDK's checks are switched off."""
    ours, theirs = twins.doors(RpcV1)
    task, other = await ours.send("ask"), await theirs.send("ask")
    for url in INSIDE:
        refused = await attempt(ours.set_push(task["id"], url))
        assert refused["refused"] == "INVALID_PARAMS", url
        assert (await theirs.set_push(other["id"], url, id="x"))["url"] == url
        await theirs.delete_push(other["id"], "x")


async def test_06_a_webhook_that_does_not_answer_holds_up_nobody(twins: Twins) -> None:
    """The SDK waits for it in the middle of the answer."""
    let_go = asyncio.Event()

    async def slow(_: web.Request) -> web.Response:
        await let_go.wait()
        return web.Response()

    secret = {"scheme": "Bearer", "credentials": "the-credentials"}
    config = {"token": "the-token", "authentication": secret}
    async with receiving() as hook:
        hook.usual = slow
        pushed = {"configuration": {"taskPushNotificationConfig": {"url": hook.url, "id": "p", **config}}}
        ours, theirs = twins.doors(RpcV1)
        async with asyncio.timeout(10):
            task = await ours.send("hello", **pushed)
        assert task["status"]["state"] == "TASK_STATE_COMPLETED"
        waiting = asyncio.create_task(attempt(theirs.send("hello", **pushed)))
        await hook.until(lambda told: len(told) >= 2)
        assert not waiting.done()
        let_go.set()
        async with asyncio.timeout(10):
            other = await waiting
        kinds = {told.headers["content-type"] for told in hook.all}
        assert kinds == {"application/a2a+json", "application/json"}
    assert "the-credentials" not in str(await ours.get_push(task["id"], "p"))
    assert "the-credentials" in str(await theirs.get_push(other["id"], "p"))


async def test_07_the_inside_of_an_agent_that_breaks_is_nobodys_business(twins: Twins) -> None:
    """The SDK sends the exception's text over JSON-RPC."""
    for kind in DOORS:
        ours, _ = twins.doors(kind)
        task = await ours.send("break")
        assert task["status"]["state"] == "TASK_STATE_FAILED"
        assert "hunter2" not in str(task)
        assert "hunter2" not in str(await attempt(ours.get(task["id"])))
    _, answer, _ = await rpc(twins.theirs, request("SendMessage", said("break")))
    assert SECRET in json.loads(answer)["error"]["message"]


async def test_08_what_is_required_is_signed_though_it_is_empty() -> None:
    """A2A 1.0, 8.4.1; signatures over what the SDK leaves out do not fit anybody else's."""
    place = pb.AgentInterface(url="x", protocol_binding="JSONRPC", protocol_version="1.0")
    card = pb.AgentCard(name="Example Agent", supported_interfaces=[place])
    card.capabilities.SetInParent()
    ours = json.loads(forms_of(MessageToDict(card))["1.0"])
    theirs = json.loads(_canonicalize_agent_card(card))
    assert (ours["description"], ours["skills"], ours["capabilities"]) == ("", [], {})
    assert not {"description", "skills", "capabilities"} & theirs.keys()


async def test_09_an_enum_that_nobody_knows_is_refused(twins: Twins) -> None:
    """The SDK takes it for none, and lists everything."""
    body = request("ListTasks", {"status": "TASK_STATE_RUNNING"})
    _, ours, _ = await rpc(twins.ours, body)
    _, theirs, _ = await rpc(twins.theirs, body)
    assert json.loads(ours)["error"]["code"] == -32602
    assert "result" in json.loads(theirs)


async def test_09_a_body_that_is_not_called_json_is_not_taken_for_it(twins: Twins) -> None:
    """Any web page may post the other kinds."""
    body = request("SendMessage", said("hello"))
    status, _, _ = await rpc(twins.ours, body, Content_Type="text/plain")
    assert status == 415
    status, theirs, _ = await rpc(twins.theirs, body, Content_Type="text/plain")
    assert (status, "result" in json.loads(theirs)) == (200, True)


async def test_09_a_notification_is_not_answered(twins: Twins) -> None:
    """JSON-RPC 2.0, 4.1."""
    body = {name: value for name, value in request("GetTask", {"id": "x"}).items() if name != "id"}
    assert (await rpc(twins.ours, body))[:2] == (204, b"")
    assert (await rpc(twins.theirs, body))[1]


async def test_09_a_path_that_is_not_there_is_told_in_json(twins: Twins) -> None:
    kinds = []
    for place in (twins.ours, twins.theirs):
        headers = {**RAW, "Authorization": "Bearer key-of-ada"}
        async with place.http.get(f"{place.url}/agents/{AGENT}/no/such", headers=headers) as answer:
            assert answer.status == 404
            kinds.append(answer.content_type)
    assert kinds == ["application/json", "text/plain"]


async def test_09_times_are_in_milliseconds(twins: Twins) -> None:
    """A2A 1.0, 5.6.1: YYYY-MM-DDTHH:mm:ss.sssZ."""
    lengths = []
    for place in (twins.ours, twins.theirs):
        _, body, _ = await rpc(place, request("SendMessage", said("hello")))
        lengths.append(len(json.loads(body)["result"]["task"]["status"]["timestamp"]))
    assert lengths[0] == len("2026-01-31T12:00:00.000Z")
    assert lengths[1] > lengths[0]


async def test_10_two_messages_with_one_id_are_two_messages(twins: Twins) -> None:
    """A2A 1.0: a server may tell them apart by their ids; the TCK uses one id for many, so it should not."""
    counts = []
    for door in twins.doors(RpcV1):
        first = await door.send("ask")
        task = await door.send("hello", taskId=first["id"], contextId=first["contextId"])
        counts.append([part["role"] for part in task["history"]].count("ROLE_USER"))
    assert counts == [2, 1]


async def test_10_a_stream_says_where_each_event_stands(twins: Twins) -> None:
    """Whoever comes back can go on from there."""
    body = request("SendStreamingMessage", said("hello"))
    _, ours, _ = await rpc(twins.ours, body)
    _, theirs, _ = await rpc(twins.theirs, body)
    assert ours.count(b"id: ") >= 3
    assert not [line for line in theirs.splitlines() if line.startswith(b"id:")]


async def test_10_a_request_may_be_repeated_without_being_done_twice(twins: Twins) -> None:
    body, same = request("SendMessage", said("hello")), []
    for place in (twins.ours, twins.theirs):
        tasks = []
        for _ in range(2):
            _, answer, _ = await rpc(place, body, Idempotency_Key="differential-1")
            tasks.append(json.loads(answer)["result"]["task"]["id"])
        same.append(tasks[0] == tasks[1])
    assert same == [True, False]


async def test_11_wrong_parameters_in_0_3_are_invalid_params(twins: Twins) -> None:
    """JSON-RPC 2.0: -32602. The SDK says -32600, which its own test kit counts as a failure."""
    body = request("message/send", {"message": {}})
    codes = []
    for place in (twins.ours, twins.theirs):
        _, answer, _ = await rpc(place, body, A2A_Version="0.3")
        codes.append(json.loads(answer)["error"]["code"])
    assert codes == [-32602, -32600]


async def test_11_an_unknown_task_breaks_no_response_in_0_3(twins: Twins) -> None:
    ours, theirs = twins.doors(RestV03)
    assert (await attempt(events_of(ours.subscribe("nobody"))))["code"] == 404
    assert "ClientPayloadError" in (await attempt(events_of(theirs.subscribe("nobody"))))["unreadable"]


async def test_12_an_agent_may_say_that_it_works_before_anything_else(twins: Twins) -> None:
    """The SDK wants a task first, and its own example does not do that."""
    ours, theirs = twins.doors(RpcV1)
    task = await ours.send("begin-late")
    assert task["status"]["state"] == "TASK_STATE_COMPLETED"
    refused = await attempt(theirs.send("begin-late"))
    assert "refused" in refused


async def test_13_a_new_database_can_be_read_at_once(tmp_path: Path) -> None:
    """The SDK's versioned store must be initialised by hand; else there is no such table."""
    async with store_opened(f"sqlite://{tmp_path}/new.db") as database:
        assert not (await RunLog(database).list("default", "ada")).runs
    engine = create_async_engine(f"sqlite+aiosqlite:///{tmp_path}/theirs.db")
    try:
        with pytest.raises(Exception, match="no such table"):
            await VersionedDatabaseTaskStore(engine, create_table=False).get("x", ServerCallContext())
    finally:
        await engine.dispose()
