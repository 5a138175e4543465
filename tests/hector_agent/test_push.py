"""Push notifications as receivers get them: A2A 1.0 section 4.3.3, and what we promise beyond it."""

import asyncio
import contextlib

import grpc
import pytest
from support.receiver import receiving
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.llm.v1 import StreamTextResponse
from hector_mesh import Call, Principal, info_of, scope

OPEN = {"allowed_networks": ["127.0.0.0/8"], "allow_http": True, "retry_delay": "20ms", "max_delay": "50ms"}


@contextlib.asynccontextmanager
async def pushing(mesh_under_test, folder, *answers, **push):
    """Run the agent service, with webhooks on this machine allowed."""
    async with (
        serving(mesh_under_test, folder, ScriptedModel(*answers), server={"a2a": {"push": {**OPEN, **push}}}),
        receiving() as receiver,
    ):
        yield a2a.A2AServiceStub(mesh_under_test.mesh), receiver


def ask_and_tell(url: str, text: str = "hi", **config: object) -> "a2a.SendMessageRequest":
    request = ask(text)
    request.configuration.task_push_notification_config.CopyFrom(
        a2a.TaskPushNotificationConfig(url=url, **config)
    )
    return request


async def test_a_webhook_gets_what_a_stream_shows(mesh_under_test, tmp_path):
    async with pushing(mesh_under_test, tmp_path, "one two three") as (stub, receiver):
        with as_ada():
            sent = ask_and_tell(receiver.url, id="mine", token="tok")
            sent.configuration.task_push_notification_config.authentication.scheme = "Bearer"
            sent.configuration.task_push_notification_config.authentication.credentials = "cred"
            response = await stub.SendMessage(sent)
        told = await receiver.until_over()
    first, *updates = [one.found for one in told]
    assert first["task"]["id"] == response.task.id
    assert first["task"]["history"][0]["parts"] == [{"text": "hi"}]
    texts = [
        part["text"]
        for one in updates
        if "artifactUpdate" in one
        for part in one["artifactUpdate"]["artifact"]["parts"]
    ]
    assert "".join(texts) == text_of(response.task)
    assert updates[-1]["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [one.seq for one in told] == sorted({one.seq for one in told})
    for one in told:
        assert one.event_id.startswith(f"{response.task.id}:")
        assert one.headers["content-type"] == "application/a2a+json"
        assert one.headers["a2a-version"] == "1.0"
        assert one.headers["authorization"] == "Bearer cred"
        assert one.headers["x-a2a-notification-token"] == "tok"
