import asyncio
import json

import grpc
import pytest
from support.scripted_agent import ScriptedModel, as_ada, ask, serving, text_of

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    AgentServiceStub,
    Approval,
    DeleteSessionRequest,
    GetAgentRequest,
    GetRunRequest,
    GetSessionRequest,
    ListAgentsRequest,
    ListRunsRequest,
    ListSessionsRequest,
    Signal,
    SignalRequest,
)
from hector.llm.v1 import StreamTextResponse
from hector_mesh import Call, info_of
from hector_store import RunLog


async def test_a_session_tells_what_was_said_and_its_state(mesh_under_test, tmp_path):
    model = ScriptedModel([("count", {})], "counted", "bye")
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            first = (await stub.SendMessage(ask("count"))).task
            await stub.SendMessage(ask("bye", first.context_id))
            session = (await agents.GetSession(GetSessionRequest(session=first.context_id))).session
    assert session.runs == 2
    assert session.agent == "assistant"
    assert json.loads(session.state_json) == {"n": 1}
    said = [part.text for message in session.messages for part in message.parts if part.text]
    assert said == ["count", "counted ", "bye", "bye "]


async def test_sessions_and_runs_are_listed_latest_first_and_in_pages(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(*["ok"] * 5)):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            tasks = [(await stub.SendMessage(ask(f"number {number}"))).task for number in range(5)]
            seen, token = [], ""
            while True:
                page = await agents.ListRuns(ListRunsRequest(page_size=2, page_token=token))
                assert page.total_size == 5
                seen += [run.name for run in page.runs]
                token = page.next_page_token
                if not token:
                    break
            sessions = (await agents.ListSessions(ListSessionsRequest(page_size=2))).sessions
            only = await agents.ListRuns(
                ListRunsRequest(session=tasks[0].context_id, states=[RUN_STATE_COMPLETED])
            )
    assert seen == [task.id for task in reversed(tasks)]
    assert [session.name for session in sessions] == [task.context_id for task in tasks[:2:-1]]
    assert [run.name for run in only.runs] == [tasks[0].id]


async def test_tasks_are_listed_by_a2as_rules(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(*["ok"] * 3)):
        stub = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            tasks = [(await stub.SendMessage(ask(f"number {number}"))).task for number in range(3)]
            page = await stub.ListTasks(a2a.ListTasksRequest(page_size=2, history_length=0))
            rest = await stub.ListTasks(
                a2a.ListTasksRequest(page_size=2, page_token=page.next_page_token, include_artifacts=True)
            )
            since = a2a.ListTasksRequest(status_timestamp_after=tasks[1].status.timestamp)
            later = await stub.ListTasks(since)
            failed = await stub.ListTasks(a2a.ListTasksRequest(status=a2a.TASK_STATE_FAILED))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await stub.ListTasks(a2a.ListTasksRequest(page_size=0))
        nobody = await stub.ListTasks(a2a.ListTasksRequest())
    assert [task.id for task in page.tasks] == [tasks[2].id, tasks[1].id]
    assert not any(task.artifacts or task.history for task in page.tasks)
    assert (page.total_size, page.page_size, rest.next_page_token) == (3, 2, "")
    assert [text_of(task) for task in rest.tasks] == ["ok "]
    assert {task.id for task in later.tasks} == {tasks[1].id, tasks[2].id}
    assert not failed.tasks
    assert not nobody.tasks
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize("said", ["hi", "long " * 10_000], ids=["short", "long"])
async def test_a_task_is_the_same_wherever_it_is_asked_for(mesh_under_test, tmp_path, said):
    """Ours: what is kept beside a run for lists, and what is made of its events, say the same."""
    model = ScriptedModel([("echo", {"x": 1})], "done", RuntimeError("no"))
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            answered = [(await stub.SendMessage(ask(said))).task for _ in range(2)]
            kept = [await stub.GetTask(a2a.GetTaskRequest(id=task.id)) for task in answered]
            whole = (await stub.ListTasks(a2a.ListTasksRequest(include_artifacts=True))).tasks
            brief = (await stub.ListTasks(a2a.ListTasksRequest())).tasks
    assert [task.status.state for task in answered] == [a2a.TASK_STATE_COMPLETED, a2a.TASK_STATE_FAILED]
    assert answered[1].status.message.parts[0].text
    assert kept == answered
    assert list(reversed(whole)) == answered
    for task in answered:
        del task.artifacts[:]
    assert list(reversed(brief)) == answered


async def test_a_deleted_session_is_gone_with_its_runs(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("ok", "ok")):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            kept = (await stub.SendMessage(ask("keep"))).task
            gone = (await stub.SendMessage(ask("forget"))).task
            deleted = await agents.DeleteSession(DeleteSessionRequest(session=gone.context_id))
            for call in (
                agents.GetSession(GetSessionRequest(session=gone.context_id)),
                agents.GetRun(GetRunRequest(run=gone.id)),
                stub.GetTask(a2a.GetTaskRequest(id=gone.id)),
            ):
                with pytest.raises(grpc.aio.AioRpcError) as refused:
                    await call
                assert refused.value.code() is grpc.StatusCode.NOT_FOUND
            still = await stub.GetTask(a2a.GetTaskRequest(id=kept.id))
    assert deleted.runs == 1
    assert text_of(still) == "ok "


async def test_a_session_whose_deletion_takes_its_time_is_deleted(mesh_under_test, tmp_path, monkeypatch):
    delete = RunLog.delete_context

    async def slow(*which):
        await asyncio.sleep(0.05)
        return await delete(*which)

    monkeypatch.setattr(RunLog, "delete_context", slow)
    async with serving(mesh_under_test, tmp_path, ScriptedModel("ok")):
        with as_ada():
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            gone = (await stub.SendMessage(ask("forget"))).task
            monkeypatch.setattr(Call, "remaining", lambda _, *default: default[0] if default else 0.01)
            assert (await agents.DeleteSession(DeleteSessionRequest(session=gone.context_id))).runs == 1


async def test_a_session_that_is_being_worked_in_cannot_be_deleted(mesh_under_test, tmp_path):
    async def endless(request):
        yield StreamTextResponse(text="on ")
        await asyncio.Event().wait()

    async with serving(mesh_under_test, tmp_path, ScriptedModel(endless)):
        with as_ada():
            now = a2a.SendMessageConfiguration(return_immediately=True)
            stub, agents = a2a.A2AServiceStub(mesh_under_test.mesh), AgentServiceStub(mesh_under_test.mesh)
            task = (await stub.SendMessage(ask("hi", configuration=now))).task
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agents.DeleteSession(DeleteSessionRequest(session=task.context_id))
    assert info_of(refused.value).reason == "SESSION_BUSY"
    assert task.id in refused.value.details()


async def test_agents_are_described_as_configured(mesh_under_test, tmp_path):
    skills = [{"id": "maths", "tags": ["numbers"]}]
    more = {"description": "Counts.", "visibility": "internal", "skills": skills}
    async with serving(mesh_under_test, tmp_path, ScriptedModel(), **more):
        agents = AgentServiceStub(mesh_under_test.mesh)
        listed = (await agents.ListAgents(ListAgentsRequest())).agents
        one = (await agents.GetAgent(GetAgentRequest(agent="assistant"))).agent
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agents.GetAgent(GetAgentRequest(agent="nobody"))
    assert list(listed) == [one]
    assert (one.description, one.default, one.skills[0].id) == ("Counts.", True, "maths")
    assert "assistant" in refused.value.details()


async def test_a_signal_that_is_not_known_yet_says_what_is(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("ok")):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            signal = Signal(approval=Approval(call_id="c"))
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await AgentServiceStub(mesh_under_test.mesh).Signal(SignalRequest(run=task.id, signal=signal))
    assert info_of(refused.value).reason == "SIGNAL_NOT_SUPPORTED"
