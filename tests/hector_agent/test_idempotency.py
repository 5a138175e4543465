"""Ours: a message with a key is taken once, and whoever sends it again gets what the first one got."""

import asyncio

import grpc
import pytest
from support.databases import SERVERS, database_servers, used_databases
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, DeleteSessionRequest
from hector.llm.v1 import StreamTextResponse
from hector_agent.idempotency import hash_of
from hector_mesh import Call, Principal, info_of, scope, streaming

__all__ = ["database_servers", "used_databases"]

KEY = (("idempotency-key", "a-key"),)
NOW = a2a.SendMessageConfiguration(return_immediately=True)


class Held:
    """A model that says a word, and the rest when it is told to."""

    def __init__(self) -> None:
        self.go_on = asyncio.Event()

    async def __call__(self, request):
        yield StreamTextResponse(text="first ")
        await self.go_on.wait()
        yield StreamTextResponse(text="last", done=True)


@pytest.fixture(params=["sqlite", *SERVERS])
def database(request, tmp_path):
    if request.param == "sqlite":
        return f"sqlite://{tmp_path}/runs.db"
    server, name = request.getfixturevalue("used_databases")(request.param)
    return server.url(name)


async def test_a_message_sent_again_with_its_key_is_answered_as_the_first_time(
    mesh_under_test, tmp_path, database
):
    model = ScriptedModel("hello", "never asked")
    async with serving(mesh_under_test, tmp_path, model, database=database):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = await stub.SendMessage(ask("hi"), metadata=KEY)
            again = await stub.SendMessage(ask("hi"), metadata=KEY)
            at_once = await stub.SendMessage(ask("hi", configuration=NOW), metadata=KEY)
    assert first == again == at_once
    assert text_of(first.task) == "hello "
    assert len(model.requests) == 1


async def test_a_key_outlives_a_restart(mesh_under_test, tmp_path, database):
    with as_ada():
        stub = a2a.A2AServiceStub(mesh_under_test.mesh)
        async with serving(mesh_under_test, tmp_path, ScriptedModel("hello"), database=database):
            first = await stub.SendMessage(ask("hi"), metadata=KEY)
        model = ScriptedModel("another")
        async with serving(mesh_under_test, tmp_path, model, database=database):
            again = await stub.SendMessage(ask("hi"), metadata=KEY)
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SendMessage(ask("ho"), metadata=KEY)
    assert first == again
    assert not model.requests
    assert info_of(refused.value).reason == "IDEMPOTENCY_KEY_REUSED"


async def test_a_key_stands_for_one_message(mesh_under_test, tmp_path):
    held = Held()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(held)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = (await stub.SendMessage(ask("hi", configuration=NOW), metadata=KEY)).task
            for _ in range(2):  # while it is at work, and when it is over
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await stub.SendMessage(ask("ho", configuration=NOW), metadata=KEY)
                assert refused.value.code() is grpc.StatusCode.ALREADY_EXISTS
                assert info_of(refused.value).reason == "IDEMPOTENCY_KEY_REUSED"
                assert info_of(refused.value).metadata == {"key": "a-key", "task": first.id}
                held.go_on.set()
                await stub.SendMessage(ask("hi"), metadata=KEY)
            listed = await stub.ListTasks(a2a.ListTasksRequest())
    assert [task.id for task in listed.tasks] == [first.id]


async def test_many_first_requests_at_once_make_one_run(mesh_under_test, tmp_path, database):
    model = ScriptedModel("hello", "never asked")
    async with serving(mesh_under_test, tmp_path, model, database=database):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)

            async def send():
                return await stub.SendMessage(ask("hi"), metadata=KEY)

            async with asyncio.timeout(20):
                answers = await asyncio.gather(*(send() for _ in range(20)))
            listed = await stub.ListTasks(a2a.ListTasksRequest())
    assert all(answer == answers[0] for answer in answers)
    assert len(model.requests) == listed.total_size == 1


async def test_a_blocking_send_waits_for_the_run_that_its_key_began(mesh_under_test, tmp_path):
    held = Held()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(held)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = (await stub.SendMessage(ask("hi", configuration=NOW), metadata=KEY)).task
            waiting = stub.SendMessage(ask("hi"), metadata=KEY)
            asyncio.get_running_loop().call_later(0.05, held.go_on.set)
            async with asyncio.timeout(5):
                done = (await waiting).task
    assert done.id == first.id
    assert done.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(done) == "first last"


async def test_a_client_that_leaves_and_comes_again_finds_its_run(mesh_under_test, tmp_path):
    held = Held()
    model = ScriptedModel(held)
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            async with streaming(stub.SendStreamingMessage(ask("hi"), metadata=KEY)) as stream:
                first = (await anext(aiter(stream))).task
            async with streaming(stub.SendStreamingMessage(ask("hi"), metadata=KEY)) as stream:
                events = aiter(stream)
                again = (await anext(events)).task
                held.go_on.set()
                rest = [event async for event in events]
    assert again.id == first.id
    assert rest[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    said = "".join(part.text for event in rest for part in event.artifact_update.artifact.parts)
    assert text_of(again) + said == "first last"
    assert len(model.requests) == 1


async def test_a_stream_sent_again_when_all_is_over_shows_it_from_the_beginning(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("one two three")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            await stub.SendMessage(ask("hi"), metadata=KEY)
            async with streaming(stub.SendStreamingMessage(ask("hi"), metadata=KEY)) as stream:
                events = [event async for event in stream]
    assert events[0].task.status.state == a2a.TASK_STATE_WORKING
    assert not events[0].task.artifacts
    said = "".join(part.text for event in events for part in event.artifact_update.artifact.parts)
    assert said == "one two three "
    assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED


async def test_a_message_id_is_no_key(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("one", "two")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first, second = (await stub.SendMessage(ask("hi")), await stub.SendMessage(ask("hi")))
    assert first.task.history[0].message_id == second.task.history[0].message_id
    assert first.task.id != second.task.id


async def test_a_key_belongs_to_its_caller(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("for ada", "for eve")):
        stub = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            hers = await stub.SendMessage(ask("hi"), metadata=KEY)
        with scope(Call(principal=Principal("eve"))):
            other = await stub.SendMessage(ask("hi"), metadata=KEY)
    assert (text_of(hers.task), text_of(other.task)) == ("for ada ", "for eve ")


async def test_what_was_refused_leaves_its_key_free(mesh_under_test, tmp_path):
    wrong = ask("hi")
    del wrong.message.parts[:]
    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.SendMessage(wrong, metadata=KEY)
            answer = await stub.SendMessage(ask("hi"), metadata=KEY)
    assert text_of(answer.task) == "hello "


async def test_a_run_that_could_not_be_written_leaves_its_key_free(mesh_under_test, tmp_path, monkeypatch):
    monkeypatch.setattr("hector_agent.runs.MOST_LIVE", 0)
    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            with pytest.raises(grpc.aio.AioRpcError):
                await stub.SendMessage(ask("hi"), metadata=KEY)
            monkeypatch.undo()
            answer = await stub.SendMessage(ask("ho"), metadata=KEY)
    assert text_of(answer.task) == "hello "


async def test_a_key_is_free_again_when_its_session_is_deleted(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("one", "two")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = (await stub.SendMessage(ask("hi"), metadata=KEY)).task
            gone = DeleteSessionRequest(session=first.context_id)
            await AgentServiceStub(mesh_under_test.mesh).DeleteSession(gone)
            second = (await stub.SendMessage(ask("hi"), metadata=KEY)).task
    assert first.id != second.id


async def test_a_key_may_stand_in_the_requests_metadata(mesh_under_test, tmp_path):
    def keyed(text):
        request = ask(text)
        request.metadata["hector.idempotency_key"] = "a-key"
        return request

    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello", "never asked")):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = await stub.SendMessage(keyed("hi"))
            for again in (stub.SendMessage(ask("hi"), metadata=KEY), stub.SendMessage(keyed("hi"))):
                assert await again == first
            quoted = await stub.SendMessage(ask("hi"), metadata=(("idempotency-key", '"a-key"'),))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.SendMessage(keyed("hi"), metadata=(("idempotency-key", "another"),))
    assert quoted == first
    assert info_of(refused.value).reason == "INVALID_PARAMS"


@pytest.mark.parametrize("key", ["x" * 256, "two words", '""', 7])
async def test_a_key_that_is_none_is_refused(mesh_under_test, tmp_path, key):
    request, metadata = ask("hi"), ()
    if isinstance(key, str):
        metadata = (("idempotency-key", key),)
    if key in ('""', 7):
        request.metadata["hector.idempotency_key"], metadata = "" if key == '""' else key, ()
    async with serving(mesh_under_test, tmp_path, ScriptedModel()):
        with as_ada(), pytest.raises(grpc.aio.AioRpcError) as refused:
            await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(request, metadata=metadata)
    assert info_of(refused.value).reason == "INVALID_PARAMS"
    assert "visible ASCII" in refused.value.details()


def test_what_means_the_same_has_the_same_hash():
    plain = ask("hi", "a-session")
    same = ask("hi", "a-session")
    same.message.message_id = "another"
    same.tenant = ""
    same.configuration.return_immediately = True
    same.configuration.history_length = 3
    same.message.metadata.SetInParent()
    same.metadata["hector.idempotency_key"] = "a-key"
    assert hash_of(plain) == hash_of(same)


@pytest.mark.parametrize(
    "change",
    [
        lambda request: request.message.parts.add(text="!"),
        lambda request: request.message.metadata.update({"a": 1}),
        lambda request: request.metadata.update({"a": 1}),
        lambda request: request.message.extensions.append("https://example.com/x"),
        lambda request: request.message.reference_task_ids.append("t"),
        lambda request: request.configuration.accepted_output_modes.append("text/html"),
        lambda request: setattr(request.message, "context_id", "other"),
        lambda request: setattr(request.message, "task_id", "t"),
    ],
)
def test_what_means_something_else_has_another_hash(change):
    other = ask("hi", "a-session")
    change(other)
    assert hash_of(ask("hi", "a-session")) != hash_of(other)


def test_the_order_of_metadata_means_nothing():
    one, other = ask("hi"), ask("hi")
    one.message.metadata.update({"a": 1, "b": {"c": 2, "d": 3}})
    other.message.metadata.update({"b": {"d": 3, "c": 2}, "a": 1})
    assert hash_of(one) == hash_of(other)
