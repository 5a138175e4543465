"""Sessions at two replicas of one database: order, policies, and state that one of them writes first."""

import asyncio
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import grpc
import pytest
from support.custom_agent import config_of, said
from support.databases import SERVERS, database_servers, used_databases
from support.mesh import MeshUnderTest
from support.scripted_agent import as_ada, text_of, until

import hector_a2a as a2a
import hector_agent
from hector_mesh import info_of

__all__ = ["database_servers", "used_databases"]

SOURCE = """
    import asyncio
    from pathlib import Path

    async def echo(turn):
        yield "begun "
        while turn.text == "wait" and not (Path(__file__).parent / "go").exists():
            await asyncio.sleep(0.01)
        if "=" in turn.text:
            key, _, value = turn.text.partition("=")
            turn.state[key] = value
        yield " ".join([turn.text, *(f"{key}={value}" for key, value in sorted(turn.state.items()))])
"""
NOW = a2a.SendMessageConfiguration(return_immediately=True)


@pytest.fixture(params=["sqlite", *SERVERS])
def urls(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[str, str]:
    """Two URLs of one database, which one process takes for two: as two processes would."""
    if request.param == "sqlite":
        (tmp_path / "one").mkdir()
        (tmp_path / "other").symlink_to(tmp_path / "one", target_is_directory=True)
        return f"sqlite://{tmp_path}/one/x.db", f"sqlite://{tmp_path}/other/x.db"
    server, name = request.getfixturevalue("used_databases")(request.param)
    return server.url(name), f"{server.url(name)}{'&' if '?' in server.url(name) else '?'}pool_size=3"


@asynccontextmanager
async def replicas(urls, folder: Path, **agent: object):
    """Run two agent services on one database, and yield the ways to them."""
    async with AsyncExitStack() as stack:
        stubs = []
        for number, url in enumerate(urls):
            place = folder / str(number)
            place.mkdir()
            mesh = MeshUnderTest("local", place)
            stack.push_async_callback(mesh.close)
            config = config_of(folder, SOURCE, database=url, **agent)
            room = hector_agent.build(config, mesh.mesh)
            await stack.enter_async_context(room.running())
            await mesh.serve(room.register)
            stubs.append(a2a.A2AServiceStub(mesh.mesh))
        stack.callback((folder / "go").touch)
        yield stubs


async def at_work(agent, context: str) -> "a2a.Task":
    task = (await agent.SendMessage(said("wait", context=context, configuration=NOW))).task

    async def has_begun() -> bool:
        found = await agent.GetTask(a2a.GetTaskRequest(tenant="custom", id=task.id))
        return text_of(found) == "begun "

    await until(has_begun)
    return task


async def test_turns_of_a_session_at_two_replicas_run_one_after_another(urls, tmp_path):
    async with replicas(urls, tmp_path) as (here, there):
        with as_ada():
            first = await at_work(here, "c")
            behind = asyncio.ensure_future(there.SendMessage(said("x=1", context="c")))

            async def is_written() -> bool:
                return len((await there.ListTasks(a2a.ListTasksRequest(context_id="c"))).tasks) == 2

            await until(is_written)
            assert not behind.done()
            (tmp_path / "go").touch()
            async with asyncio.timeout(10):
                second = (await behind).task
            done = await there.GetTask(a2a.GetTaskRequest(tenant="custom", id=first.id))
            assert done.status.state == a2a.TASK_STATE_COMPLETED
            assert text_of(second) == "begun x=1 x=1"


async def test_a_turn_at_another_replica_is_in_the_way_as_well(urls, tmp_path):
    async with replicas(urls, tmp_path, concurrent_turns="reject") as (here, there):
        with as_ada():
            task = await at_work(here, "c")
            with pytest.raises(grpc.aio.AioRpcError) as refused:
                await there.SendMessage(said("hi", context="c"))
            assert info_of(refused.value).metadata["taskId"] == task.id


async def test_a_turn_at_another_replica_is_interrupted_within_seconds(urls, tmp_path):
    async with replicas(urls, tmp_path, concurrent_turns="interrupt") as (here, there):
        with as_ada():
            task = await at_work(here, "c")
            async with asyncio.timeout(10):
                done = (await there.SendMessage(said("hi", context="c"))).task
            assert text_of(done) == "begun hi"
            stopped = await there.GetTask(a2a.GetTaskRequest(tenant="custom", id=task.id))
            assert stopped.status.state == a2a.TASK_STATE_CANCELED


async def test_what_one_replica_writes_first_the_other_one_sees(urls, tmp_path):
    async with replicas(urls, tmp_path) as (here, there):
        with as_ada():
            assert text_of((await there.SendMessage(said("look"))).task) == "begun look"
            await here.SendMessage(said("user:x=1"))

            async def is_seen() -> bool:
                return text_of((await there.SendMessage(said("look"))).task) == "begun look user:x=1"

            await until(is_seen)
