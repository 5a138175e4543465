"""Whatever a client asks of a replica that does not own its task, it is answered as the owner would."""

import asyncio
import shutil
import tempfile
from pathlib import Path
from textwrap import dedent

import grpc
import pytest
from support.agents import agents_in
from support.custom_agent import said
from support.receiver import receiving
from support.scripted_agent import as_ada, ask, text_of, until, usage

import hector_a2a as a2a
from hector.agent.v1 import TailRequest
from hector.llm.v1 import FINISH_REASON_STOP, StreamTextResponse
from hector_agent.custom.handler_name import Named
from hector_mesh import info_of, streaming
from hector_store import Workers, opened

PUSH = {"allowed_networks": ["127.0.0.0/8"], "allow_http": True, "retry_delay": "20ms", "max_delay": "50ms"}


ASKS = """
    from hector_agent.custom import input_required

    async def echo(turn):
        yield f"hello {turn.text}" if turn.resumes else input_required("Who are you?")
"""


class Slowly:
    """A model that says one word, and the others when it is told to."""

    def __init__(self, *words: str) -> None:
        self.words, self.begun, self.go_on = words, asyncio.Event(), asyncio.Event()

    async def __call__(self, request):
        yield StreamTextResponse(text=self.words[0])
        self.begun.set()
        await self.go_on.wait()
        for word in self.words[1:]:
            yield StreamTextResponse(text=word)
        yield StreamTextResponse(done=True, usage=usage(), finish_reason=FINISH_REASON_STOP)


@pytest.fixture
def lease():
    """Longer than any test; those that are about losing one say so."""
    return "60s"


short_leases = pytest.mark.parametrize("lease", ["2s"])


@pytest.fixture(params=["local", "unix"])
async def agents(request, lease):
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    (folder / "handlers.py").write_text(dedent(ASKS), encoding="utf-8")
    server = {"a2a": {"push": PUSH}}
    others = {"custom": {"type": "custom", "handler": Named("handlers", "echo", folder)}}
    async with (
        asyncio.timeout(60),
        agents_in(folder, request.param, server=server, others=others, lease=lease) as found,
    ):
        with as_ada():
            yield found
    shutil.rmtree(folder, ignore_errors=True)


def keyed(key: str) -> tuple[tuple[str, str], ...]:
    return (("idempotency-key", key),)


async def read(stream, *, until=None):
    """Return the events of a stream, to its end or until one of them will do."""
    found = []
    async with streaming(stream) as events:
        async for event in events:
            found.append(event)
            if until is not None and until(event):
                break
    return found


def text(events) -> str:
    updates = [event.artifact_update for event in events if event.HasField("artifact_update")]
    return "".join(part.text for update in updates for part in update.artifact.parts)


async def begun(owner, model, **more):
    """Have a run begin at its owner, whose model then waits to be told to go on."""
    request = ask("hi", **more)
    request.configuration.return_immediately = True
    task = (await owner.a2a.SendMessage(request)).task
    await model.begun.wait()
    return task


async def test_a_task_is_read_listed_and_followed_at_any_replica(agents):
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    task = await begun(owner, model)
    following = asyncio.create_task(read(other.a2a.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))))
    tailing = asyncio.create_task(read(other.agent.Tail(TailRequest(run=task.id))))
    for replica in (owner, other):
        assert (await replica.a2a.GetTask(a2a.GetTaskRequest(id=task.id))).status.state == task.status.state
        assert [one.id for one in (await replica.a2a.ListTasks(a2a.ListTasksRequest())).tasks] == [task.id]
    model.go_on.set()
    events = await following
    assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    whole = await owner.a2a.GetTask(a2a.GetTaskRequest(id=task.id))
    assert text_of(whole) == "Hello world"
    assert text_of(events[0].task) + text(events) == "Hello world"
    assert await other.a2a.GetTask(a2a.GetTaskRequest(id=task.id)) == whole
    assert (await tailing)[-1].event.HasField("status_changed")


async def test_a_message_that_comes_again_at_another_replica_is_attached_to_its_run(agents):
    """Ours: the key is good at every replica; nothing is asked twice."""
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    first = asyncio.ensure_future(owner.a2a.SendMessage(ask("hi"), metadata=keyed("k")))
    await model.begun.wait()
    again = asyncio.ensure_future(other.a2a.SendMessage(ask("hi"), metadata=keyed("k")))
    at_once = ask("hi")
    at_once.configuration.return_immediately = True
    shown = (await other.a2a.SendMessage(at_once, metadata=keyed("k"))).task
    assert shown.status.state == a2a.TASK_STATE_WORKING
    streamed = asyncio.create_task(read(other.a2a.SendStreamingMessage(ask("hi"), metadata=keyed("k"))))
    with pytest.raises(grpc.aio.AioRpcError) as reused:
        await other.a2a.SendMessage(ask("something else"), metadata=keyed("k"))
    assert info_of(reused.value).reason == "IDEMPOTENCY_KEY_REUSED"
    model.go_on.set()
    task = (await first).task
    assert (await again).task == task
    assert task.id == shown.id
    events = await streamed
    assert events[0].task.id == task.id
    assert text_of(events[0].task) + text(events) == "Hello world"
    assert other.model.requests == []


async def test_who_waits_too_long_at_another_replica_is_told_which_task_goes_on(agents):
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    first = asyncio.ensure_future(owner.a2a.SendMessage(ask("hi"), metadata=keyed("k")))
    await model.begun.wait()
    with pytest.raises(grpc.aio.AioRpcError) as late:
        await other.a2a.SendMessage(ask("hi"), metadata=keyed("k"), timeout=0.5)
    assert info_of(late.value).reason == "STILL_AT_WORK"
    model.go_on.set()
    assert info_of(late.value).metadata["taskId"] == (await first).task.id


@short_leases
async def test_a_blocking_message_is_answered_though_its_process_loses_the_run(agents):
    """Ours: the lease was lost, and another process goes on; the sender notices nothing."""
    model = Slowly("Hello ", "never said")
    again = ["Goodbye now"] * 10
    owner = await agents.start(model, model, *again)
    sent = asyncio.ensure_future(owner.a2a.SendMessage(ask("hi", "c1")))
    streamed = asyncio.create_task(read(owner.a2a.SendStreamingMessage(ask("hi", "c2"))))
    await model.begun.wait()
    await until(lambda: _is_at_work(owner, 2))
    other = await agents.start(*again)
    await _lose(agents, owner)
    task = (await sent).task
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(task) == "Goodbye now "
    events = await streamed
    assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    model.go_on.set()
    assert len(other.model.requests) + len(owner.model.requests) >= 4


async def test_a_message_for_a_task_that_waits_is_taken_by_the_replica_that_gets_it(agents):
    owner, other = await agents.start(), await agents.start()
    task = (await owner.a2a.SendMessage(said("greet me"))).task
    assert task.status.state == a2a.TASK_STATE_INPUT_REQUIRED
    watching = asyncio.create_task(read(owner.a2a.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))))
    done = (await other.a2a.SendMessage(said("Ada", task=task.id))).task
    assert done.status.state == a2a.TASK_STATE_COMPLETED
    assert text_of(done) == "hello Ada"
    events = await watching
    assert events[-1].status_update.status.state == a2a.TASK_STATE_COMPLETED
    assert text(events) == "hello Ada"


@pytest.mark.parametrize("key", ["", "k"])
async def test_of_two_messages_at_once_at_two_replicas_one_is_taken(agents, key):
    """Ours: under the same key both are answered, as when they come one after the other."""
    replicas = [await agents.start(), await agents.start()]
    for _ in range(5):
        task = (await replicas[0].a2a.SendMessage(said("greet me"))).task
        metadata = keyed(key) if key else ()
        sent = [one.a2a.SendMessage(said("Ada", task=task.id), metadata=metadata) for one in replicas]
        found = await asyncio.gather(*sent, return_exceptions=True)
        answers = [one.task for one in found if not isinstance(one, BaseException)]
        assert all(text_of(one) == "hello Ada" for one in answers)
        assert len(answers) == (2 if key else 1), found
        for error in found:
            if isinstance(error, BaseException):
                assert info_of(error).reason == "UNSUPPORTED_OPERATION"
        whole = await replicas[1].a2a.GetTask(a2a.GetTaskRequest(id=task.id))
        assert [one.parts[0].text for one in whole.history if one.role == a2a.ROLE_USER] == [
            "greet me",
            "Ada",
        ]


async def test_a_task_that_another_replica_works_on_takes_no_message(agents):
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    task = await begun(owner, model)
    more = ask("and another thing")
    more.message.task_id = task.id
    for replica in (owner, other):
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await replica.a2a.SendMessage(more)
        assert info_of(refused.value).reason == "UNSUPPORTED_OPERATION"
    model.go_on.set()


async def test_a_task_is_cancelled_at_any_replica_and_its_stream_says_so(agents):
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    task = await begun(owner, model)
    following = asyncio.create_task(read(other.a2a.SubscribeToTask(a2a.SubscribeToTaskRequest(id=task.id))))
    async with asyncio.timeout(2):
        cancelled = await other.a2a.CancelTask(a2a.CancelTaskRequest(id=task.id))
    assert cancelled.status.state == a2a.TASK_STATE_CANCELED
    assert (await following)[-1].status_update.status.state == a2a.TASK_STATE_CANCELED


async def test_a_webhook_that_is_named_at_another_replica_is_told_everything_once(agents):
    model = Slowly("Hello ", "world")
    owner, other = await agents.start(model), await agents.start()
    async with receiving() as receiver:
        task = await begun(owner, model)
        config = a2a.TaskPushNotificationConfig(task_id=task.id, id="mine", url=receiver.url)
        await other.a2a.CreateTaskPushNotificationConfig(config)
        model.go_on.set()
        told = await receiver.until_over()
        assert len({one.event_id for one in told}) == len(told)
        assert told[-1].found["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"


@short_leases
async def test_a_webhook_is_told_the_rest_by_whoever_goes_on_with_the_run(agents):
    model = Slowly("Hello ", "never said")
    owner = await agents.start(model)
    async with receiving() as receiver:
        wanted = a2a.TaskPushNotificationConfig(id="mine", url=receiver.url)
        request = ask("hi")
        request.configuration.return_immediately = True
        request.configuration.task_push_notification_config.CopyFrom(wanted)
        await owner.a2a.SendMessage(request)
        await model.begun.wait()
        await receiver.until(lambda told: len(told) >= 1)
        await agents.start("Goodbye now")
        await owner.stop()
        told = await receiver.until_over()
    assert told[-1].found["statusUpdate"]["status"]["state"] == "TASK_STATE_COMPLETED"
    assert [one.seq for one in told] == sorted(one.seq for one in told)


async def _is_at_work(owner, wanted: int) -> bool:
    return len(owner.model.requests) >= wanted


async def _lose(agents, owner) -> None:
    """Take a process's lease away behind its back, as if it had slept past it."""
    async with opened(agents.config["storage"]["database"]) as database:
        workers = Workers(database)
        (row,) = [row for row in await workers.alive() if row.target == owner.target]
        await workers.release(row.id)
