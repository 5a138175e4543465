"""One table of calls, made over JSON-RPC and over HTTP+JSON, in A2A 1.0 and 0.3, with equal answers."""

import json
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from hector_a2a import v03_proto

SEND = {"message": {"messageId": "m", "role": "ROLE_USER", "parts": [{"text": "one two"}]}}
OLD_SEND = {
    "message": {
        "kind": "message",
        "messageId": "m",
        "role": "user",
        "parts": [{"kind": "text", "text": "one two"}],
    }
}


@dataclass(frozen=True)
class Case:
    """One call: how each binding and version says it."""

    method: str
    params: dict[str, Any]
    verb: str
    path: str
    """Of HTTP+JSON; what params have beside the path's variables goes into body or query."""
    old: str = ""
    """The method of 0.3; empty: 0.3 has none over JSON-RPC."""
    old_params: dict[str, Any] | None = None
    streams: bool = False
    code: int = 0
    """JSON-RPC's code of the error; 0: it succeeds."""
    old_code: int = 0
    """The same in 0.3, where that is another one."""
    http: int = 200
    in_path: frozenset[str] = field(default=frozenset({"id", "taskId"}))

    def code_in(self, version: str | None) -> int:
        return self.code if version == "1.0" else self.old_code or self.code


def sends(change: Any = None, **more: Any) -> dict[str, Any]:
    """Return what is said in both versions."""
    return {
        "params": {**SEND, **(change or {})},
        "old_params": {**OLD_SEND, **(change or {})},
        **more,
    }


def text(words: str, **more: Any) -> dict[str, Any]:
    new, old = json.loads(json.dumps(SEND)), json.loads(json.dumps(OLD_SEND))
    new["message"]["parts"][0]["text"] = old["message"]["parts"][0]["text"] = words
    return {"params": new, "old_params": old, **more}


SEND_AT = {"method": "SendMessage", "old": "message/send", "verb": "POST", "path": "message:send"}
STREAM_AT = {
    "method": "SendStreamingMessage",
    "old": "message/stream",
    "verb": "POST",
    "path": "message:stream",
    "streams": True,
}
PARTS = [
    {"text": "hi", "metadata": {"a": 1}},
    {"raw": "aGk=", "mediaType": "image/png", "filename": "a.png"},
    {"url": "http://x/y", "mediaType": "text/html"},
    {"data": {"a": [1, None, {"b": True}]}},
]
OLD_PARTS = [
    {"kind": "text", "text": "hi", "metadata": {"a": 1}},
    {"kind": "file", "file": {"bytes": "aGk=", "mimeType": "image/png", "name": "a.png"}},
    {"kind": "file", "file": {"uri": "http://x/y", "mimeType": "text/html"}},
    {"kind": "data", "data": {"a": [1, None, {"b": True}]}},
]
CASES = {
    "send": Case(**SEND_AT, **sends()),
    "send and return": Case(
        **SEND_AT,
        params={**SEND, "configuration": {"returnImmediately": True, "historyLength": 3}},
        old_params={**OLD_SEND, "configuration": {"blocking": False, "historyLength": 3}},
    ),
    "send with every kind of part": Case(
        **SEND_AT,
        params={"message": {**SEND["message"], "parts": PARTS}, "metadata": {"k": "v"}},
        old_params={"message": {**OLD_SEND["message"], "parts": OLD_PARTS}, "metadata": {"k": "v"}},
    ),
    "send into a context": Case(
        **SEND_AT,
        params={"message": {**SEND["message"], "contextId": "c", "referenceTaskIds": ["r"]}},
        old_params={"message": {**OLD_SEND["message"], "contextId": "c", "referenceTaskIds": ["r"]}},
    ),
    "send nothing": Case(**SEND_AT, params={}, old_params={}, code=-32602, http=400),
    "send without parts": Case(
        **SEND_AT,
        params={"message": {**SEND["message"], "parts": []}},
        old_params={"message": {**OLD_SEND["message"], "parts": []}},
        code=-32602,
        http=400,
    ),
    "send a message of the wrong type": Case(**SEND_AT, **sends({"message": ["x"]}), code=-32602, http=400),
    "send a role of the wrong type": Case(
        **SEND_AT, **sends({"message": {"role": [1], "parts": [{}]}}), code=-32602, http=400
    ),
    "send with push": Case(
        **SEND_AT,
        params={**SEND, "configuration": {"taskPushNotificationConfig": {"url": "http://x"}}},
        old_params={**OLD_SEND, "configuration": {"pushNotificationConfig": {"url": "http://x"}}},
        code=-32003,
        http=400,
    ),
    "a bug": Case(**SEND_AT, **text("bug"), code=-32603, http=500),
    "a refusal": Case(**SEND_AT, **text("fail first"), code=-32005, http=400),
    "stream": Case(**STREAM_AT, **sends()),
    "stream that fails at once": Case(**STREAM_AT, **text("fail first"), code=-32005, http=400),
    "stream that fails later": Case(**STREAM_AT, **text("fail later")),
    "get": Case("GetTask", {"id": "t"}, "GET", "tasks/t", "tasks/get"),
    "get with history": Case("GetTask", {"id": "t", "historyLength": 2}, "GET", "tasks/t", "tasks/get"),
    "get another": Case("GetTask", {"id": "no"}, "GET", "tasks/no", "tasks/get", code=-32001, http=404),
    "get an odd one": Case(
        "GetTask",
        {"id": "a b:cancel?ü"},
        "GET",
        "tasks/" + quote("a b:cancel?ü"),
        "tasks/get",
        code=-32001,
        http=404,
    ),
    "list": Case(
        "ListTasks",
        {
            "contextId": "c",
            "status": "TASK_STATE_COMPLETED",
            "pageSize": 7,
            "pageToken": "x",
            "historyLength": 0,
            "statusTimestampAfter": "2026-01-31T12:00:00Z",
            "includeArtifacts": True,
        },
        "GET",
        "tasks",
    ),
    "list everything": Case("ListTasks", {}, "GET", "tasks"),
    "list from nowhere": Case("ListTasks", {"pageToken": "bad"}, "GET", "tasks", code=-32602, http=400),
    "list a state there is not": Case(
        "ListTasks", {"status": "TASK_STATE_RUNNING"}, "GET", "tasks", code=-32602, http=400
    ),
    "list after a time there is not": Case(
        "ListTasks", {"statusTimestampAfter": "yesterday"}, "GET", "tasks", code=-32602, http=400
    ),
    "list half a page": Case("ListTasks", {"pageSize": 1.5}, "GET", "tasks", code=-32602, http=400),
    "cancel": Case("CancelTask", {"id": "t"}, "POST", "tasks/t:cancel", "tasks/cancel"),
    "cancel with metadata": Case(
        "CancelTask", {"id": "t", "metadata": {"why": "x"}}, "POST", "tasks/t:cancel", "tasks/cancel"
    ),
    "cancel what is over": Case(
        "CancelTask", {"id": "over"}, "POST", "tasks/over:cancel", "tasks/cancel", code=-32002, http=400
    ),
    "cancel another": Case(
        "CancelTask", {"id": "no"}, "POST", "tasks/no:cancel", "tasks/cancel", code=-32001, http=404
    ),
    "subscribe": Case(
        "SubscribeToTask", {"id": "t"}, "GET", "tasks/t:subscribe", "tasks/resubscribe", streams=True
    ),
    "subscribe by POST": Case(
        "SubscribeToTask", {"id": "t"}, "POST", "tasks/t:subscribe", "tasks/resubscribe", streams=True
    ),
    "subscribe to what is over": Case(
        "SubscribeToTask",
        {"id": "over"},
        "GET",
        "tasks/over:subscribe",
        "tasks/resubscribe",
        streams=True,
        code=-32004,
        http=400,
    ),
    "create a push config": Case(
        "CreateTaskPushNotificationConfig",
        {"taskId": "t", "nonsense": 1},
        "POST",
        "tasks/t/pushNotificationConfigs",
        "tasks/pushNotificationConfig/set",
        code=-32003,
        http=400,
    ),
    "get a push config": Case(
        "GetTaskPushNotificationConfig",
        {"taskId": "t", "id": "p"},
        "GET",
        "tasks/t/pushNotificationConfigs/p",
        "tasks/pushNotificationConfig/get",
        code=-32003,
        http=400,
    ),
    "list push configs": Case(
        "ListTaskPushNotificationConfigs",
        {"taskId": "t"},
        "GET",
        "tasks/t/pushNotificationConfigs",
        "tasks/pushNotificationConfig/list",
        code=-32003,
        http=400,
    ),
    "delete a push config": Case(
        "DeleteTaskPushNotificationConfig",
        {"taskId": "t", "id": "p"},
        "DELETE",
        "tasks/t/pushNotificationConfigs/p",
        "tasks/pushNotificationConfig/delete",
        code=-32003,
        http=400,
    ),
    "extended card": Case(
        "GetExtendedAgentCard",
        {},
        "GET",
        "extendedAgentCard",
        "agent/getAuthenticatedExtendedCard",
        code=-32004,
        old_code=-32007,
        http=400,
    ),
}


@pytest.mark.parametrize("name", CASES)
async def test_both_bindings_answer_alike(gateway: Any, name: str) -> None:
    """A2A 1.0 section 5.1: bindings are equivalent."""
    case = CASES[name]
    over_rpc = await rpc(gateway, case, case.method, case.params, "1.0")
    asked = gateway.fake.requests[-1:]
    over_rest = await rest(gateway, case, case.params, f"/agents/helper/{case.path}", "1.0")
    assert over_rest == over_rpc
    assert gateway.fake.requests[-1:] == asked
    check(case, over_rest)


@pytest.mark.parametrize("name", [name for name, case in CASES.items() if case.old])
async def test_both_bindings_of_the_old_version_answer_alike(gateway: Any, name: str) -> None:
    """A2A 0.3 section 3.4.1: transports are equivalent; the old door and 0.3's own paths lead to the same."""
    case = CASES[name]
    params = case.params if case.old_params is None else case.old_params
    over_rpc = await rpc(gateway, case, case.old, params, "0.3")
    asked = gateway.fake.requests[-1:]
    for path in (f"/v1/agents/helper/{case.path}", f"/agents/helper/v1/{case.path}", f"/v1/{case.path}"):
        strict = not path.startswith("/v1/agents")
        if name == "send nothing" and not strict:
            continue  # a message id and a role are made up there
        over_rest = await rest(gateway, case, params, path, "0.3" if strict else None)
        assert normal(over_rest) == normal(over_rpc)
        assert gateway.fake.requests[-1:] == asked
    check(case, over_rpc, "0.3")


SPOKEN = [name for name, case in CASES.items() if case.old_params and "wrong type" not in name]


@pytest.mark.parametrize("name", SPOKEN)
async def test_the_old_versions_proto_json_means_the_same(gateway: Any, name: str) -> None:
    """A2A 0.3, a2a.proto: what its SDKs send over HTTP+JSON, and what they read."""
    case = CASES[name]
    params = json.loads(json.dumps(case.old_params))
    message = params.get("message")
    if isinstance(message, dict):
        params["message"] = v03_proto.result_from_v03({"kind": "message", "role": "user", **message})
    if "pushNotificationConfig" in params.get("configuration", {}):
        params["configuration"]["push_notification"] = params["configuration"].pop("pushNotificationConfig")
    over_rpc = await rpc(gateway, case, case.old, case.old_params or {}, "0.3")
    asked = gateway.fake.requests[-1:]
    over_rest = await rest(gateway, case, params, f"/agents/helper/v1/{case.path}", "0.3")
    assert normal(over_rest) == normal(over_rpc)
    assert gateway.fake.requests[-1:] == asked


NAMED = {"x-request-id": "r"}

Answer = tuple[int, list[Any]]
"""JSON-RPC's code of an error, and everything that was answered."""


async def rpc(gateway: Any, case: Case, method: str, params: Any, version: str) -> Answer:
    body = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
    async with gateway.http.post(
        gateway.url + "/agents/helper", json=body, headers={"A2A-Version": version, **NAMED}
    ) as answer:
        found = events_in(await answer.text()) if is_stream(answer) else [(None, await answer.json())]
    if "error" in found[0][1]:
        return found[0][1]["error"]["code"], [same_error(found[0][1]["error"])]
    return 0, [(place, same_error(one["error"]) if "error" in one else one["result"]) for place, one in found]


async def rest(gateway: Any, case: Case, params: dict[str, Any], path: str, version: str | None) -> Answer:
    headers = {**NAMED} if version is None else {"A2A-Version": version, **NAMED}
    rest = {name: value for name, value in params.items() if name not in case.in_path}
    more: dict[str, Any] = {"headers": headers}
    url = gateway.url + path
    if case.verb == "POST":
        more["json"] = rest
    else:
        pairs = {name: str(value).lower() if value is True else value for name, value in rest.items()}
        url += f"?{urlencode(pairs)}" if pairs else ""
    async with gateway.http.request(case.verb, url, **more) as answer:
        if not is_stream(answer):
            found = await answer.json()
            if answer.status != 200:
                assert answer.status == found["error"]["code"]
                code = case.code_in(version) if answer.status == case.http else -1
                return code, [same_error(found["error"])]
            return 0, [(None, found)]
        found = events_in(await answer.text())
    return 0, [(place, same_error(one["error"]) if "error" in one else one) for place, one in found]


def check(case: Case, answer: Answer, version: str = "1.0") -> None:
    code, found = answer
    assert code == case.code_in(version)
    if case.streams and not code:
        assert [place for place, _ in found][:2] == ["1", "2"]


def is_stream(answer: Any) -> bool:
    return bool(answer.content_type == "text/event-stream")


def events_in(text: str) -> list[tuple[str | None, Any]]:
    found = []
    for block in text.strip().split("\n\n"):
        lines = dict(line.split(": ", 1) for line in block.split("\n") if not line.startswith(":"))
        if "data" in lines:
            found.append((lines.get("id"), json.loads(lines["data"])))
    return found


def same_error(found: dict[str, Any]) -> Any:
    """Return of an error what both bindings say alike."""
    details = found.get("data", found.get("details"))
    kept = [one for one in details if not one["@type"].endswith("RequestInfo")]
    return found["message"], kept


def normal(answer: Answer) -> Answer:
    """Return an answer of 0.3 in the JSON of its proto, whichever it was in."""
    code, found = answer
    if code:
        return answer
    return code, [(place, proto(one)) for place, one in found]


def proto(one: Any) -> Any:
    if isinstance(one, tuple):
        return one
    if "kind" in one:
        return v03_proto.result_from_v03(one)
    ((_, only),) = one.items() if len(one) == 1 else ((None, one),)
    return only
