"""Replicas that share a database, as far as streams go: each has feeds, and serves what is at work in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    RUN_STATE_INPUT_REQUIRED,
    RUN_STATE_WORKING,
    MessageReceived,
    OwnerChanged,
    RunEvent,
    StatusChanged,
    add_AgentServiceServicer_to_server,
)
from hector.common.v1 import ToolCall
from hector_agent.agent_servicer import AgentServicer
from hector_agent.elsewhere import Elsewhere
from hector_agent.feed import Cursor, Feed
from hector_agent.ledger import events_of, state_of, task_of
from hector_agent.moment import Place
from hector_agent.packing import packed
from hector_agent.rows import kinds_of, row_of
from hector_agent.run import Run
from hector_agent.subscriptions import Subscriptions
from hector_agent.tail import Reader
from hector_agent.view import PLACE, SHOWN, fold, new_task
from hector_mesh import (
    Call,
    LocalChannel,
    LocalServer,
    Peers,
    Principal,
    this_host,
    wire_channel,
    wire_server,
)
from hector_store import Database, NewRun, RunChanges, RunLog, Worker, Workers, new_id

APP, OWNER, AGENT, CONTEXT = "default", "ada", "assistant", "context"
ADAS = Call(principal=Principal(OWNER))


class CountingAgentServicer(AgentServicer):
    """Counts who tails, and can be made to say nothing any more, as a process that was stopped."""

    def __init__(self, replica: "Replica") -> None:
        super().__init__(None, replica, None)  # type: ignore[arg-type]
        self.tails = self.under_way = 0
        self.tailed = asyncio.Event()
        self.is_silent = False

    async def Tail(self, request: Any, context: Any) -> AsyncIterator[Any]:
        self.tails += 1
        self.under_way += 1
        self.tailed.set()
        try:
            async for response in super().Tail(request, context):
                while self.is_silent:
                    await asyncio.Event().wait()
                yield response
        finally:
            self.under_way -= 1


class Replica:
    """One process of several. What it has of `Runs` is what readers need."""

    def __init__(self, replicas: "Replicas", name: str) -> None:
        self._replicas, self.name = replicas, name
        self.log = replicas.log
        self.waiting = Elsewhere()
        self.at_work: dict[str, Run] = {}
        self.target = ""
        self.servicer = CountingAgentServicer(self)
        self.is_there = False
        self._stack = AsyncExitStack()
        self._server: Any = None
        self._subscriptions = Subscriptions(self)  # type: ignore[arg-type]

    async def start(self, *, can_be_dialled: bool = True) -> None:
        """Become a worker with a server."""
        replicas = self._replicas
        if replicas.transport == "local":
            self._server, target = LocalServer(), f"dns:///{self.name}:1"
        else:
            target = f"unix:{replicas.folder / self.name}.sock"
            self._server = wire_server(target, token="secret", drain_s=0.0)
        add_AgentServiceServicer_to_server(self.servicer, self._server)
        await self._server.start()
        if replicas.transport == "local":
            replicas.known[target] = LocalChannel(self._server)
        self.target = target if can_be_dialled else ""
        await Workers(replicas.database).join(
            Worker(self.name, target=self.target, host=this_host()), lease_s=3600
        )
        peers = replicas.new_peers()
        self._stack.push_async_callback(peers.close)
        await self._stack.enter_async_context(self.waiting.running(self.log, peers, replicas.database.hints))
        self.is_there = True

    async def stop(self, failure: Any = None) -> None:
        """Be gone, as with kill -9: nothing more is written, and nobody is told."""
        if not self.is_there:
            return
        self.is_there = False
        self._replicas.known.pop(self.target, None)
        for run in self.at_work.values():
            run._stop_timer()
        await self._server.stop(0 if self._replicas.transport == "local" else None)
        await self._stack.aclose()

    # What readers ask of `Runs`

    def live(self, app: str, owner: str, run: str) -> Run | None:
        return self.at_work.get(run)

    async def taken_up(self, app: str, owner: str, run: str) -> Run | None:
        return self.at_work.get(run)

    # What its agent does

    async def begins(self, run: str) -> Run:
        """Open a run, with its first two events, and work on it."""
        events = [said("hi"), state(RUN_STATE_WORKING)]
        new = NewRun(
            id=run,
            app=APP,
            owner=OWNER,
            agent=AGENT,
            context_id=CONTEXT,
            state="RUN_STATE_WORKING",
            worker=self.name,
        )
        created = await self.log.create(new, [row_of(event) for event in events])
        found = Run(self.log, _place(run, created.epoch), new_task(run, CONTEXT), 1)
        written = events_of(await self.log.events(APP, run))
        found._take(written, kinds_of(written), RUN_STATE_WORKING, 3)
        self.at_work[run] = found
        return found

    async def takes(self, run: str, *more: RunEvent) -> Run:
        """Take a run over, or up again, and work on it: the first event says so, `more` come with it."""
        row = await self.log.get(APP, None, run)
        epoch = await self.log.take_over(run, self.name, target=self.target)
        before = events_of(await self.log.events(APP, run))
        task = fold(new_task(run, CONTEXT), before)
        feed = self.waiting.take(run, before[-1].seq + 1)
        found = Run(self.log, _place(run, epoch), task, before[-1].seq + 1, feed)
        found.state, found.void = state_of(row), _unfinished(before)
        changed = OwnerChanged(worker=self.name, epoch=epoch, reason="the other one is gone")
        try:
            await found.commit([RunEvent(owner_changed=changed), *more])
        except BaseException:
            self.waiting.left(run)
            raise
        self.at_work[run] = found
        self.waiting.taken(run)
        if found.over:
            self.ends(run)
        return found

    def ends(self, run: str) -> None:
        """Let go of a run that is over."""
        found = self.at_work.pop(run)
        found.close()

    def lets_go(self, run: str) -> None:
        """Let go of a run that waits, or is somebody else's."""
        found = self.at_work.pop(run)
        self.waiting.keep(run, found.feed)
        found.park()

    async def waits(self, run: str) -> None:
        """Ask the user something, and hold nothing while nobody has answered."""
        await self.at_work[run].commit([state(RUN_STATE_INPUT_REQUIRED)], last=True)
        place = self.at_work[run].place
        await self.log.append(run, place.epoch, (), RunChanges(worker=""))
        self.lets_go(run)

    async def completes(self, run: str) -> None:
        await self.at_work[run].commit([state(RUN_STATE_COMPLETED)], last=True)
        self.ends(run)

    # What its readers do

    def subscribed(self, run: str, place: str = "") -> Any:
        return self._subscriptions.subscribed(ADAS, run, "", place)

    def feed(self, run: str) -> Feed:
        return self.at_work[run].feed if run in self.at_work else self.waiting.feed(run)

    def reader(self, run: str, cursor: Cursor) -> Reader:
        return Reader(self.log, APP, run, self.feed(run), cursor)


class Replicas:
    """Processes that share a database."""

    def __init__(self, database: Database, folder: Path, transport: str) -> None:
        self.database, self.folder, self.transport = database, folder, transport
        hints = database.hints
        hints.tell = partial(asyncio.get_running_loop().call_soon, hints.heard)  # as if others were heard
        self.log = RunLog(database)
        self.known: dict[str, Any] = {}
        self.all: list[Replica] = []
        self.peers = self.new_peers()
        """How the test itself reaches them."""

    def new_peers(self) -> Peers:
        return Peers(lambda target: wire_channel(target, token="secret", role="agent"), known=self.known)

    async def start(self, *, can_be_dialled: bool = True) -> Replica:
        """Start another one."""
        found = Replica(self, f"w{len(self.all)}-{new_id()[-12:]}")
        self.all.append(found)
        await found.start(can_be_dialled=can_be_dialled)
        return found

    async def task(self, run: str) -> "a2a.Task":
        """Return the task as the log has it."""
        found = await self.log.story(APP, OWNER, run, SHOWN)
        assert found is not None
        return task_of(*found)


@asynccontextmanager
async def replicas(database: Database, folder: Path, transport: str) -> AsyncIterator[Replicas]:
    """Yield replicas that are started as they are wanted, and stopped at the end."""
    found = Replicas(database, folder, transport)
    try:
        yield found
    finally:
        for replica in found.all:
            await replica.stop()
        await found.peers.close()


class Client:
    """Folds streams as A2A tells clients to, and remembers where it is, what it was shown, and how often."""

    def __init__(self) -> None:
        self.task = a2a.Task()
        self.place = ""
        self.calls: list[str] = []
        self.opened: list[str] = []
        """The text that it had when each of its streams began."""
        self.is_over = False

    def take(self, response: "a2a.StreamResponse") -> None:
        kind = response.WhichOneof("payload")
        payload = getattr(response, kind)
        self.place = payload.metadata[PLACE]
        if kind == "task":
            self.task.CopyFrom(payload)
            self.task.ClearField("metadata")
            self.opened.append(self.text)
        elif kind == "status_update":
            if "hector.call" in payload.metadata:  # what tools do is no state of the task
                self.calls.append(payload.metadata["hector.call"])
            else:
                self.task.status.CopyFrom(payload.status)
        else:
            self._artifact(payload)

    def _artifact(self, update: "a2a.TaskArtifactUpdateEvent") -> None:
        for artifact in self.task.artifacts:
            if artifact.artifact_id == update.artifact.artifact_id:
                if not update.append:
                    del artifact.parts[:]
                artifact.parts.extend(update.artifact.parts)
                return
        assert not update.append, f"{self.place} goes on with what never began"
        self.task.artifacts.append(update.artifact)

    @property
    def text(self) -> str:
        return "|".join(texts_of(self.task).values())

    async def reads(self, stream: Any, *, until: Any = None) -> None:
        """Read a stream to its end, or until something holds."""
        async for response in stream:
            self.take(response)
            if until is not None and until(self):
                return


def texts_of(task: "a2a.Task") -> dict[str, str]:
    """Return the artifacts' texts, without empty ones: a client cannot unsee that there was one."""
    found = {one.artifact_id: "".join(part.text for part in one.parts) for one in task.artifacts}
    return {name: text for name, text in found.items() if text}


def said(text: str) -> RunEvent:
    message = a2a.Message(message_id=text, role=a2a.ROLE_USER)
    message.parts.add(text=text)
    return RunEvent(message_received=MessageReceived(message=packed(message)))


def state(value: Any) -> RunEvent:
    return RunEvent(status_changed=StatusChanged(state=value))


def tool_called(number: int) -> RunEvent:
    event = RunEvent()
    event.tool_started.call.CopyFrom(ToolCall(id=f"call-{number}", name="look"))
    return event


def _unfinished(events: list[RunEvent]) -> frozenset[str]:
    """Return the artifacts in whose middle a run is: they will begin anew."""
    found = dict[str, bool]()
    for event in events:
        if event.HasField("text_appended"):
            found[event.text_appended.artifact_id] = event.text_appended.last
    return frozenset(name for name, is_whole in found.items() if not is_whole)


def _place(run: str, epoch: int) -> Place:
    return Place(run, APP, OWNER, AGENT, CONTEXT, 1, epoch)
