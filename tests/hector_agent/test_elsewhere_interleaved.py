"""Whatever happens to owners and readers, in whatever order: at the end a client has what the log has.

Invariants: a client that folds what it is shown, over all its streams, has the task of the log, with no text
twice and none that was lost; every committed call of a tool was shown once, and in order.
"""

import asyncio
import tempfile
from contextlib import aclosing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from support.replicas import Client, Replicas, said, state, texts_of, tool_called

import hector_agent.mirror
import hector_agent.subscriptions
import hector_agent.watching
import hector_agent.writing
from hector.agent.v1 import RUN_STATE_CANCELED, RUN_STATE_WORKING
from hector_mesh import HectorError
from hector_store import new_id, opened

REPLICAS, CLIENTS = 3, 2

step = st.one_of(
    st.tuples(st.sampled_from(["show", "show", "flush", "step", "wait", "die"]), st.just(0)),
    st.tuples(st.sampled_from(["zombie shows", "zombie notices", "breathe"]), st.integers(0, 3)),
    st.tuples(st.sampled_from(["take", "kill"]), st.integers(0, REPLICAS - 1)),
    st.tuples(st.sampled_from(["cut", "attach", "attach"]), st.integers(0, REPLICAS * CLIENTS - 1)),
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(hector_agent.writing, "FLUSH_S", 60.0)  # the steps say what is committed
    monkeypatch.setattr(hector_agent.watching, "SOONEST_S", 0.002)
    monkeypatch.setattr(hector_agent.watching, "LONGEST_S", 0.01)
    monkeypatch.setattr(hector_agent.watching, "SELDOM_S", 0.01)
    monkeypatch.setattr(hector_agent.mirror, "DIAL_AGAIN_S", 0.002)
    monkeypatch.setattr(hector_agent.mirror, "DIAL_AGAIN_MOST_S", 0.01)
    monkeypatch.setattr(hector_agent.subscriptions, "BROUGHT_UP_S", 0.02)


class Story:
    """One run, those who work on it and those who read it."""

    def __init__(self, replicas: Replicas) -> None:
        self.replicas, self.run = replicas, new_id()
        self.there: list = []
        self.owner = None
        self.zombies: list = []
        self.clients = [Client() for _ in range(CLIENTS)]
        self.reading: list = [None] * CLIENTS
        self.at: list = [None] * CLIENTS
        self.words = self.calls = self.artifact = 0
        self.called: list[str] = []
        self.waits = False

    async def begin(self) -> None:
        self.there = [await self.replicas.start() for _ in range(REPLICAS)]
        self.owner = self.there[0]
        await self.owner.begins(self.run)
        for number in range(CLIENTS):
            await self.attach(number, number + 1)

    async def do(self, what: str, number: int) -> None:
        match what:
            case "show":
                if self.owner is not None:
                    self._show(self.owner)
            case "flush":
                if self.owner is not None:
                    await self._commit()
            case "step":
                if self.owner is not None:
                    await self._step()
            case "wait":
                if self.owner is not None:
                    await self.owner.waits(self.run)
                    self.owner, self.waits = None, True
            case "take":
                await self.take(self.there[number])
            case "die":
                if self.owner is not None:
                    await self.kill(self.there.index(self.owner))
            case "kill":
                await self.kill(number)
            case "zombie shows":
                for zombie in self.zombies:
                    self._show(zombie)
            case "zombie notices":
                for zombie in self.zombies:
                    with pytest.raises(HectorError):
                        await zombie.at_work[self.run].commit([tool_called(0)])
                    zombie.lets_go(self.run)
                self.zombies.clear()
            case "cut":
                await self.cut(number % CLIENTS)
            case "attach":
                await self.attach(number % CLIENTS, number // CLIENTS)
            case "breathe":
                await asyncio.sleep(0.002 * number)

    async def take(self, heir) -> None:
        if heir is self.owner or heir in self.zombies:
            return
        if self.owner is not None:
            self.zombies.append(self.owner)
        more = [said("more"), state(RUN_STATE_WORKING)] if self.waits else []
        self.owner, self.waits = heir, False
        await heir.takes(self.run, *more)

    async def kill(self, number: int) -> None:
        gone = self.there[number]
        for client in range(CLIENTS):
            if self.at[client] is gone:
                await self.cut(client)
        await gone.stop()
        if gone is self.owner:
            self.owner = None
        if gone in self.zombies:
            self.zombies.remove(gone)
        self.there[number] = await self.replicas.start()

    async def cut(self, client: int) -> None:
        reading, self.reading[client], self.at[client] = self.reading[client], None, None
        if reading is not None:
            reading.cancel()
            await asyncio.wait([reading])
            if not reading.cancelled():
                reading.result()

    async def attach(self, client: int, number: int) -> None:
        await self.cut(client)
        self.at[client] = replica = self.there[number]
        begun, found = asyncio.Event(), self.clients[client]

        async def read() -> None:
            try:
                async with aclosing(replica.subscribed(self.run, found.place)) as stream:
                    found.take(await anext(stream))
                    begun.set()
                    await found.reads(stream)
            finally:
                begun.set()

        self.reading[client] = asyncio.create_task(read())
        if not found.place:
            await begun.wait()

    async def end(self, *, canceled: bool) -> None:
        """Let the run end, and everybody read to its end."""
        heir = next((one for one in self.there if one not in self.zombies), None)
        if self.owner is None and heir is None:
            await self.do("zombie notices", 0)
            heir = self.there[0]
        if canceled and self.owner is None:
            await heir.takes(self.run, state(RUN_STATE_CANCELED))
        else:
            if self.owner is None:
                await self.take(heir)
            await self.owner.completes(self.run)
        await self.do("zombie notices", 0)
        for client in range(CLIENTS):
            if self.reading[client] is None:
                await self.attach(client, client)
            await self.reading[client]

    async def check(self) -> None:
        task = await self.replicas.task(self.run)
        for client in self.clients:
            assert texts_of(client.task) == texts_of(task)
            assert client.task.status.state == task.status.state
            assert client.calls == self.called

    def _show(self, replica) -> None:
        self.words += 1
        replica.at_work[self.run].show(f"answer-{self.artifact}", f"w{self.words} ")

    async def _commit(self, *events, last: bool = False) -> None:
        await self.owner.at_work[self.run].commit(events, last=last)

    async def _step(self) -> None:
        self.calls += 1
        await self._commit(tool_called(self.calls), last=True)
        self.called.append(f"call-{self.calls}")
        self.artifact += 1


def test_a_clients_task_is_the_logs_whatever_happened():
    with asyncio.Runner() as runner, tempfile.TemporaryDirectory() as folder:
        database = opened("inmemory")
        shared = runner.run(database.__aenter__())

        @settings(
            max_examples=120,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
        )
        @given(st.lists(step, max_size=25), st.booleans(), st.booleans())
        def holds(steps, canceled, hinted):
            async def told() -> None:
                shared.hints.are_dropped = not hinted
                replicas = Replicas(shared, Path(folder), "local")
                story = Story(replicas)
                try:
                    async with asyncio.timeout(20):
                        await story.begin()
                        for what, number in steps:
                            await story.do(what, number)
                        await story.end(canceled=canceled)
                        await story.check()
                finally:
                    for client in range(CLIENTS):
                        if story.reading[client] is not None:
                            story.reading[client].cancel()
                    for replica in replicas.all:
                        await replica.stop()
                    await replicas.peers.close()

            runner.run(told())

        holds()
        runner.run(database.__aexit__(None, None, None))
