"""HTTP+JSON: paths, verbs, versions, queries, media types, and what the old door forgives."""

import asyncio
import json
import re
from typing import Any

import pytest

import hector_a2a as a2a
from hector_a2a.service import SERVICE_DESCRIPTOR
from hector_gateway.routes import Routes

NEW = {"A2A-Version": "1.0"}
HELLO = json.dumps({"message": {"parts": [{"text": "hello"}]}}).encode()


def test_every_operation_of_the_contract_has_a_path() -> None:
    """Ours: a new operation is a row of the contract and nothing else."""
    routes = Routes(SERVICE_DESCRIPTOR)
    for steps, rpcs in (
        ("message:send", {"POST": "SendMessage"}),
        ("message:stream", {"POST": "SendStreamingMessage"}),
        ("tasks/t", {"GET": "GetTask"}),
        ("tasks", {"GET": "ListTasks"}),
        ("tasks/t:cancel", {"POST": "CancelTask"}),
        ("tasks/t:subscribe", {"GET": "SubscribeToTask", "POST": "SubscribeToTask"}),
        (
            "tasks/t/pushNotificationConfigs",
            {"POST": "CreateTaskPushNotificationConfig", "GET": "ListTaskPushNotificationConfigs"},
        ),
        (
            "tasks/t/pushNotificationConfigs/p",
            {"GET": "GetTaskPushNotificationConfig", "DELETE": "DeleteTaskPushNotificationConfig"},
        ),
        ("extendedAgentCard", {"GET": "GetExtendedAgentCard"}),
    ):
        found = routes.find(steps.split("/"))
        assert found is not None
        assert found.path.rpcs == rpcs
        assert set(found.values.values()) <= {"t", "p"}
    served = {rpc for path in routes._paths for rpc in path.rpcs.values()}
    assert served == {rpc.name for rpc in SERVICE_DESCRIPTOR.methods}


@pytest.mark.parametrize(
    ("path", "agent"),
    [
        ("/agents/whole/tasks/t", "whole"),
        ("/agents/whole/tasks/t/", "whole"),
        ("/tasks/t", "helper"),
        ("/whole/tasks/t", "whole"),
        ("/tasks/t?tenant=whole", "whole"),
        ("/agents/whole/tasks/t?tenant=whole", "whole"),
        ("/v1/agents/whole/tasks/t", "whole"),
    ],
)
async def test_the_path_or_the_tenant_picks_the_agent(gateway: Any, path: str, agent: str) -> None:
    """A2A 1.0 section 13: tenant is a prefix of the path; ours: so is /agents/NAME."""
    async with gateway.http.get(gateway.url + path, headers=NEW) as answer:
        assert answer.status == 200
        assert (await answer.json())["status"]["state"] == "TASK_STATE_COMPLETED"
    assert gateway.fake.requests[-1].tenant == agent


async def test_in_the_old_version_a_header_picks_the_agent_at_the_root(gateway: Any) -> None:
    """Hector's documents: /v1/message:send with agent-name."""
    for headers, agent in (({}, "helper"), ({"agent-name": "whole"}, "whole")):
        async with gateway.http.get(gateway.url + "/v1/tasks/t", headers=headers) as answer:
            assert answer.status == 200
        assert gateway.fake.requests[-1].tenant == agent


@pytest.mark.parametrize(
    ("verb", "path", "status", "allow"),
    [
        ("GET", "/agents/helper/message:send", 405, "POST"),
        ("DELETE", "/agents/helper/tasks/t", 405, "GET, HEAD"),
        ("POST", "/agents/helper/tasks", 405, "GET, HEAD"),
        ("GET", "/agents/helper/tasks/t:cancel", 405, "POST"),
        ("HEAD", "/agents/helper/tasks/t:subscribe", 405, "GET, POST"),
        ("PUT", "/agents/helper/tasks/t/pushNotificationConfigs", 405, "GET, HEAD, POST"),
        ("HEAD", "/agents/helper/tasks/t", 200, None),
        ("POST", "/agents/helper/message:dance", 404, None),
        ("GET", "/agents/helper/tasks/", 200, None),
        ("GET", "/agents/helper/tasks//x", 404, None),
        ("POST", "/agents/helper/tasks/:cancel", 405, "GET, HEAD"),
        ("GET", "/agents/helper/tasks/t/pushNotificationConfigs/p/q", 404, None),
        ("GET", "/agents/nobody/tasks/t", 404, None),
        ("GET", "/agents/hidden/tasks/t", 404, None),
        ("GET", "/nobody/tasks/t", 404, None),
        ("GET", "/api/tasks", 404, None),
        ("GET", "/v1/v1/tasks", 404, None),
        ("GET", "/v1", 404, None),
        ("GET", "//tasks", 404, None),
        ("GET", "/agents/helper/tasks/%00", 404, None),
        ("GET", "/agents/helper/tasks/%ff", 404, None),
        ("GET", "/agents/helper/tasks/" + "x" * 5000, 404, None),
    ],
)
async def test_every_path_and_verb_has_its_answer(
    gateway: Any, verb: str, path: str, status: int, allow: str | None
) -> None:
    version = {"A2A-Version": "0.3"} if path.startswith("/v1") else NEW
    async with gateway.http.request(verb, gateway.url + path, headers=version) as answer:
        assert answer.status == status
        assert answer.headers.get("allow") == allow
        if status != 200 and verb != "HEAD":
            assert (await answer.json())["error"]["code"] == status


VERSIONS: list[tuple[str, str | None, int]] = [
    ("/agents/helper/tasks/t", "1.0", 200),
    ("/agents/helper/tasks/t", "1.0.1", 200),
    ("/agents/helper/tasks/t", None, 400),
    ("/agents/helper/tasks/t", "", 400),
    ("/agents/helper/tasks/t", "0.3", 400),
    ("/agents/helper/tasks/t", "1.7", 400),
    ("/agents/helper/tasks/t", "one", 400),
    ("/agents/helper/v1/tasks/t", None, 200),
    ("/agents/helper/v1/tasks/t", "0.3", 200),
    ("/agents/helper/v1/tasks/t", "0.3.0", 200),
    ("/agents/helper/v1/tasks/t", "1.0", 400),
    ("/v1/tasks/t", "1.0", 400),
    ("/v1/tasks/t", None, 200),
    ("/v1/agents/helper/tasks/t", None, 200),
    ("/v1/agents/helper/tasks/t", "0.3", 200),
    ("/v1/agents/helper/tasks/t", "1.0", 200),
    ("/v1/agents/helper/tasks/t", "2.0", 400),
]


@pytest.mark.parametrize(("path", "version", "status"), VERSIONS)
async def test_version_and_path_must_agree(gateway: Any, path: str, version: str | None, status: int) -> None:
    """A2A 1.0 section 3.6: empty or missing means 0.3; by header or by query."""
    headers = {} if version is None else {"A2A-Version": version}
    query = "" if version is None else f"?a2a-version={version}"
    for url, more in ((path, headers), (path + query, {})):
        async with gateway.http.get(gateway.url + url, headers=more) as answer:
            found = await answer.json()
            assert answer.status == status
        if status == 400:
            assert found["error"]["status"] == "FAILED_PRECONDITION"
            assert found["error"]["details"][0]["reason"] == "VERSION_NOT_SUPPORTED"


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ("status=TASK_STATE_RUNNING", "status"),
        ("status=completed", "status"),
        ("status=3", "status"),
        ("pageSize=many", "pageSize"),
        ("pageSize=", "pageSize"),
        ("pageSize=1e3", "pageSize"),
        ("page_size=99999999999999999999", "pageSize"),
        ("includeArtifacts=yes", "includeArtifacts"),
        ("includeArtifacts=1", "includeArtifacts"),
        ("statusTimestampAfter=now", "statusTimestampAfter"),
        ("statusTimestampAfter=", "statusTimestampAfter"),
        ("historyLength=1&historyLength=2", "historyLength"),
        ("pageSize=1&page_size=2", "pageSize"),
        ("&".join(f"x{number}=1" for number in range(200)), ""),
        ("tenant=whole", "tenant"),
    ],
)
async def test_a_query_that_makes_no_sense_is_refused_by_name(gateway: Any, query: str, field: str) -> None:
    """A2A 1.0 sections 5.7 and 11.5: 400 with google.rpc.BadRequest."""
    async with gateway.http.get(f"{gateway.url}/agents/helper/tasks?{query}", headers=NEW) as answer:
        found = (await answer.json())["error"]
        assert answer.status == 400
    bad = next(one for one in found["details"] if one["@type"].endswith("BadRequest"))
    assert {one.get("field", "") for one in bad["fieldViolations"]} == {field}


async def test_a_query_is_read_as_proto_json_reads_it(gateway: Any) -> None:
    """A2A 1.0 section 11.5: camelCase; ours: snake_case too, and unknown parameters are ignored."""
    query = "context_id=c%20d&includeArtifacts=true&history_length=0&x=y"
    query += "&statusTimestampAfter=2026-01-31T12:00:00%2B01:00"
    async with gateway.http.get(f"{gateway.url}/agents/helper/tasks?{query}", headers=NEW) as answer:
        found = await answer.json()
    asked = gateway.fake.requests[-1]
    assert (asked.context_id, asked.include_artifacts, asked.history_length) == ("c d", True, 0)
    assert asked.HasField("history_length")
    assert not asked.HasField("page_size")
    assert asked.status_timestamp_after.ToJsonString() == "2026-01-31T11:00:00Z"
    assert found | {"tasks": []} == {"tasks": [], "nextPageToken": "", "pageSize": 50, "totalSize": 1}


@pytest.mark.parametrize("body", [b"", b"null", b" \n", b"{}"])
@pytest.mark.parametrize("kind", ["application/json", None])
async def test_who_cancels_or_subscribes_need_not_say_more(
    gateway: Any, body: bytes, kind: str | None
) -> None:
    """Clients send nothing, or null, and then do not say in which type."""
    headers = NEW | ({"Content-Type": kind} if kind else {})
    for action in ("cancel", "subscribe"):
        asked = gateway.http.post(
            f"{gateway.url}/agents/helper/tasks/t:{action}",
            data=body,
            headers=headers,
            skip_auto_headers=["Content-Type"],
        )
        async with asked as answer:
            assert answer.status == 200


NO_MESSAGES = [
    b"",
    b"{",
    b"[]",
    b'"x"',
    b"null",
    b"[" * 100_000,
    b'{"message":' * 10_000,
    b'{"message": {"messageId": "\xff"}}',
    b'{"message": {"messageId": "m", "role": 1e400, "parts": [{}]}}',
    b'{"message": {"messageId": 7, "role": {}, "parts": {"text": "x"}}}',
    b'{"message": {"messageId": "m", "role": "ROLE_USER", "parts": [null]}}',
    b'{"request": 1, "configuration": 7, "metadata": []}',
    b'{"message": {"role": ["ROLE_USER"], "content": [[], 7, {"file": 1}, {"data": 1}]}}',
]


@pytest.mark.parametrize("where", ["/agents/helper", "/agents/helper/v1", "/v1/agents/helper", "", "/v1"])
@pytest.mark.parametrize("action", ["message:send", "message:stream"])
async def test_what_is_no_message_is_a_mistake_of_the_client(gateway: Any, where: str, action: str) -> None:
    """Ours: never a 5xx for what a client sends, and never a stream."""
    headers = {"Content-Type": "application/json", "A2A-Version": "0.3" if "v1" in where else "1.0"}
    for body in NO_MESSAGES:
        async with gateway.http.post(f"{gateway.url}{where}/{action}", data=body, headers=headers) as answer:
            found = await answer.json()
            assert answer.status == 400
        assert found["error"]["details"][0]["reason"] == "INVALID_PARAMS"


async def test_the_path_and_the_tenant_must_not_disagree(gateway: Any) -> None:
    """A2A 1.0 section 13: as over JSON-RPC."""
    for path, tenant, status in (
        ("/agents/helper", "whole", 400),
        ("/helper", "whole", 400),
        ("/whole", "whole", 200),
        ("", "whole", 200),
        ("", "nobody", 404),
        ("", 7, 400),
    ):
        body = gateway.said("x") | {"tenant": tenant}
        async with gateway.http.post(f"{gateway.url}{path}/message:send", json=body, headers=NEW) as answer:
            assert answer.status == status


async def test_the_path_and_the_body_must_not_disagree(gateway: Any) -> None:
    """A2A 1.0 section 11: the id is in the path."""
    url = f"{gateway.url}/agents/helper/tasks/t:cancel"
    for body, status in (({"id": "t"}, 200), ({"id": ""}, 200), ({"id": "other"}, 400), ({"id": [1]}, 400)):
        async with gateway.http.post(url, json=body, headers=NEW) as answer:
            assert answer.status == status


async def test_the_media_type_is_what_the_client_names(gateway: Any) -> None:
    """A2A 1.0.1 section 11: application/a2a+json, for those who know it."""
    body = json.dumps(gateway.said("x"))
    url = f"{gateway.url}/agents/helper/message:send"
    for headers, kind in (
        ({"Content-Type": "application/json"}, "application/json"),
        ({"Content-Type": "application/a2a+json"}, "application/a2a+json"),
        ({"Content-Type": "application/json; charset=utf-8", "Accept": "*/*"}, "application/json"),
        (
            {"Content-Type": "application/json", "Accept": "application/a2a+json, application/json;q=0.5"},
            "application/a2a+json",
        ),
    ):
        async with gateway.http.post(url, data=body, headers=headers | NEW) as answer:
            assert (answer.status, answer.content_type) == (200, kind)
        async with gateway.http.post(url, data=b"{}", headers=headers | NEW) as answer:
            assert (answer.status, answer.content_type) == (400, kind)
    async with gateway.http.post(url, data=body, headers={"Content-Type": "text/plain", **NEW}) as answer:
        assert answer.status == 415


async def test_a_stream_says_where_each_event_stands(gateway: Any) -> None:
    """Ours: the same `id:` as over JSON-RPC; A2A 1.0 section 11.7: bare stream responses."""
    url = f"{gateway.url}/agents/helper/message:stream"
    async with gateway.http.post(url, json=gateway.said("one two"), headers=NEW) as answer:
        assert answer.content_type == "text/event-stream"
        text = await answer.text()
    assert re.findall("^id: (.*)$", text, re.MULTILINE) == ["1", "2", "3"]
    events = [json.loads(line[6:]) for line in text.splitlines() if line.startswith("data: ")]
    assert [next(iter(event)) for event in events] == [
        "task",
        "artifactUpdate",
        "artifactUpdate",
        "statusUpdate",
    ]


async def test_an_error_within_a_stream_is_an_event_of_its_own(gateway: Any) -> None:
    """A2A 1.0.1 section 11.7: data with an error object, then the end."""
    url = f"{gateway.url}/agents/helper/message:stream"
    async with gateway.http.post(url, json=gateway.said("fail later"), headers=NEW) as answer:
        last = (await answer.text()).strip().split("\n\n")[-1]
    name, data = last.split("\n")
    assert name == "event: error"
    error = json.loads(data.removeprefix("data: "))["error"]
    assert (error["code"], error["details"][0]["reason"]) == (500, "INVALID_AGENT_RESPONSE")


async def test_the_first_edition_has_other_codes(start_gateway: Any) -> None:
    """A2A 1.0.0 section 5.4."""
    gateway = await start_gateway(a2a={"errors": "1.0.0"})
    async with gateway.http.post(f"{gateway.url}/agents/helper/tasks/over:cancel", headers=NEW) as answer:
        assert answer.status == 409


async def test_a_bare_curl_works_at_the_old_door_only(gateway: Any) -> None:
    """Decisions: no version, message id, role, kind or content type is needed at /v1/agents."""
    for kind in ("application/x-www-form-urlencoded", None):
        for path, status in (("/v1/agents/helper", 200), ("/agents/helper/v1", 415), ("/agents/helper", 400)):
            asked = gateway.http.post(
                f"{gateway.url}{path}/message:send",
                data=HELLO,
                headers={"Content-Type": kind} if kind else {},
                skip_auto_headers=["Content-Type"],
            )
            async with asked as answer:
                found = await answer.json()
                assert answer.status == status
            if status == 200:
                assert (found["kind"], found["status"]["state"]) == ("task", "completed")
                assert gateway.fake.requests[-1].message.role == a2a.ROLE_USER


async def test_a_web_page_cannot_post_a_form_to_the_old_door(gateway: Any) -> None:
    """Ours: forms may be posted from any page without asking."""
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for more in ({"Origin": "http://localhost:3000"}, {"Sec-Fetch-Site": "cross-site"}):
        url = f"{gateway.url}/v1/agents/helper/message:send"
        async with gateway.http.post(url, data=HELLO, headers=headers | more) as answer:
            assert answer.status == 415


async def test_the_old_door_lists_and_streams_in_the_old_version(gateway: Any) -> None:
    """Hector's documents: /v1/agents/NAME/tasks, and /stream for message:stream."""
    url = f"{gateway.url}/v1/agents/helper"
    async with gateway.http.get(url + "/tasks?status=completed&pageSize=5") as answer:
        found = await answer.json()
    assert gateway.fake.requests[-1].status == a2a.TASK_STATE_COMPLETED
    assert (found["tasks"][0]["kind"], found["tasks"][0]["status"]["state"]) == ("task", "completed")
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    for path in ("/message:stream", "/stream"):
        async with gateway.http.post(url + path, data=HELLO, headers=form) as answer:
            assert '"kind":"artifact-update"' in await answer.text()


async def test_an_error_of_the_old_version_names_its_type(gateway: Any) -> None:
    """What clients of 0.3 look at."""
    async with gateway.http.get(f"{gateway.url}/agents/helper/v1/tasks/no") as answer:
        found = await answer.json()
    assert (answer.status, found["type"], found["error"]["code"]) == (404, "TaskNotFoundError", 404)


async def test_limits_hold_here_too(start_gateway: Any) -> None:
    gateway = await start_gateway(limits={"max_body_size": "10kB"})
    url = f"{gateway.url}/agents/helper/message:send"
    headers = {"Content-Type": "application/json", **NEW}
    async with gateway.http.post(url, data=b"x" * 20_000, headers=headers) as answer:
        assert answer.status == 413


async def test_a_server_that_wants_a_credential_wants_it_everywhere(start_gateway: Any) -> None:
    """Ours: nobody learns which paths or agents there are."""
    gateway = await start_gateway(auth={"secret": "s3cret-for-tests"})
    for path in ("/agents/helper/tasks/t", "/agents/nobody/tasks/t", "/v1/tasks", "/nothing/at/all"):
        async with gateway.http.get(gateway.url + path, headers=NEW) as answer:
            assert answer.status == 401
    shown = {"Authorization": "Bearer s3cret-for-tests", **NEW}
    async with gateway.http.get(gateway.url + "/agents/helper/tasks/t", headers=shown) as answer:
        assert answer.status == 200


async def test_a_client_that_leaves_ends_the_wait_and_nothing_else(gateway: Any) -> None:
    """Ours: the mesh's call is given up, so that nobody waits for nobody."""
    url = f"{gateway.url}/agents/helper/message:send"
    waiting = asyncio.create_task(gateway.http.post(url, json=gateway.said("hang"), headers=NEW).__aenter__())
    async with asyncio.timeout(5):
        await gateway.fake.begun.wait()
        waiting.cancel()
        await gateway.fake.stopped.wait()


async def test_json_rpc_at_the_old_door_may_come_from_a_bare_curl_too(gateway: Any) -> None:
    """Decisions: what is forgiven there is forgiven in every binding."""
    body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tasks/get", "params": {"id": "t"}}).encode()
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for path, status in (("/v1/agents/helper", 200), ("/agents/helper", 415)):
        async with gateway.http.post(gateway.url + path, data=body, headers=headers) as answer:
            assert answer.status == status
