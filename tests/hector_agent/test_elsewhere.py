"""Any replica shows any run: text as it comes, every committed event once, and no gap when the owner dies."""

import asyncio
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import pytest
from grpc.aio import AioRpcError
from support.replicas import (
    ADAS,
    APP,
    OWNER,
    Client,
    Replicas,
    replicas,
    said,
    state,
    texts_of,
    tool_called,
)

import hector_a2a as a2a
import hector_agent.subscriptions
import hector_agent.watching
import hector_agent.writing
from hector.agent.v1 import (
    RUN_STATE_CANCELED,
    RUN_STATE_FAILED,
    RUN_STATE_WORKING,
    AgentServiceStub,
    TailRequest,
)
from hector_agent.errors import ShuttingDown
from hector_agent.mirror import SERVICE
from hector_mesh import HectorError, Mesh, info_of, scope, streaming
from hector_store import opened

RUN = "run"


@pytest.fixture(params=["hinted", "hints dropped"])
def hinted(request):
    return request.param == "hinted"


@pytest.fixture(params=["local", "unix"])
async def mesh(request, hinted, monkeypatch) -> AsyncIterator[Replicas]:
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 60.0)  # the tests say what is committed
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    async with opened(f"sqlite://{folder}/runs.db") as database, asyncio.timeout(30):
        database.hints.are_dropped = not hinted
        async with replicas(database, folder, request.param) as found:
            yield found
    shutil.rmtree(folder, ignore_errors=True)


async def follows(replica, client, *, place="", until=None):
    """Read a run at a replica, beside the test; returns the task when the first event is there."""
    begun = asyncio.Event()

    async def read():
        async with aclosing(replica.subscribed(RUN, place)) as stream:
            client.take(await anext(stream))
            begun.set()
            await client.reads(stream, until=until)

    task = asyncio.create_task(read())
    await begun.wait()
    return task


async def until(condition):
    """Wait until it holds; the fixture bounds that."""
    while not condition():  # noqa: ASYNC110 - what it asks about may come over a socket
        await asyncio.sleep(0.005)


async def sees(client, text):
    """Wait until a client has this text."""
    await until(lambda: client.text == text)


async def test_a_run_is_followed_at_a_replica_that_does_not_own_it(mesh):
    """Ours: provisional text, committed steps and the end come as they would come at the owner."""
    owner, other = await mesh.start(), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Hello ")
    await sees(client, "Hello ")
    assert client.place == "3.6"
    run.show("answer-1", "world")
    await sees(client, "Hello world")
    await run.commit([tool_called(1)], last=True)
    run.show("answer-2", "Done.")
    await owner.completes(RUN)
    await reading
    assert client.calls == ["call-1"]
    assert client.task.status.state == a2a.TASK_STATE_COMPLETED
    assert (
        texts_of(client.task)
        == texts_of(await mesh.task(RUN))
        == {
            "answer-1": "Hello world",
            "answer-2": "Done.",
        }
    )


async def test_an_owner_that_nobody_can_dial_is_followed_by_its_log(mesh):
    """Ours: what is not committed is not seen, and all else comes."""
    owner, other = await mesh.start(can_be_dialled=False), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Hello ")
    await run.commit([])
    await sees(client, "Hello ")
    assert client.place == "3"
    await run.commit([tool_called(1)], last=True)
    await owner.completes(RUN)
    await reading
    assert client.calls == ["call-1"]
    assert client.task.status.state == a2a.TASK_STATE_COMPLETED
    assert owner.servicer.tails == 0


@pytest.mark.parametrize("heir", ["a third", "the reader's own"])
async def test_when_the_owner_dies_in_the_middle_of_a_text_that_text_is_replaced(mesh, heir):
    """Ours: the next owner asks the model again, and what was seen of its first answer is not doubled."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    await run.commit([tool_called(1)], last=True)
    run.show("answer-1", "I thi")
    await run.commit([])
    run.show("answer-1", "nk it is")
    await sees(client, "I think it is")
    await owner.stop()
    next_owner = third if heir == "a third" else other
    again = await next_owner.takes(RUN)
    again.show("answer-1", "It is")
    await sees(client, "It is")
    again.show("answer-1", " so.")
    await sees(client, "It is so.")
    await next_owner.completes(RUN)
    await reading
    assert client.calls == ["call-1"]
    assert texts_of(client.task) == texts_of(await mesh.task(RUN)) == {"answer-1": "It is so."}


@pytest.mark.parametrize(("committed", "kept"), [("I thi", {"answer-1": "I thi"}), ("", {})])
async def test_text_that_was_lost_is_taken_back_when_the_run_ends_without_it(mesh, committed, kept):
    """Ours: what a client has at the end is what the log has, also where nobody begins the text anew."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    run, clients = await owner.begins(RUN), [Client(), Client()]
    if committed:
        run.show("answer-1", committed)
        await run.commit([])
    reading = [await follows(other, clients[0])]
    run.show("answer-1", "nk it is")
    await sees(clients[0], f"{committed}nk it is")
    reading.append(await follows(other, clients[1]))
    await sees(clients[1], f"{committed}nk it is")
    await owner.stop()
    await third.takes(RUN, state(RUN_STATE_FAILED))
    await asyncio.gather(*reading)
    for client in clients:
        assert texts_of(client.task) == texts_of(await mesh.task(RUN)) == kept
        assert client.task.status.state == a2a.TASK_STATE_FAILED


async def test_who_read_at_the_owner_goes_on_when_it_loses_the_run(mesh):
    """Ours: a process whose lease is over shows its readers what the next owner does."""
    owner, other = await mesh.start(), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading = await follows(owner, client)
    run.show("answer-1", "Never written")
    await sees(client, "Never written")
    again = await other.takes(RUN)
    with pytest.raises(HectorError) as fenced:
        await run.commit([])
    assert fenced.value.reason == "RUN_FENCED"
    owner.lets_go(RUN)
    again.show("answer-1", "Written")
    await sees(client, "Written")
    await other.completes(RUN)
    await reading
    assert texts_of(client.task) == {"answer-1": "Written"}


async def test_an_owner_that_does_not_know_that_it_lost_the_run_is_not_believed(mesh):
    """Ours: it was stopped past its lease; what it shows then is nobody's any more."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Old")
    await sees(client, "Old")
    owner.servicer.is_silent = True
    again = await third.takes(RUN)
    again.show("answer-1", "New")
    await sees(client, "New")
    owner.servicer.is_silent = False
    run.show("answer-1", " and more that is old")
    again.show("answer-1", "er")
    await sees(client, "Newer")
    await third.completes(RUN)
    await reading
    assert texts_of(client.task) == {"answer-1": "Newer"}


async def test_readers_of_one_run_share_one_tail(mesh):
    owner, other = await mesh.start(), await mesh.start()
    run, clients = await owner.begins(RUN), [Client() for _ in range(5)]
    reading = [await follows(other, client) for client in clients]
    await owner.servicer.tailed.wait()
    run.show("answer-1", "Hello")
    for client in clients:
        await sees(client, "Hello")
    assert owner.servicer.tails == 1
    await owner.completes(RUN)
    await asyncio.gather(*reading)
    assert all(texts_of(client.task) == {"answer-1": "Hello"} for client in clients)


async def test_nobody_is_asked_for_a_run_that_nobody_reads_any_more(mesh):
    owner, other = await mesh.start(), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Hello")
    await sees(client, "Hello")
    reading.cancel()
    await asyncio.wait([reading])
    await until(lambda: not owner.servicer.under_way)
    await owner.completes(RUN)


@pytest.mark.parametrize("where", ["before the owner dies", "after"])
async def test_a_stream_cut_inside_a_text_is_picked_up_at_another_replica(mesh, where):
    """Ours: the id of a provisional piece is good at every replica, as long as the text is not lost."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    run, client = await owner.begins(RUN), Client()
    reading = await follows(owner, client)
    run.show("answer-1", "Hello ")
    await sees(client, "Hello ")
    reading.cancel()
    assert client.place == "3.6"
    run.show("answer-1", "world")
    heir = owner
    if where == "after":
        await owner.stop()
        heir = third
        run = await third.takes(RUN)
        run.show("answer-1", "Goodbye")
    reading = await follows(other, client, place=client.place)
    assert client.opened == ["", "Hello " if where == "before the owner dies" else ""]
    await sees(client, "Goodbye" if where == "after" else "Hello world")
    await run.commit([tool_called(1)], last=True)
    await heir.completes(RUN)
    await reading
    assert client.calls == ["call-1"]
    assert texts_of(client.task) == texts_of(await mesh.task(RUN))


async def test_a_run_that_waits_is_followed_into_whatever_process_takes_it_up(mesh):
    """A2A 1.0 section 7.6.1: a subscription outlives the state in which a task waits."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    await owner.begins(RUN)
    clients = [Client() for _ in range(3)]
    reading = [await follows(at, client) for at, client in zip((owner, other, third), clients, strict=True)]
    await owner.waits(RUN)
    for client in clients:
        await until(lambda client=client: client.task.status.state == a2a.TASK_STATE_INPUT_REQUIRED)
    run = await third.takes(RUN, said("more"), state(RUN_STATE_WORKING))
    run.show("answer-1", "Thanks")
    for client in clients:
        await sees(client, "Thanks")
    await third.completes(RUN)
    await asyncio.gather(*reading)
    assert all(client.task.status.state == a2a.TASK_STATE_COMPLETED for client in clients)


async def test_whoever_waits_for_the_end_of_a_run_hears_of_it_from_another_process(mesh):
    owner, other = await mesh.start(), await mesh.start()
    await owner.begins(RUN)
    settled = asyncio.create_task(other.waiting.settled(RUN))
    await owner.completes(RUN)
    standing = await settled
    assert standing.state == "RUN_STATE_COMPLETED"
    assert await other.waiting.settled("there is none") is None


async def test_a_server_that_stops_lets_go_of_those_who_follow_other_processes(mesh):
    owner, other = await mesh.start(), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading, settled = await follows(other, client), asyncio.create_task(other.waiting.settled(RUN))
    run.show("answer-1", "Hello")
    await sees(client, "Hello")
    other.waiting.end(ShuttingDown())
    for task in (reading, settled):
        with pytest.raises(ShuttingDown):
            await task
    await owner.completes(RUN)


async def test_a_run_that_is_deleted_ends_the_streams_of_others(mesh):
    owner, other = await mesh.start(can_be_dialled=False), await mesh.start()
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Hello")
    await run.commit([], last=True)
    await sees(client, "Hello")
    await mesh.database.write(lambda db: db.exec_driver_sql("DELETE FROM runs"))
    await reading


async def test_a_mirror_is_for_runs_that_are_at_work_there(mesh):
    """Contract: two replicas that take each other for the owner must not wait for each other."""
    owner, other = await mesh.start(), await mesh.start()
    await owner.begins(RUN)
    request = TailRequest(run=RUN, mirror=True)
    async with mesh.peers.channel(owner.target) as channel, asyncio.timeout(10):
        agent = AgentServiceStub(Mesh({SERVICE: channel}))
        with scope(ADAS):
            async with streaming(agent.Tail(request)) as responses:
                assert (await anext(aiter(responses))).event.seq == 1
    async with mesh.peers.channel(other.target) as channel:
        agent = AgentServiceStub(Mesh({SERVICE: channel}))
        with scope(ADAS), pytest.raises(AioRpcError) as refused:
            async with streaming(agent.Tail(request)) as responses:
                await anext(aiter(responses))
    assert info_of(refused.value).reason == "RUN_ELSEWHERE"
    await owner.completes(RUN)


async def test_cancelled_elsewhere_is_seen_by_all(mesh):
    """Ours: a run that nobody works on any more can be ended by any process; its readers see that."""
    owner, other, third = [await mesh.start() for _ in range(3)]
    run, client = await owner.begins(RUN), Client()
    reading = await follows(other, client)
    run.show("answer-1", "Hello")
    await sees(client, "Hello")
    await owner.stop()
    await third.takes(RUN, state(RUN_STATE_CANCELED))
    await reading
    assert client.task.status.state == a2a.TASK_STATE_CANCELED
    assert (await mesh.log.get(APP, OWNER, RUN)).state == "RUN_STATE_CANCELED"
