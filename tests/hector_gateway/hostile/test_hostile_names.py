"""Ids, names and texts that no client should send, on every kind of database."""

import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from support.databases import SERVERS, DatabaseServer, database_servers
from support.victim import AGENT, Victim, post, rpc, said, standing

__all__ = ["database_servers"]

NAMES = {
    "NUL": "\0",
    "NUL inside": "a\0b",
    "a space at the end": "a ",
    "blank": "   ",
    "a line break": "a\nb",
    "an emoji": "😀" * 20,
    "no text at all": "\ufffe\uffff",
    "right to left": "\u202eabc",
    "300 characters": "a" * 300,
    "half a megabyte": "a" * 400_000,
    "up and out": "../../../etc/passwd",
    "SQL": "'; DROP TABLE runs; --",
    "a pattern": "%",
    "a percent code": "%00%2e%2e",
    "upper case": "ABC",
    "a dot": ".",
    "two dots": "..",
    "a path": "/",
    "tenants and agents": "default/victim/../other",
    "very default": "default/default/victim",
}


@pytest.fixture(scope="module", params=["sqlite", *SERVERS])
def kept_in(
    request: pytest.FixtureRequest,
    database_servers: Callable[[str], DatabaseServer],
    tmp_path_factory: pytest.TempPathFactory,
) -> Any:
    folder: Path = tmp_path_factory.mktemp("victim")
    if request.param == "sqlite":
        with standing(folder) as found:
            yield found
        return
    server = database_servers(request.param)
    with server.new_database() as name, standing(folder, server.url(name)) as found:
        yield found


@pytest.fixture
async def victim(kept_in: Victim) -> AsyncIterator[Victim]:
    await kept_in.is_well()
    yield kept_in
    await kept_in.is_well()
    kept_in.check_log()


@pytest.mark.parametrize("what", NAMES)
async def test_a_bad_name_is_the_clients_mistake_wherever_it_stands(victim: Victim, what: str) -> None:
    """A2A 1.0: no such task, or invalid; decisions: the same on every database."""
    name = NAMES[what]
    message = said("hello")["message"]
    asked: list[tuple[str, dict[str, Any], tuple[int, ...]]] = [
        ("GetTask", {"id": name}, (-32001, -32602)),
        ("CancelTask", {"id": name}, (-32001, -32602)),
        ("SubscribeToTask", {"id": name}, (-32001, -32602)),
        ("SendMessage", {"message": {**message, "taskId": name}}, (-32001, -32602)),
        ("SendMessage", {"message": {**message, "contextId": name}}, (0, -32602)),
        ("SendMessage", {"message": {**message, "messageId": name}}, (0, -32602)),
        ("SendMessage", {"message": {**message, "parts": [{"text": name}]}}, (0, -32602)),
        ("SendMessage", {"message": {**message, "metadata": {name: name}}}, (0, -32602)),
        ("SendMessage", {"message": {**message, "parts": [{"url": name}]}}, (0, -32602, -32005)),
        ("SendMessage", {"message": {**message, "referenceTaskIds": [name]}}, (0, -32602, -32001)),
        ("SendMessage", {"message": {**message, "extensions": [name]}}, (0, -32602)),
        ("ListTasks", {"contextId": name}, (0, -32602)),
        ("ListTasks", {"pageToken": name}, (-32602,)),
        ("GetTaskPushNotificationConfig", {"taskId": name, "id": name}, (-32001, -32602, -32003)),
        ("ListTaskPushNotificationConfigs", {"taskId": name}, (-32001, -32602, -32003)),
        ("DeleteTaskPushNotificationConfig", {"taskId": name, "id": name}, (0, -32001, -32602, -32003)),
    ]
    answers = await victim.ask_all([rpc(method, params) for method, params, _ in asked])
    for (method, params, codes), answer in zip(asked, answers, strict=True):
        if answer.headers["content-type"] != "text/event-stream":
            assert answer.code in codes, (method, json.dumps(params)[:300], answer.body[:600])


@pytest.mark.parametrize("what", NAMES)
async def test_a_bad_name_in_a_path_is_no_way_out(victim: Victim, what: str) -> None:
    name = quote(NAMES[what][:5000], safe="")
    paths = [
        f"/agents/{name}",
        f"/agents/{AGENT}/tasks/{name}",
        f"/agents/{AGENT}/tasks/{name}:cancel",
        f"/agents/{AGENT}/tasks?contextId={name}&pageToken={name}",
        f"/v1/agents/{name}/tasks/{name}",
        f"/{name}/tasks/{name}",
        f"/agents/{AGENT}/{name}/tasks",
        f"/.well-known/{name}",
    ]
    for verb in (b"GET", b"POST", b"DELETE"):
        requests = [post(path, b"{}").replace(b"POST", verb, 1) for path in paths]
        for path, answer in zip(paths, await victim.ask_all(requests), strict=True):
            assert answer.status < 500, (verb, path, answer)
            assert b"root:" not in answer.body


async def test_a_tenant_that_is_no_agent_is_not_found(victim: Victim) -> None:
    for name in NAMES.values():
        body = {"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": {**said("x"), "tenant": name}}
        answer = await victim.ask(post("/", json.dumps(body).encode()))
        assert answer.code not in (0, -32603), (name[:100], answer.body[:300])


async def test_keys_of_idempotency_may_be_odd(victim: Victim) -> None:
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "SendMessage", "params": said("hello")}).encode()
    for key in (
        "",
        " ",
        "a" * 10_000,
        "'; --",
        "\xff\xfe",
        "a b",
        "%00",
        "\t",
        "🙂".encode().decode("latin-1"),
    ):
        answer = await victim.ask(post(f"/agents/{AGENT}", body, f"Idempotency-Key: {key}"))
        assert answer.status == 200, (key[:50], answer)
        assert answer.code in (0, -32602), (key[:50], answer)


@pytest.mark.parametrize(
    "door", ["/agents/victim/tasks", "/agents/victim/v1/tasks", "/v1/agents/victim/tasks"]
)
async def test_queries_of_any_kind_are_answered(victim: Victim, door: str) -> None:
    """Every parameter with values that make no sense, and some that nobody knows, twice or without end."""
    values = "0 -1 101 1e9 true null [] {} %00 %ff %zz 0x10 +1 TASK_STATE_ 2026-13-45T99:99:99Z"
    values += " 0000-00-00T00:00:00Z 9999999-01-01T00:00:00Z 3 " + "a" * 5000
    fields = "contextId context_id status pageSize page_size pageToken historyLength includeArtifacts"
    fields += " statusTimestampAfter tenant nothing __proto__ A2A-Version "
    queries = [f"{name}={value}" for name in fields.split(" ") for value in values.split(" ")]
    queries += [f"{name}=1&{name}=2" for name in fields.split()] + [
        "&" * 10_000,
        "=",
        "pageSize",
        "%",
        "?" * 100,
    ]
    version = "0.3" if "/v1" in door else "1.0"
    asked = [post(f"{door}?{query}", b"", version=version).replace(b"POST", b"GET", 1) for query in queries]
    found = [answer.status for answer in await victim.ask_all(asked)]
    assert set(found) <= {200, 400, 404}, dict(zip(queries, found, strict=True))
