"""Ours: commands to tasks and the queue, as the caller, and as the agent service lets it."""

from typing import Any

import pytest
from yarl import URL

from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    CancelRunResponse,
    Checkpoint,
    GetQueueStatsResponse,
    GetRunResponse,
    ListCheckpointsResponse,
    ListDeadLettersResponse,
    PauseRunResponse,
    RequeueDeadLetterResponse,
    ResumeRunResponse,
    RetryRunResponse,
    Run,
    SignalResponse,
)

ALICE = {"Authorization": "Bearer alices-key"}
BOB = {"Authorization": "Bearer bobs-key"}
KEYS = {
    "api_keys": [
        {"name": "alice", "key": "alices-key", "roles": ["operator"]},
        {"name": "bob", "key": "bobs-key", "roles": ["user"]},
    ]
}
ANSWERS = {
    "CancelRun": CancelRunResponse(run=Run(name="t", state=RUN_STATE_CANCELED), changed=True),
    "PauseRun": PauseRunResponse(run=Run(name="t", held="paused")),
    "ResumeRun": ResumeRunResponse(changed=True),
    "RetryRun": RetryRunResponse(run=Run(name="new", retry_of="t"), changed=True),
    "Signal": SignalResponse(id=7),
    "GetRun": GetRunResponse(run=Run(name="t")),
    "ListCheckpoints": ListCheckpointsResponse(checkpoints=[Checkpoint(seq=3, why="before_llm")]),
    "GetQueueStats": GetQueueStatsResponse(oldest_due_ms=5),
    "ListDeadLetters": ListDeadLettersResponse(next_page_token="more"),
    "RequeueDeadLetter": RequeueDeadLetterResponse(changed=True),
}


@pytest.fixture
async def asked(start_gateway: Any) -> Any:
    """A gateway, and an agent service that answers."""
    gateway = await start_gateway(auth=KEYS)
    gateway.agents.answers |= ANSWERS
    return gateway


@pytest.mark.parametrize(
    ("verb", "path", "body", "rpc", "field", "value", "answer"),
    [
        ("POST", "/api/tasks/t:cancel?reason=late", None, "CancelRun", "reason", "late", {"changed": True}),
        (
            "POST",
            "/api/tasks/t:pause",
            None,
            "PauseRun",
            "run",
            "t",
            {"run": {"name": "t", "held": "paused"}},
        ),
        ("POST", "/api/tasks/t:resume", None, "ResumeRun", "run", "t", {"changed": True}),
        (
            "POST",
            "/api/tasks/t:retry?fromStart=true",
            None,
            "RetryRun",
            "from_start",
            True,
            {"changed": True},
        ),
        ("POST", "/api/tasks/a%2Fb:retry", None, "RetryRun", "run", "a/b", {"changed": True}),
        ("POST", "/api/tasks/t:signal", '{"a": 1}', "Signal", "run", "t", {"id": "7"}),
        ("GET", "/api/tasks/t", None, "GetRun", "run", "t", {"name": "t"}),
        (
            "GET",
            "/api/tasks/t/checkpoints",
            None,
            "ListCheckpoints",
            "run",
            "t",
            {"checkpoints": [{"seq": "3", "why": "before_llm"}]},
        ),
        ("GET", "/admin/queue/stats", None, "GetQueueStats", "", None, {"oldestDueMs": 5}),
        ("GET", "/admin/queue/dlq?agent=a", None, "ListDeadLetters", "agent", "a", {"nextPageToken": "more"}),
        ("POST", "/admin/queue/dlq/t/requeue", None, "RequeueDeadLetter", "run", "t", {"changed": True}),
    ],
)
async def test_a_path_is_a_call(
    asked: Any, verb: str, path: str, body: str | None, rpc: str, field: str, value: Any, answer: Any
) -> None:
    url = URL(asked.url + path, encoded=True)
    async with asked.http.request(verb, url, headers=ALICE, data=body) as response:
        assert response.status == 200
        assert response.headers["cache-control"] == "private, no-store"
        found = await response.json()
    assert answer.items() <= found.items()
    [(name, principal, request)] = asked.agents.commanded
    assert (name, principal.id) == (rpc, "alice")
    if field:
        assert getattr(request, field) == value
    if body:
        assert request.signal.wake_json == body


@pytest.mark.parametrize(
    ("verb", "path", "headers", "status"),
    [
        ("POST", "/api/tasks/t:cancel", {}, 401),
        ("GET", "/api/tasks/t:cancel", ALICE, 405),
        ("POST", "/api/tasks/t:explode", ALICE, 404),
        ("POST", "/api/tasks/t", ALICE, 405),
        ("GET", "/api/tasks/t/other", ALICE, 404),
        ("POST", "/api/tasks/t:retry?fromStart=perhaps", ALICE, 400),
        ("GET", "/admin/queue/stats", {}, 401),
        ("GET", "/admin/queue/stats", BOB, 404),
        ("GET", "/admin/queue/dlq", BOB, 404),
        ("POST", "/admin/queue/dlq/t/requeue", BOB, 404),
        ("POST", "/admin/queue/stats", ALICE, 405),
        ("GET", "/admin/queue/dlq/t/requeue", ALICE, 405),
        ("GET", "/admin/queue/other", ALICE, 404),
    ],
)
async def test_what_nobody_may_or_means_is_refused(
    asked: Any, verb: str, path: str, headers: dict[str, str], status: int
) -> None:
    async with asked.http.request(verb, asked.url + path, headers=headers) as response:
        assert response.status == status
    assert asked.agents.commanded == []
