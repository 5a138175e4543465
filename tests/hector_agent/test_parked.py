"""A2A 1.10, 7.6: a task that waits for somebody holds nothing, and goes on where it was."""

import asyncio
from contextlib import asynccontextmanager

import grpc
import pytest
from support.custom_agent import answering, config_of, said
from support.scripted_agent import as_ada, text_of, until

import hector_a2a as a2a
import hector_agent
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    AgentServiceStub,
    GetSessionRequest,
    Signal,
    SignalRequest,
    TailRequest,
)
from hector_mesh import Call, Principal, info_of, scope, streaming

ASKS = """
    from hector_agent.custom import input_required

    async def echo(turn):
        if not turn.resumes:
            yield "I will greet you. "
            turn.state["asked"] = True
            yield input_required("Who are you?", metadata={"step": 1})
            raise RuntimeError("nobody comes here")
        first = turn.task.history[0].parts[0].text
        yield f"{first}: hello {turn.text}"
"""
WANTS_A_KEY = """
    import json
    from hector_agent.custom import auth_required

    async def echo(turn):
        if turn.wake_json:
            yield f"{turn.text}: woken with " + json.loads(turn.wake_json)["key"]
        elif turn.resumes:
            yield "told " + turn.text
        else:
            yield auth_required("I need a key")
"""
WAITING = a2a.TASK_STATE_INPUT_REQUIRED


def reason(error):
    return info_of(error.value).reason


@asynccontextmanager
async def parked(mesh_under_test, folder, source=ASKS):
    """Run the agent, and yield it with a task that waits."""
    async with answering(mesh_under_test, folder, source) as agent:
        with as_ada():
            yield agent, (await agent.SendMessage(said("greet me"))).task


async def test_a_blocking_send_returns_where_the_task_waits_with_all_of_it(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        assert task.status.state == WAITING
        assert task.status.message.parts[0].text == "Who are you?"
        assert task.status.message.role == a2a.ROLE_AGENT
        assert task.metadata["step"] == 1
        assert text_of(task) == "I will greet you. "
        assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task
        [listed] = (await agent.ListTasks(a2a.ListTasksRequest(status=WAITING))).tasks
        assert (listed.id, listed.status) == (task.id, task.status)
        assert listed.metadata["step"] == 1


async def test_a_follow_up_goes_on_with_the_same_task_and_its_context_is_inferred(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        done = (await agent.SendMessage(said("Ada", task=task.id))).task
        assert (done.id, done.context_id) == (task.id, task.context_id)
        assert done.status.state == a2a.TASK_STATE_COMPLETED
        assert [message.parts[0].text for message in done.history] == ["greet me", "Who are you?", "Ada"]
        assert [message.context_id for message in done.history] == [task.context_id] * 3
        assert text_of(done) == "I will greet you. |greet me: hello Ada"
        assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == done


async def test_questions_and_answers_are_part_of_the_conversation(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        await agent.SendMessage(said("Ada", task=task.id))
        wanted = GetSessionRequest(session=task.context_id)
        session = (await AgentServiceStub(mesh_under_test.mesh).GetSession(wanted)).session
    assert [message.parts[0].text for message in session.messages] == [
        "greet me",
        "I will greet you. ",
        "Who are you?",
        "Ada",
        "greet me: hello Ada",
    ]


async def test_a_follow_up_that_does_not_wait_is_at_work(mesh_under_test, tmp_path):
    source = """
        import asyncio
        from hector_agent.custom import input_required

        async def echo(turn):
            if not turn.resumes:
                yield input_required("?")
            await asyncio.Event().wait()
    """
    async with parked(mesh_under_test, tmp_path, source) as (agent, task):
        request = said("x", task=task.id, configuration={"return_immediately": True})
        assert (await agent.SendMessage(request)).task.status.state == a2a.TASK_STATE_WORKING
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("and y", task=task.id))
        assert reason(refused) == "UNSUPPORTED_OPERATION"
        assert "TASK_STATE_WORKING" in refused.value.details()
        await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))


async def test_a_follow_up_in_another_context_is_refused(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("Ada", task=task.id, context="another"))
        assert reason(refused) == "INVALID_PARAMS"
        assert (await agent.GetTask(a2a.GetTaskRequest(id=task.id))).status.state == WAITING


async def test_a_follow_up_of_somebody_else_finds_nothing(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        for tasks in ("nothing", task.id):
            with scope(Call(principal=Principal("eve"))), pytest.raises(grpc.aio.AioRpcError) as refused:
                await agent.SendMessage(said("Eve", task=tasks))
            assert reason(refused) == "TASK_NOT_FOUND"
            assert refused.value.details() == f"no task {tasks!r} is known here"


async def test_a_follow_up_to_a_task_that_is_over_is_refused(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        await agent.SendMessage(said("Ada", task=task.id))
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("Bob", task=task.id))
        assert reason(refused) == "UNSUPPORTED_OPERATION"


async def test_of_many_follow_ups_at_once_exactly_one_is_taken(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        sends = [agent.SendMessage(said(f"number {n}", task=task.id)) for n in range(8)]
        outcomes = await asyncio.gather(*sends, return_exceptions=True)
        taken = [outcome for outcome in outcomes if not isinstance(outcome, Exception)]
        assert len(taken) == 1
        assert {info_of(one).reason for one in outcomes if isinstance(one, Exception)} == {
            "UNSUPPORTED_OPERATION"
        }
        assert len((await agent.GetTask(a2a.GetTaskRequest(id=task.id))).history) == 3


async def test_other_turns_of_the_session_go_on_while_one_waits(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import input_required

        async def echo(turn):
            told = [m.parts[0].text for m in turn.history]
            if turn.text == "wait":
                turn.state["n"] = 1
                yield input_required("for what?")
            turn.state["n"] = turn.state.get("n", 0) + 1
            yield f"{turn.text} {turn.state['n']} {told}"
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            waits = (await agent.SendMessage(said("wait", context="c"))).task
            other = (await agent.SendMessage(said("other", context="c"))).task
            assert text_of(other) == "other 2 ['wait', 'for what?']"
            done = (await agent.SendMessage(said("this", task=waits.id))).task
            assert text_of(done) == "this 3 ['other', \"other 2 ['wait', 'for what?']\"]"
            last = (await agent.SendMessage(said("last", context="c"))).task
            assert text_of(last).startswith("last 4 ['wait', 'for what?', 'this', ")


async def test_a_task_that_waits_can_be_cancelled(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        async with streaming(agent.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))) as events:
            assert (await anext(aiter(events))).task.status.state == WAITING
            gone = await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))
            assert gone.status.state == a2a.TASK_STATE_CANCELED
            rest = [event async for event in events]
        assert [event.status_update.status.state for event in rest] == [a2a.TASK_STATE_CANCELED]
        for _ in range(2):
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await agent.CancelTask(a2a.CancelTaskRequest(id=task.id))
            assert reason(refused) == "TASK_NOT_CANCELABLE"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await agent.SendMessage(said("Ada", task=task.id))
        assert reason(refused) == "UNSUPPORTED_OPERATION"


async def test_a_cancel_and_a_follow_up_at_once_leave_one_outcome(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        outcomes = await asyncio.gather(
            agent.SendMessage(said("Ada", task=task.id)),
            agent.CancelTask(a2a.CancelTaskRequest(id=task.id)),
            return_exceptions=True,
        )
        reasons = [info_of(one).reason for one in outcomes if isinstance(one, Exception)]
        assert set(reasons) <= {"UNSUPPORTED_OPERATION", "TASK_NOT_CANCELABLE"}
        state = (await agent.GetTask(a2a.GetTaskRequest(id=task.id))).status.state
        assert state in (a2a.TASK_STATE_CANCELED, a2a.TASK_STATE_COMPLETED)


async def test_a_send_stream_ends_where_input_is_required(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, ASKS) as agent:
        with as_ada():
            events = [event async for event in agent.SendStreamingMessage(said("greet me"))]
            assert events[0].HasField("task")
            assert events[-1].status_update.status.state == WAITING
            assert events[-1].status_update.metadata["step"] == 1
            task = events[0].task.id
            more = [event async for event in agent.SendStreamingMessage(said("Ada", task=task))]
            assert more[0].task.id == task
            told = [message.parts[0].text for message in more[0].task.history]
            assert told == ["greet me", "Who are you?", "Ada"]
            assert more[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED


async def test_subscribers_stay_while_a_task_waits_and_all_see_the_same(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (agent, task):

        async def follow(begun):
            with as_ada():
                seen = []
                async with streaming(agent.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))) as events:
                    async for event in events:
                        seen.append(event)
                        begun.set()
                return seen

        begun = [asyncio.Event() for _ in range(3)]
        followers = [asyncio.create_task(follow(one)) for one in begun]
        async with asyncio.timeout(5):
            await asyncio.gather(*(one.wait() for one in begun))
        await agent.SendMessage(said("Ada", task=task.id))
        async with asyncio.timeout(5):
            first, *others = await asyncio.gather(*followers)
        assert others == [first] * 2
        assert first[0].task.status.state == WAITING
        states = [event.status_update.status.state for event in first if event.HasField("status_update")]
        assert states == [a2a.TASK_STATE_WORKING, a2a.TASK_STATE_COMPLETED]
        assert (
            "".join(part.text for event in first[1:] for part in event.artifact_update.artifact.parts)
            == "greet me: hello Ada"
        )


async def test_a_send_stream_stays_where_credentials_are_required(mesh_under_test, tmp_path):
    async with answering(mesh_under_test, tmp_path, WANTS_A_KEY) as agent:
        with as_ada():
            async with streaming(agent.SendStreamingMessage(said("go"))) as events:
                task = (await anext(aiter(events))).task
                shown = await anext(aiter(events))
                assert shown.status_update.status.state == a2a.TASK_STATE_AUTH_REQUIRED
                await agent.SendMessage(said("secret", task=task.id))
                rest = [event async for event in events]
            assert rest[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
            assert text_of(await agent.GetTask(a2a.GetTaskRequest(id=task.id))) == "told secret"


async def test_credentials_may_come_another_way(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path, WANTS_A_KEY) as (agent, task):
        assert task.status.state == a2a.TASK_STATE_AUTH_REQUIRED
        wake = SignalRequest(run=task.id, signal=Signal(wake_json='{"key": "k1"}'))
        assert (await AgentServiceStub(mesh_under_test.mesh).Signal(wake)).id

        async def is_over():
            state = (await agent.GetTask(a2a.GetTaskRequest(id=task.id))).status.state
            return state == a2a.TASK_STATE_COMPLETED

        await until(is_over)
        assert text_of(await agent.GetTask(a2a.GetTaskRequest(id=task.id))) == "greet me: woken with k1"


@pytest.mark.parametrize("wake", ["no json", "[1]"])
async def test_what_wakes_a_task_is_a_json_object(mesh_under_test, tmp_path, wake):
    async with parked(mesh_under_test, tmp_path, WANTS_A_KEY) as (_agent, task):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await AgentServiceStub(mesh_under_test.mesh).Signal(
                SignalRequest(run=task.id, signal=Signal(wake_json=wake))
            )
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT


async def test_a_task_that_asks_something_is_not_woken_without_an_answer(mesh_under_test, tmp_path):
    async with parked(mesh_under_test, tmp_path) as (_agent, task):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await AgentServiceStub(mesh_under_test.mesh).Signal(
                SignalRequest(run=task.id, signal=Signal(wake_json="{}"))
            )
        assert refused.value.code() == grpc.StatusCode.FAILED_PRECONDITION


async def test_a_task_waits_through_a_restart(mesh_under_test, tmp_path):
    config = config_of(tmp_path, ASKS)
    first = hector_agent.build(config, mesh_under_test.mesh)
    async with first.running():
        await mesh_under_test.serve(first.register)
        with as_ada():
            task = (await a2a.A2AServiceStub(mesh_under_test.mesh).SendMessage(said("greet me"))).task
    second = hector_agent.build(config, mesh_under_test.mesh)
    async with second.running():
        await mesh_under_test.serve(second.register)
        agent = a2a.A2AServiceStub(mesh_under_test.mesh)
        with as_ada():
            assert await agent.GetTask(a2a.GetTaskRequest(id=task.id)) == task
            async with streaming(agent.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))) as events:
                assert (await anext(aiter(events))).task.status.state == WAITING
                done = (await agent.SendMessage(said("Ada", task=task.id))).task
                rest = [event async for event in events]
            assert text_of(done) == "I will greet you. |greet me: hello Ada"
            assert rest[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED


async def test_a_task_may_wait_more_than_once(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import input_required

        async def echo(turn):
            if turn.text != "stop":
                yield input_required(f"and? {len(turn.task.history)}")
            yield " ".join(m.parts[0].text for m in turn.task.history)
    """
    async with parked(mesh_under_test, tmp_path, source) as (agent, task):
        for number in (3, 5):
            again = (await agent.SendMessage(said(f"more {number}", task=task.id))).task
            assert again.status.message.parts[0].text == f"and? {number}"
        done = (await agent.SendMessage(said("stop", task=task.id))).task
        assert text_of(done) == "greet me and? 1 more 3 and? 3 more 5 and? 5 stop"


async def test_a_task_that_waits_holds_no_task_of_ours_and_no_place_among_the_live(
    mesh_under_test, tmp_path, monkeypatch
):
    monkeypatch.setattr("hector_agent.runs.MOST_LIVE", 1)
    async with parked(mesh_under_test, tmp_path) as (agent, _):
        for number in range(3):
            assert (await agent.SendMessage(said(f"{number}"))).task.status.state == WAITING


async def test_temporary_state_is_gone_when_its_task_has_waited(mesh_under_test, tmp_path):
    source = """
        from hector_agent.custom import input_required

        async def echo(turn):
            if turn.text == "begin":
                turn.state["temp:mine"] = "kept"
                turn.state["ours"] = "kept too"
                yield input_required("?")
            yield str(sorted(turn.state.items()))
    """
    async with answering(mesh_under_test, tmp_path, source) as agent:
        with as_ada():
            task = (await agent.SendMessage(said("begin", context="c"))).task
            other = (await agent.SendMessage(said("other", context="c"))).task
            assert text_of(other) == "[('ours', 'kept too')]"
            done = (await agent.SendMessage(said("go on", task=task.id))).task
            assert text_of(done) == "[('ours', 'kept too')]"  # what is not written cannot be there
            last = (await agent.SendMessage(said("last", context="c"))).task
            assert text_of(last) == "[('ours', 'kept too')]"


async def test_the_tail_of_a_run_that_waits_goes_on_when_it_is_taken_up(mesh_under_test, tmp_path):
    """Ours: as a subscription does; who wants what is committed gets that, and the end."""
    async with parked(mesh_under_test, tmp_path) as (agent, task):
        runs = AgentServiceStub(mesh_under_test.mesh)
        so_far = [one.event.seq async for one in runs.Tail(TailRequest(run=task.id, committed_only=True))]
        async with streaming(runs.Tail(TailRequest(run=task.id))) as tail:
            found = [(await anext(aiter(tail))).event.seq for _ in so_far]
            assert found == so_far
            await agent.SendMessage(said("Ada", task=task.id))
            rest = [one.event async for one in tail]
        assert rest[0].seq == so_far[-1] + 1
        assert rest[-1].status_changed.state == RUN_STATE_COMPLETED


async def test_who_follows_a_task_in_the_moment_in_which_it_is_taken_up_gets_all_of_it(
    mesh_under_test, tmp_path
):
    """Ours: whatever comes first, the log's word that it is at work or the run itself."""
    async with parked(mesh_under_test, tmp_path) as (agent, task):

        async def followed() -> str:
            calls = agent.SubscribeToTask(
                a2a.SubscribeToTaskRequest(id=task.id), metadata=(("last-event-id", "2"),)
            )
            async with streaming(calls) as events:
                updates = [event.artifact_update async for event in events]
            return "".join(part.text for update in updates for part in update.artifact.parts)

        async def sent() -> None:
            await agent.SendMessage(said("Ada", task=task.id))

        async with asyncio.TaskGroup() as group:
            reading = [group.create_task(followed()) for _ in range(10)]
            group.create_task(sent())
            for _ in range(20):
                reading.append(group.create_task(followed()))
                await asyncio.sleep(0)
        assert {one.result() for one in reading} == {"I will greet you. greet me: hello Ada"}
