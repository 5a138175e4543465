"""Agents that are plugins: what they keep, and where they go on when a process is gone."""

import asyncio
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode
from support.run_owners import Replica, lease_ends, replica, settled
from support.scripted_agent import ADA, until

import hector_a2a as a2a
from hector.agent.v1 import (
    Agent,
    AgentProviderServicer,
    DescribeAgentsResponse,
    RunAgentResponse,
    add_AgentProviderServicer_to_server,
)
from hector.common.v1 import Artifact, Part, TokenUsage
from hector_agent.commands.commands import Commands
from hector_agent.ledger import events_of, task_of
from hector_agent.room import Config, agents_of
from hector_agent.roster import Roster
from hector_agent.usage import summed
from hector_mesh import Call, HectorError, LocalChannel, LocalServer, Mesh
from hector_store import RunLog, opened

pytestmark = pytest.mark.usefixtures("short_stops")


class Gone(HectorError):
    code, reason = StatusCode.UNAVAILABLE, "GONE"


class Plugin(AgentProviderServicer, a2a.A2AServiceServicer):
    """Serves what a test wants, and notes what it is asked."""

    def __init__(self, *contracts: object) -> None:
        self.asked: list = []
        self.stuck = asyncio.Event()
        self.server = LocalServer()
        for add in contracts:
            add(self, self.server)


@asynccontextmanager
async def serving(folder: Path, plugin: Plugin):
    config = Config.model_validate(
        {
            "agents": {"mine": {"type": "plugin:theirs"}},
            "storage": {"database": f"sqlite://{folder}/runs.db"},
        }
    )
    mesh = Mesh({}, plugins={"theirs": LocalChannel(plugin.server)})
    async with asyncio.timeout(50), opened(config.storage.database) as database:
        agents = agents_of(config, mesh, "")
        async with replica(database, agents) as one, replica(database, agents) as other:
            yield database, RunLog(database), one, other
    await plugin.server.stop(0)


async def ended(log: RunLog, run: str) -> "a2a.Task":
    row = await settled(log, run)
    return task_of(row, await log.events("default", run))


async def dies_stuck(database, plugin: Plugin, one: Replica, text: str, *, kept: int) -> str:
    """Have a process die when the plugin says nothing more, and so many steps are kept."""
    run = (await one.ask(text, "mine", "c")).place.run
    await plugin.stuck.wait()

    async def are_kept() -> bool:
        events = events_of(await RunLog(database).events("default", run))
        return [event.WhichOneof("event") for event in events].count("step_finished") == kept

    await until(are_kept)
    worker = one.worker
    one.kill()
    await lease_ends(database, worker)
    return run


def texts(task: "a2a.Task") -> list[str]:
    return ["".join(part.text for part in artifact.parts) for artifact in task.artifacts]


class Counting(Plugin):
    """Counts to three, a checkpoint after each."""

    def __init__(self, *, dies_at: str = "", sticks_at: str = "") -> None:
        super().__init__(add_AgentProviderServicer_to_server)
        self.dies_at, self.sticks_at = dies_at, sticks_at

    async def RunAgent(self, request, context):
        self.asked.append(request.checkpoint)
        for number in range(len(request.checkpoint) + 1, 4):
            yield RunAgentResponse(text=f"{number} ")
            yield RunAgentResponse(artifact=Artifact(name=f"n{number}", parts=[Part(text=f"page {number}")]))
            yield RunAgentResponse(checkpoint=b"x" * number)
            if self.sticks_at == str(number):
                self.sticks_at = ""
                yield RunAgentResponse(text="void ")
                self.stuck.set()
                await asyncio.Event().wait()
            if self.dies_at == str(number):
                self.dies_at = ""
                raise Gone("the process is gone")


async def test_an_agent_goes_on_from_its_checkpoint_when_our_process_is_gone(tmp_path):
    plugin = Counting(sticks_at="2")
    async with serving(tmp_path, plugin) as (database, log, one, _):
        task = await ended(log, await dies_stuck(database, plugin, one, "count", kept=2))
    assert plugin.asked == [b"", b"xx"]
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    said = texts(task)
    assert "".join(text for text in said if not text.startswith("page")).split() == ["1", "2", "3"]
    assert [text for text in said if text.startswith("page")] == ["page 1", "page 2", "page 3"]


class Paying(Plugin):
    """Asks models by itself, and says what they cost."""

    def __init__(self, *costs: int) -> None:
        super().__init__(add_AgentProviderServicer_to_server)
        self.costs = costs

    async def RunAgent(self, request, context):
        yield RunAgentResponse(text="dear ")
        for cost in self.costs:
            yield RunAgentResponse(
                usage=TokenUsage(prompt_tokens=cost, completion_tokens=1, total_tokens=cost + 1)
            )
        yield RunAgentResponse(text="answer")


async def test_what_an_agent_spends_on_models_is_counted_with_its_run(tmp_path):
    async with serving(tmp_path, Paying(20, 30)) as (_, log, one, _):
        run = (await one.ask("work", "mine", "c")).place.run
        task = await ended(log, run)
        usage = summed(events_of(await log.events("default", run)))
    assert "".join(texts(task)) == "dear answer"
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (50, 2, 52)


class Describing(Plugin):
    """Says what agents it has, and answers with the one that is asked."""

    def __init__(self, *names: str) -> None:
        super().__init__(add_AgentProviderServicer_to_server)
        self.names = names

    async def DescribeAgents(self, request, context):
        return DescribeAgentsResponse(agents=[Agent(name=name) for name in self.names])

    async def RunAgent(self, request, context):
        yield RunAgentResponse(text=request.agent)


@pytest.mark.parametrize(
    ("names", "answer"), [(["greeter"], "greeter"), (["greeter", "mine"], "mine"), ([], "mine")]
)
async def test_the_one_agent_that_a_plugin_has_is_meant_or_the_one_of_the_same_name(tmp_path, names, answer):
    async with serving(tmp_path, Describing(*names)) as (_, log, one, _):
        task = await ended(log, (await one.ask("who", "mine", "c")).place.run)
    assert texts(task) == [answer]


async def test_of_several_agents_the_configuration_has_to_say_which(tmp_path):
    async with serving(tmp_path, Describing("b", "a")) as (_, log, one, _):
        task = await ended(log, (await one.ask("who", "mine", "c")).place.run)
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert task.status.message.parts[0].text == (
        "the plugin 'theirs' has the agents a, b, and none is called 'mine': "
        "say which in agents.mine, as type: plugin:theirs:a"
    )


async def test_an_agent_that_spends_less_than_nothing_is_wrong(tmp_path):
    async with serving(tmp_path, Paying(-20)) as (_, log, one, _):
        task = await ended(log, (await one.ask("work", "mine", "c")).place.run)
    assert task.status.state == a2a.TASK_STATE_FAILED


async def test_an_agent_goes_on_from_its_checkpoint_when_the_plugins_process_is_gone(tmp_path):
    plugin = Counting(dies_at="2")
    async with serving(tmp_path, plugin) as (_, log, one, _):
        task = await ended(log, (await one.ask("count", "mine", "c")).place.run)
    assert plugin.asked == [b"", b"xx"]
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert [text for text in texts(task) if text.startswith("page")] == ["page 1", "page 2", "page 3"]


async def test_a_checkpoint_beyond_all_bounds_ends_the_run_with_both_numbers(tmp_path):
    class Large(Plugin):
        async def RunAgent(self, request, context):
            yield RunAgentResponse(checkpoint=bytes((1 << 20) + 1))

    async with serving(tmp_path, Large(add_AgentProviderServicer_to_server)) as (_, log, one, _):
        task = await ended(log, (await one.ask("keep", "mine", "c")).place.run)
    assert task.status.state == a2a.TASK_STATE_FAILED
    assert "1,048,577 bytes (allowed: 1,048,576)" in task.status.message.parts[0].text


class Remote(Plugin):
    """An A2A agent: asks which one, works on it, and remembers in whose context."""

    def __init__(self) -> None:
        super().__init__(a2a.add_A2AServiceServicer_to_server)
        self.sticks = False
        self.followed: list[str] = []
        self.cancelled: asyncio.Queue[str] = asyncio.Queue()

    async def SendStreamingMessage(self, request, context):
        message = request.message
        self.asked.append((message.task_id, message.context_id, message.parts[0].text))
        ids = {"task_id": message.task_id or f"t{len(self.asked)}", "context_id": message.context_id or "c9"}
        yield a2a.StreamResponse(task=self._task(ids["task_id"], a2a.TASK_STATE_WORKING))
        if message.parts[0].text == "which":
            update = a2a.TaskStatusUpdateEvent(**ids)
            update.status.state = a2a.TASK_STATE_INPUT_REQUIRED
            update.status.message.parts.add(text="which one?")
            yield a2a.StreamResponse(status_update=update)
            return
        piece = a2a.TaskArtifactUpdateEvent(**ids, artifact=self._artifact("working"))
        yield a2a.StreamResponse(artifact_update=piece)
        if self.sticks:
            self.stuck.set()
            await asyncio.Event().wait()
        whole = a2a.TaskArtifactUpdateEvent(**ids, artifact=self._artifact("done"), last_chunk=True)
        yield a2a.StreamResponse(artifact_update=whole)
        yield a2a.StreamResponse(task=self._task(ids["task_id"], a2a.TASK_STATE_COMPLETED, "done"))

    async def GetTask(self, request, context):
        return self._task(request.id, a2a.TASK_STATE_WORKING, "working")

    async def CancelTask(self, request, context):
        self.cancelled.put_nowait(request.id)
        return self._task(request.id, a2a.TASK_STATE_CANCELED)

    async def SubscribeToTask(self, request, context):
        self.followed.append(request.id)
        yield a2a.StreamResponse(task=self._task(request.id, a2a.TASK_STATE_COMPLETED, "done"))

    def _task(self, task: str, state: int, text: str = "") -> "a2a.Task":
        artifacts = [self._artifact(text)] if text else []
        return a2a.Task(id=task, context_id="c9", status={"state": state}, artifacts=artifacts)

    def _artifact(self, text: str) -> "a2a.Artifact":
        return a2a.Artifact(artifact_id="page", parts=[{"text": text}])


async def test_an_a2a_agent_is_asked_in_its_own_context_and_goes_on_with_its_own_task(tmp_path):
    plugin = Remote()
    async with serving(tmp_path, plugin) as (_, log, one, _):
        run = (await one.ask("which", "mine", "ours")).place.run
        await settled(log, run, lambda row: row.state == "RUN_STATE_INPUT_REQUIRED")
        await one.answer(run, "the red one", "mine")
        task = await ended(log, run)
        await ended(log, (await one.ask("another", "mine", "ours")).place.run)
        await ended(log, (await one.ask("elsewhere", "mine", "other")).place.run)
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert texts(task) == ["done"]
    assert plugin.asked == [
        ("", "", "which"),
        ("t1", "c9", "the red one"),
        ("", "c9", "another"),
        ("", "", "elsewhere"),
    ]


async def test_a_task_of_an_a2a_agent_is_followed_when_our_process_is_gone_and_not_begun_again(tmp_path):
    plugin = Remote()
    plugin.sticks = True
    async with serving(tmp_path, plugin) as (database, log, one, _):
        task = await ended(log, await dies_stuck(database, plugin, one, "work", kept=1))
    assert [text for _, _, text in plugin.asked] == ["work"]
    assert plugin.followed == ["t1"]
    assert task.status.state == a2a.TASK_STATE_COMPLETED
    assert texts(task) == ["done"]


async def test_a_task_of_an_a2a_agent_is_cancelled_with_ours(tmp_path):
    plugin = Remote()
    plugin.sticks = True
    async with serving(tmp_path, plugin) as (_, log, one, _):
        run = (await one.ask("work", "mine", "c")).place.run
        await plugin.stuck.wait()
        await Commands(one.runs, Roster(one.agents)).cancel(Call(principal=ADA), run)
        task = await ended(log, run)
        assert await plugin.cancelled.get() == "t1"
    assert task.status.state == a2a.TASK_STATE_CANCELED
