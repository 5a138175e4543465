"""Ours: commands to runs have one effect, are recorded with who asked, and leave nothing behind."""

import asyncio
import json
from datetime import timedelta

import grpc
import pytest
from support.scripted_agent import ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of, until

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_COMPLETED,
    RUN_STATE_FAILED,
    RUN_STATE_WAITING,
    AgentServiceStub,
    CancelRunRequest,
    GetQueueStatsRequest,
    GetRunRequest,
    GetSessionRequest,
    ListCheckpointsRequest,
    ListDeadLettersRequest,
    PauseRunRequest,
    RequeueDeadLetterRequest,
    ResumeRunRequest,
    RetryRunRequest,
    Signal,
    SignalRequest,
    TailRequest,
)
from hector.llm.v1 import StreamTextResponse
from hector.tool.v1 import ExecuteToolResponse
from hector_mesh import Call, HectorError, Principal, info_of, scope, streaming

NOW = a2a.SendMessageConfiguration(return_immediately=True)
OPERATOR = Principal("olga", frozenset({"operator"}))
ECHO = [("echo", {"say": "hi"})]
QUICK = {"max_attempts": 3, "initial_delay": "1ms"}


class Away(HectorError):
    """What a provider says that is not there."""

    code, reason = grpc.StatusCode.UNAVAILABLE, "MODEL_UNREACHABLE"


class Wrong(HectorError):
    """What a provider says to a request that it will never take."""

    code, reason = grpc.StatusCode.INVALID_ARGUMENT, "MODEL_REFUSED"


class GatedTools(ScriptedTools):
    """`echo` ends when it may."""

    def __init__(self) -> None:
        super().__init__()
        self.may_end = asyncio.Event()

    async def ExecuteTool(self, request, context):
        self.begun.set()
        await self.may_end.wait()
        return await super().ExecuteTool(request, context)


async def events_of(mesh, run: str) -> list:
    request = TailRequest(run=run, committed_only=True)
    async with streaming(AgentServiceStub(mesh).Tail(request)) as found:
        return [response.event async for response in found]


def asked_in(events) -> list[tuple[str, str]]:
    return [
        (event.signal_received.signal.WhichOneof("signal"), event.signal_received.principal)
        for event in events
        if event.HasField("signal_received")
    ]


async def refused(call) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as error:
        await call
    return info_of(error.value).reason


async def begun(tools) -> None:
    async with asyncio.timeout(5):
        await tools.begun.wait()


async def is_held(stub, run: str) -> bool:
    return (await stub.GetRun(GetRunRequest(run=run))).run.held == "paused"


async def test_cancelling_is_recorded_with_who_asked_and_twice_is_once(mesh_under_test, tmp_path):
    begun = asyncio.Event()

    async def endless(request):
        begun.set()
        yield StreamTextResponse(text="on and on ")
        await asyncio.Event().wait()

    async with serving(mesh_under_test, tmp_path, ScriptedModel(endless, "hello")):
        stub = AgentServiceStub(mesh_under_test.mesh)
        with as_ada():
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await agent.SendMessage(ask("hi", configuration=NOW))).task
            await begun.wait()  # "hello" is for the other one
            other = (await agent.SendMessage(ask("hi"))).task
            assert await refused(stub.CancelRun(CancelRunRequest(run=other.id))) == "RUN_OVER"
        with scope(Call(principal=Principal("eve"))):
            assert await refused(stub.CancelRun(CancelRunRequest(run=task.id))) == "RUN_NOT_FOUND"
        with scope(Call(principal=OPERATOR)):
            done = await stub.CancelRun(CancelRunRequest(run=task.id, reason="too slow"))
            assert (done.run.state, done.changed) == (RUN_STATE_CANCELED, True)
            again = await stub.CancelRun(CancelRunRequest(run=task.id))
            assert (again.run.state, again.changed) == (RUN_STATE_CANCELED, False)
        with as_ada():
            assert asked_in(await events_of(mesh_under_test.mesh, task.id)) == [("cancel", "olga")]


async def test_a_paused_run_stops_before_its_next_step_and_goes_on_when_it_is_resumed(
    mesh_under_test, tmp_path
):
    tools, model = GatedTools(), ScriptedModel(ECHO, "all done")
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await agent.SendMessage(ask("hi", configuration=NOW))).task
            await begun(tools)
            assert (await stub.PauseRun(PauseRunRequest(run=task.id, reason="lunch"))).changed
            assert not (await stub.PauseRun(PauseRunRequest(run=task.id))).changed
            tools.may_end.set()
            await until(lambda: is_held(stub, task.id))
            assert len(model.requests) == 1
            shown = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
            assert shown.status.state == a2a.TASK_STATE_WORKING
            assert "paused by ada: lunch" in shown.status.message.parts[0].text
            assert not (await stub.PauseRun(PauseRunRequest(run=task.id))).changed
            assert (await stub.ResumeRun(ResumeRunRequest(run=task.id))).changed

            async def is_over() -> bool:
                found = await agent.GetTask(a2a.GetTaskRequest(id=task.id))
                return found.status.state == a2a.TASK_STATE_COMPLETED

            await until(is_over)
            assert await refused(stub.ResumeRun(ResumeRunRequest(run=task.id))) == "RUN_OVER"
            assert await refused(stub.PauseRun(PauseRunRequest(run=task.id))) == "RUN_OVER"
            events = await events_of(mesh_under_test.mesh, task.id)
            places = (await stub.ListCheckpoints(ListCheckpointsRequest(run=task.id))).checkpoints
    assert asked_in(events) == [("pause", "ada"), ("resume", "ada")]
    assert (len(tools.calls), len(model.requests)) == (1, 2)
    assert {"before_llm", "after_tools"} <= {place.why for place in places}


async def test_who_waits_for_an_answer_gets_it_although_the_run_was_paused(mesh_under_test, tmp_path):
    tools = GatedTools()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(ECHO, "all done"), tools):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            sending = asyncio.ensure_future(a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi")))
            await begun(tools)
            run = tools.calls[0].context.run if tools.calls else ""
            if not run:
                listed = await a2a.A2AServiceStub(mesh_under_test.mesh).ListTasks(a2a.ListTasksRequest())
                run = listed.tasks[0].id
            await stub.PauseRun(PauseRunRequest(run=run))
            tools.may_end.set()
            await until(lambda: is_held(stub, run))
            await stub.ResumeRun(ResumeRunRequest(run=run))
            async with asyncio.timeout(5):
                answer = await sending
    assert answer.task.status.state == a2a.TASK_STATE_COMPLETED


async def test_a_paused_run_outlives_its_server_and_is_resumed_by_the_next_one(mesh_under_test, tmp_path):
    tools = GatedTools()
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel(ECHO), tools):
            stub = AgentServiceStub(mesh_under_test.mesh)
            sent = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi", configuration=NOW))
            await begun(tools)
            await stub.PauseRun(PauseRunRequest(run=sent.task.id))
            tools.may_end.set()
            await until(lambda: is_held(stub, sent.task.id))
        async with serving(mesh_under_test, tmp_path, ScriptedModel("all done"), tools):
            stub = AgentServiceStub(mesh_under_test.mesh)
            found = (await stub.GetRun(GetRunRequest(run=sent.task.id))).run
            assert (found.state, found.held) == (RUN_STATE_WAITING, "paused")
            await stub.ResumeRun(ResumeRunRequest(run=sent.task.id))

            async def is_over() -> bool:
                found = (await stub.GetRun(GetRunRequest(run=sent.task.id))).run
                return found.state == RUN_STATE_COMPLETED

            await until(is_over)
    assert len(tools.calls) == 1


async def test_a_retry_goes_on_from_the_last_step_as_a_new_task_that_refers_to_the_old_one(
    mesh_under_test, tmp_path
):
    tools, model = ScriptedTools(), ScriptedModel(ECHO, Wrong("no"), "all done")
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            failed = (await agent.SendMessage(ask("hi"))).task
            assert failed.status.state == a2a.TASK_STATE_FAILED
            first = await stub.RetryRun(RetryRunRequest(run=failed.id))
            second = await stub.RetryRun(RetryRunRequest(run=failed.id))
            assert (first.changed, second.changed) == (True, False)
            assert first.run.name == second.run.name != failed.id

            async def is_over() -> bool:
                found = await agent.GetTask(a2a.GetTaskRequest(id=first.run.name))
                return found.status.state == a2a.TASK_STATE_COMPLETED

            await until(is_over)
            task = await agent.GetTask(a2a.GetTaskRequest(id=first.run.name))
            before = await agent.GetTask(a2a.GetTaskRequest(id=failed.id))
            said = (await stub.GetSession(GetSessionRequest(session=task.context_id))).session.messages
            again = (await stub.GetRun(GetRunRequest(run=task.id))).run
            assert await refused(stub.RetryRun(RetryRunRequest(run=task.id))) == "NOTHING_TO_RETRY"
    assert before == failed
    assert task.context_id == failed.context_id
    assert task.history[0].reference_task_ids == [failed.id]
    assert again.retry_of == failed.id
    assert (len(tools.calls), len(model.requests)) == (1, 3)
    assert [message.role for message in model.requests[1].messages] == [
        message.role for message in model.requests[2].messages
    ]
    assert len(said) == 4, "the failed attempt is not in the conversation twice"


async def test_a_retry_from_the_start_does_everything_again(mesh_under_test, tmp_path):
    tools, model = ScriptedTools(), ScriptedModel(ECHO, Wrong("no"), ECHO, "all done")
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            failed = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            new = (await stub.RetryRun(RetryRunRequest(run=failed.id, from_start=True))).run

            async def is_over() -> bool:
                return (await stub.GetRun(GetRunRequest(run=new.name))).run.state == RUN_STATE_COMPLETED

            await until(is_over)
    assert len(tools.calls) == 2
    assert tools.calls[0].context.effect_id != tools.calls[1].context.effect_id


async def test_a_question_to_a_model_is_asked_again_and_takes_back_what_the_failed_attempt_said(
    mesh_under_test, tmp_path
):
    async def breaks(request):
        yield StreamTextResponse(text="half of ")
        raise Away("gone")

    model = ScriptedModel(breaks, Away("still gone"), "here I am")
    async with serving(mesh_under_test, tmp_path, model, retry={"model": QUICK}):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            events = await events_of(mesh_under_test.mesh, task.id)
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(task) == "here I am "
    retried = [event.step_retried for event in events if event.HasField("step_retried")]
    assert [(one.step, one.attempt, one.error.reason) for one in retried] == [
        ("model", 1, "MODEL_UNREACHABLE"),
        ("model", 2, "MODEL_UNREACHABLE"),
    ]


@pytest.mark.parametrize("policy", [QUICK | {"non_retryable": ["MODEL_UNREACHABLE"]}, {}])
async def test_what_is_not_to_be_tried_again_fails_at_once(mesh_under_test, tmp_path, policy):
    model = ScriptedModel(Away("gone"), "too late")
    async with serving(mesh_under_test, tmp_path, model, retry={"model": policy}):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
        with scope(Call(principal=OPERATOR)):
            letters = await AgentServiceStub(mesh_under_test.mesh).ListDeadLetters(ListDeadLettersRequest())
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert not letters.dead_letters


async def test_a_run_that_failed_too_often_is_a_dead_letter_until_it_is_requeued(mesh_under_test, tmp_path):
    model = ScriptedModel(ECHO, Away("1"), Away("2"), Away("3"), "mended")
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, model, tools, retry={"model": QUICK}):
        stub = AgentServiceStub(mesh_under_test.mesh)
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            assert task.status.state == a2a.TASK_STATE_FAILED
            assert await refused(stub.ListDeadLetters(ListDeadLettersRequest())) == "PERMISSION_DENIED"
        with scope(Call(principal=OPERATOR)):
            [letter] = (await stub.ListDeadLetters(ListDeadLettersRequest())).dead_letters
            assert (letter.run, letter.agent, letter.owner, letter.reason, letter.attempts) == (
                *(task.id, "assistant", "ada"),
                *("MODEL_UNREACHABLE", 3),
            )
            stats = await stub.GetQueueStats(GetQueueStatsRequest())
            assert (stats.total.dead, stats.total.working) == (1, 0)
            assert [worker.alive for worker in stats.workers] == [True]
            with scope(Call(principal=OPERATOR, app="another")):
                stats = await stub.GetQueueStats(GetQueueStatsRequest())
                assert (stats.total.dead, list(stats.agents)) == (0, []), "another app's are not its business"
            wrong = stub.RequeueDeadLetter(RequeueDeadLetterRequest(run="other"))
            assert await refused(wrong) == "DEAD_LETTER_NOT_FOUND"
            new = await stub.RequeueDeadLetter(RequeueDeadLetterRequest(run=task.id))
            assert new.changed

            async def is_over() -> bool:
                return (await stub.GetRun(GetRunRequest(run=new.run.name))).run.state == RUN_STATE_COMPLETED

            with as_ada():
                await until(is_over)
            assert not (await stub.ListDeadLetters(ListDeadLettersRequest())).dead_letters
            [letter] = (await stub.ListDeadLetters(ListDeadLettersRequest(requeued=True))).dead_letters
            assert letter.requeued_as == new.run.name
    assert len(tools.calls) == 1


async def test_a_question_that_takes_too_long_has_failed(mesh_under_test, tmp_path):
    async def hangs(request):
        yield StreamTextResponse(text="well ")
        await asyncio.Event().wait()

    model = ScriptedModel(hangs, "there")
    settings = {"step_timeout": "50ms", "retry": {"model": QUICK}}
    async with serving(mesh_under_test, tmp_path, model, **settings):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            events = await events_of(mesh_under_test.mesh, task.id)
    assert text_of(task) == "there "
    assert [event.step_retried.error.reason for event in events if event.HasField("step_retried")] == [
        "STEP_TIMED_OUT"
    ]


class FlakyTools(ScriptedTools):
    """The first call of each tool does not come back."""

    async def ListTools(self, request, context):
        found = await super().ListTools(request, context)
        for tool in found.tools:
            tool.annotations.read_only = tool.name == "echo"
        return found

    async def ExecuteTool(self, request, context):
        if not any(call.tool == request.tool for call in self.calls):
            self.calls.append(request)
            raise Away("gone")
        return await super().ExecuteTool(request, context)


async def test_only_calls_that_may_be_repeated_are_made_again(mesh_under_test, tmp_path):
    tools = FlakyTools()
    model = ScriptedModel([("echo", {}), ("count", {})], "done")
    async with serving(mesh_under_test, tmp_path, model, tools, retry={"tools": QUICK}):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            events = await events_of(mesh_under_test.mesh, task.id)
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert sorted(call.tool for call in tools.calls) == ["count", "echo", "echo"]
    effects = {call.context.effect_id for call in tools.calls if call.tool == "echo"}
    assert len(effects) == 1, "the same effect, whatever attempt"
    ends = {
        event.tool_finished.tool: event.tool_finished for event in events if event.HasField("tool_finished")
    }
    assert not ends["echo"].HasField("error")
    assert ends["count"].error.reason == "MODEL_UNREACHABLE"


async def test_a_long_pause_before_the_next_attempt_holds_nothing(mesh_under_test, tmp_path, monkeypatch):
    monkeypatch.setattr("hector_agent.retrying.PARKED_FROM_S", 0.0)
    model = ScriptedModel(ECHO, Away("gone"), Away("gone"), "back again")
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, model, tools, retry={"model": QUICK}):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            async with asyncio.timeout(20):
                task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            events = await events_of(mesh_under_test.mesh, task.id)
            assert (await stub.GetRun(GetRunRequest(run=task.id))).run.state == RUN_STATE_COMPLETED
    assert text_of(task) == "back again "
    assert [event.status_changed.state for event in events if event.HasField("status_changed")].count(
        RUN_STATE_WAITING
    ) == 2
    assert len(tools.calls) == 1


async def test_a_signal_to_a_model_that_waits_for_nothing_is_refused(mesh_under_test, tmp_path):
    tools = GatedTools()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(ECHO, "done"), tools):
        with as_ada():
            stub = AgentServiceStub(mesh_under_test.mesh)
            agent = a2a.A2AServiceStub(mesh_under_test.mesh)
            task = (await agent.SendMessage(ask("hi", configuration=NOW))).task
            await begun(tools)
            wake = SignalRequest(run=task.id, signal=Signal(wake_json=json.dumps({"a": 1})))
            assert await refused(stub.Signal(wake)) == "RUN_DOES_NOT_WAIT"
            await stub.CancelRun(CancelRunRequest(run=task.id))
            found = (await stub.GetRun(GetRunRequest(run=task.id))).run
    assert found.state not in (RUN_STATE_FAILED, RUN_STATE_COMPLETED)


class SlowTools(ScriptedTools):
    """`echo` wants to be asked again, twice."""

    async def ExecuteTool(self, request, context):
        found = await super().ExecuteTool(request, context)
        if request.tool == "echo" and sum(call.tool == "echo" for call in self.calls) < 3:
            return ExecuteToolResponse(call_again_after=timedelta(milliseconds=20))
        return found


async def test_a_tool_that_is_not_done_yet_is_asked_again_and_holds_nothing_meanwhile(
    mesh_under_test, tmp_path
):
    tools, model = SlowTools(), ScriptedModel([("echo", {"job": 1}), ("count", {})], "done")
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            async with asyncio.timeout(20):
                task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))).task
            events = await events_of(mesh_under_test.mesh, task.id)
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert sorted(call.tool for call in tools.calls) == ["count", "echo", "echo", "echo"]
    assert len({call.context.effect_id for call in tools.calls if call.tool == "echo"}) == 1
    assert [event.timer_set.call_id for event in events if event.HasField("timer_set")] == ["call_0"] * 2
    assert sum(event.HasField("timer_ended") for event in events) == 2
    assert len(model.requests) == 2
