import asyncio
import json

import grpc
import pytest
from support.scripted_agent import ADA, ScriptedModel, ScriptedTools, as_ada, ask, serving, text_of, until

import hector_a2a as a2a
from hector.agent.v1 import AgentServiceStub, GetRunRequest, TailRequest
from hector.llm.v1 import StreamTextResponse
from hector.reasoning.v1 import (
    Action,
    Ask,
    InitializeResponse,
    ProcessIterationResponse,
    ReasoningStrategyServicer,
)
from hector.tool.v1 import ExecuteToolResponse
from hector_mesh import HectorError, info_of


class Persistent(ReasoningStrategyServicer):
    """Asks again when asking came to nothing, and remembers why it had to."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, str]] = []

    async def Initialize(self, request, context):
        return InitializeResponse(success=True)

    async def ProcessIteration(self, request, context):
        for seen in request.observations:
            if seen.HasField("message"):
                return ProcessIterationResponse(done=True, finalized=True)
            self.seen.append((seen.error_reason, seen.error))
        return ProcessIterationResponse(actions=[Action(id=f"ask-{request.iteration}", ask=Ask())])


class Foresighted(ReasoningStrategyServicer):
    """Says all it has to say when the run begins."""

    async def Initialize(self, request, context):
        question = Action(id="ask-1", ask=Ask(may_conclude=True))
        return InitializeResponse(first=ProcessIterationResponse(actions=[question]))


class DiskFull(HectorError):
    code, reason = grpc.StatusCode.UNAVAILABLE, "STORAGE_FULL"


class ModelDown(HectorError):
    code, reason = grpc.StatusCode.UNAVAILABLE, "MODEL_UNREACHABLE"


async def test_a_negative_history_length_is_refused_before_anything_begins(mesh_under_test, tmp_path):
    """A2A 1.0 section 3.2.4: whatever the operation."""
    model = ScriptedModel()
    async with serving(mesh_under_test, tmp_path, model):
        stub, send = a2a.A2AServiceStub(mesh_under_test.mesh), ask("hi")
        send.configuration.history_length = -1
        with as_ada():
            calls = [
                stub.SendMessage(send),
                anext(aiter(stub.SendStreamingMessage(send))),
                stub.GetTask(a2a.GetTaskRequest(id="t", history_length=-1)),
                stub.ListTasks(a2a.ListTasksRequest(history_length=-1)),
            ]
            for call in calls:
                with pytest.raises(grpc.aio.AioRpcError) as failure:
                    await call
                assert info_of(failure.value).reason == "INVALID_PARAMS"
                assert "istoryLength" in failure.value.details()
    assert model.requests == []


async def test_a_question_is_answered_by_a_completed_task(mesh_under_test, tmp_path):
    model = ScriptedModel("hello there")
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(response.task) == "hello there "
    assert response.task.context_id
    assert [message.parts[0].text for message in response.task.history] == ["hi"]
    assert response.task.status.timestamp.seconds > 0
    roles = [message.parts[0].text for message in model.requests[0].messages]
    assert roles == ["Be brief.", "hi"]


async def test_a_stream_begins_with_the_task_and_ends_with_its_state(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("one two three")):
        with as_ada():
            stream = a2a.A2AServiceStub(mesh_under_test.mesh).SendStreamingMessage(ask("hi"))
            responses = [response async for response in stream]
    kinds = [response.WhichOneof("payload") for response in responses]
    assert kinds[0] == "task"
    assert kinds[-1] == "status_update"
    assert responses[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    updates = [response.artifact_update for response in responses if response.HasField("artifact_update")]
    assert "".join(part.text for update in updates for part in update.artifact.parts) == "one two three "
    assert [update.append for update in updates] == [False] + [True] * (len(updates) - 1)
    assert updates[-1].last_chunk


async def test_a_strategy_that_decided_in_advance_is_called_once(mesh_under_test, tmp_path):
    """Ours: each call it is spared is a fifth of an answer's calls between processes."""
    async with serving(mesh_under_test, tmp_path, ScriptedModel("hello there"), strategy=Foresighted()):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(response.task) == "hello there "


async def test_text_is_shown_before_the_model_has_finished(mesh_under_test, tmp_path):
    go_on = asyncio.Event()

    async def slowly(request):
        yield StreamTextResponse(text="first ")
        await go_on.wait()
        yield StreamTextResponse(text="last", done=True)

    async with serving(mesh_under_test, tmp_path, ScriptedModel(slowly)):
        with as_ada():
            got = ""
            async for response in a2a.A2AServiceStub(mesh_under_test.mesh).SendStreamingMessage(ask("hi")):
                if response.HasField("artifact_update"):
                    got += "".join(part.text for part in response.artifact_update.artifact.parts)
                    if got == "first ":
                        go_on.set()
    assert got == "first last"


async def test_a_model_that_never_ends_is_stopped_and_the_run_says_so(mesh_under_test, tmp_path):
    async def forever(request):
        while True:
            yield StreamTextResponse(text="x" * 100)
            await asyncio.sleep(0)

    model = ScriptedModel(forever)
    async with serving(mesh_under_test, tmp_path, model, max_answer_size="1kib"):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
            run = await AgentServiceStub(mesh_under_test.mesh).GetRun(GetRunRequest(run=response.task.id))
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert "agents.assistant.max_answer_size" in response.task.status.message.parts[0].text
    assert set(text_of(response.task)) == {"x"}
    assert 900 <= len(text_of(response.task)) <= 1024
    assert run.run.error.reason == "ANSWER_TOO_LONG"
    async with asyncio.timeout(5):
        await model.stopped.wait()


async def test_a_whole_answer_that_is_too_long_is_not_taken(mesh_under_test, tmp_path):
    model = ScriptedModel("x" * 2000)
    async with serving(mesh_under_test, tmp_path, model, max_answer_size="1kib", streaming=False):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert "more than 1,024 bytes" in response.task.status.message.parts[0].text
    assert not text_of(response.task)


async def test_the_next_turn_of_a_session_knows_the_last_one_after_a_restart(mesh_under_test, tmp_path):
    with as_ada():
        async with serving(mesh_under_test, tmp_path, ScriptedModel("nice to meet you")):
            first = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("I am Ada"))
        model = ScriptedModel("you are Ada")
        async with serving(mesh_under_test, tmp_path, model):
            again = ask("who am I?", first.task.context_id)
            await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(again)
            kept = await a2a.A2AServiceStub(mesh_under_test.mesh).GetTask(
                a2a.GetTaskRequest(id=first.task.id)
            )
    said = [message.parts[0].text for message in model.requests[0].messages]
    assert said == ["Be brief.", "I am Ada", "nice to meet you ", "who am I?"]
    assert text_of(kept) == "nice to meet you "


async def test_tool_calls_of_one_step_run_side_by_side_and_the_model_sees_their_results(
    mesh_under_test, tmp_path
):
    model = ScriptedModel([("pair", {"x": 1}), ("pair", {"x": 2})], "done")
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))
    assert text_of(response.task) == "done "
    assert tools.most == 2
    results = [
        part.tool_result.parts[0].text
        for message in model.requests[1].messages
        for part in message.parts
        if part.HasField("tool_result")
    ]
    assert results == ['echo: {"x": 1}', 'echo: {"x": 2}']
    assert len({call.context.effect_id for call in tools.calls}) == 2


async def test_a_tools_state_lasts_for_the_session(mesh_under_test, tmp_path):
    model = ScriptedModel([("count", {})], "one", [("count", {})], "two")
    tools = ScriptedTools()
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            first = await stub.SendMessage(ask("count"))
            await stub.SendMessage(ask("again", first.task.context_id))
            await stub.SendMessage(ask("elsewhere"))
    assert [json.loads(call.context.state_json or "{}") for call in tools.calls] == [{}, {"n": 1}]


async def test_an_unknown_tool_is_a_result_the_model_can_react_to(mesh_under_test, tmp_path):
    model = ScriptedModel([("nope", {})], "sorry")
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))
    assert response.task.status.state == a2a.TASK_STATE_COMPLETED
    result = model.requests[1].messages[-1].parts[0].tool_result
    assert result.error
    assert "no tool named 'nope'" in result.parts[0].text


@pytest.mark.parametrize("nonsense", ["[1]", "{", "7"])
async def test_a_tool_that_answers_nonsense_is_a_result_the_model_can_react_to(
    mesh_under_test, tmp_path, nonsense
):
    class Muddled(ScriptedTools):
        async def ExecuteTool(self, request, context):
            return ExecuteToolResponse(success=True, result="done", state_delta_json=nonsense)

    model = ScriptedModel([("echo", {})], "sorry")
    async with serving(mesh_under_test, tmp_path, model, Muddled()):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))
    assert response.task.status.state == a2a.TASK_STATE_COMPLETED
    result = model.requests[1].messages[-1].parts[0].tool_result
    assert result.error
    assert "echo was run" in result.parts[0].text


async def test_a_tool_that_needs_approval_is_not_run_as_long_as_nobody_can_be_asked(
    mesh_under_test, tmp_path
):
    model, tools = ScriptedModel([("risky", {})], "then not"), ScriptedTools()
    async with serving(mesh_under_test, tmp_path, model, tools):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))
    assert text_of(response.task) == "then not "
    assert not tools.calls
    assert "approval" in model.requests[1].messages[-1].parts[0].tool_result.parts[0].text


async def test_a_failing_model_fails_the_task_with_its_reason(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(ModelDown("nothing answers at http://x"))):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
            run = await AgentServiceStub(mesh_under_test.mesh).GetRun(GetRunRequest(run=response.task.id))
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert response.task.status.message.parts[0].text == "nothing answers at http://x"
    assert run.run.error.reason == "MODEL_UNREACHABLE"


async def test_a_strategy_sees_why_a_model_could_not_be_asked_and_may_ask_again(mesh_under_test, tmp_path):
    """Contract: Observation.error."""

    async def breaks_off(request):
        yield StreamTextResponse(text="half ")
        raise ModelDown("the model at http://x went away")

    strategy = Persistent()
    async with serving(mesh_under_test, tmp_path, ScriptedModel(breaks_off, "whole"), strategy=strategy):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(response.task) == "half |whole "
    assert strategy.seen == [("MODEL_UNREACHABLE", "the model at http://x went away")]


async def test_text_before_a_failure_is_kept(mesh_under_test, tmp_path):
    async def breaks(request):
        yield StreamTextResponse(text="half an ans")
        raise ModelDown("gone")

    async with serving(mesh_under_test, tmp_path, ScriptedModel(breaks)):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert text_of(response.task) == "half an ans"


async def test_a_run_that_cannot_be_written_waits_for_the_database_and_goes_on(
    mesh_under_test, tmp_path, monkeypatch, caplog
):
    async def full(self, *arguments, **more):
        raise DiskFull("no space left for runs.db")

    async with serving(mesh_under_test, tmp_path, ScriptedModel(*["an answer"] * 4)):
        with as_ada():
            stub = a2a.A2AServiceStub(mesh_under_test.mesh)
            with monkeypatch.context() as broken, caplog.at_level("INFO"):
                broken.setattr("hector_store.run_log.RunLog.append", full)
                sent = stub.SendMessage(ask("hi"))

                async def left() -> bool:
                    return "run was left" in caplog.text

                await until(left)
            task = (await sent).task
    assert (task.status.state, text_of(task)) == (a2a.TASK_STATE_COMPLETED, "an answer ")


async def test_a_bug_fails_the_task_without_showing_itself(mesh_under_test, tmp_path, caplog):
    async with serving(mesh_under_test, tmp_path, ScriptedModel(ValueError("secret detail"))):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert "secret detail" not in str(response)


async def test_the_iteration_limit_ends_the_run_and_says_so(mesh_under_test, tmp_path):
    model = ScriptedModel(*([[("echo", {})]] * 5))
    async with serving(mesh_under_test, tmp_path, model, reasoning={"max_iterations": 3}):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))
    assert len(model.requests) == 3
    assert response.task.status.state == a2a.TASK_STATE_FAILED
    assert "3" in response.task.status.message.parts[0].text
    assert "max_iterations" in response.task.status.message.parts[0].text


async def test_an_agent_that_does_not_stream_asks_for_the_whole_answer(mesh_under_test, tmp_path):
    async with serving(mesh_under_test, tmp_path, ScriptedModel("whole"), streaming=False):
        with as_ada():
            response = await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("hi"))
    assert text_of(response.task) == "whole"


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda message: message.ClearField("message_id"), "message.messageId"),
        (lambda message: message.ClearField("parts"), "message.parts"),
        (lambda message: setattr(message, "role", a2a.ROLE_AGENT), "message.role"),
        (lambda message: setattr(message, "context_id", "x" * 129), "message.contextId"),
    ],
)
async def test_a_bad_message_is_refused_by_field(mesh_under_test, tmp_path, change, field):
    request = ask("hi")
    change(request.message)
    async with serving(mesh_under_test, tmp_path, ScriptedModel()):
        with as_ada(), pytest.raises(grpc.aio.AioRpcError) as refused:
            await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(request)
    assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert field in info_of(refused.value).metadata


async def test_the_log_tells_the_run_from_the_message_to_the_end(mesh_under_test, tmp_path):
    model = ScriptedModel([("echo", {"a": 1})], "done")
    async with serving(mesh_under_test, tmp_path, model):
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(ask("go"))).task
            stub = AgentServiceStub(mesh_under_test.mesh)
            events = [response.event async for response in stub.Tail(TailRequest(run=task.id))]
            run = (await stub.GetRun(GetRunRequest(run=task.id))).run
    kinds = [event.WhichOneof("event") for event in events]
    assert kinds == [
        "message_received",
        "status_changed",
        "model_answered",
        "tool_started",
        "tool_finished",
        "text_appended",
        "model_answered",
        "status_changed",
    ]
    assert [event.seq for event in events] == list(range(1, 9))
    assert run.usage.total_tokens == 30
    assert ADA.id
