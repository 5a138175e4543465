"""Ours: crashes, swaps, restarts, other plans and callers that leave, in any order, leave nobody waiting."""

import asyncio
import random
from dataclasses import replace

import pytest
from grpc.aio import AioRpcError
from support.fake_plugins import Behaviour, FakeLauncher

from hector.embedder.v1 import EmbedderProviderStub, EmbedTextRequest
from hector.llm.v1 import GenerateTextRequest, LLMProviderStub, StreamTextRequest
from hector.plugin.v1 import Diagnostic, GetInfoResponse
from hector_mesh import HectorError, streaming
from hector_plugin_host import Limits, PluginPlan, Restart
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises

SOON = Restart(backoff_s=0.01, cap_s=0.05, most=50)
PLAN = PluginPlan("up", restart=SOON, limits=Limits(max_concurrency=4, queue=1000, drain_s=0.5))
STEPS = 60


class Story:
    """What happens, as a seed says."""

    def __init__(self, seed: int, launcher: FakeLauncher) -> None:
        self.random, self.launcher = random.Random(seed), launcher
        self.host = PluginHost([PLAN], Premises(), launch=launcher)
        self.plan = PLAN
        self.ends: dict[str, int] = {}

    async def run(self) -> None:
        async with asyncio.timeout(60), self.host.running():
            async with asyncio.TaskGroup() as group:
                over = asyncio.Event()
                for number in range(8):
                    group.create_task(self.call(number, over))
                for _ in range(STEPS):
                    await self.step()
                    await asyncio.sleep(self.random.uniform(0, 0.02))
                self.launcher.always, self.launcher.behaviours = Behaviour(), []
                await self.thaw()
                over.set()
            await self.host.restart("up")
            status = self.host.status()[0]
            assert (status.state, status.in_flight, status.queued) == ("ready", 0, 0), status
            answer = await EmbedderProviderStub(self.host.channel("up")).EmbedText(EmbedTextRequest())
            assert answer.vector
        assert all(process.exited.done() for process in self.launcher.processes)
        assert self.host.status()[0].state == "stopped"

    async def call(self, number: int, over: asyncio.Event) -> None:
        """Call again and again, and leave early now and then."""
        own = random.Random(number)
        channel = self.host.channel("up")
        while not over.is_set():
            try:
                async with asyncio.timeout(own.choice([0.01, 1, 5])):
                    await self.one(own.choice(["embed", "generate", "stream"]), channel)
                end = "answered"
            except AioRpcError as error:
                end = error.code().name
            except TimeoutError:
                end = "left"
            self.ends[end] = self.ends.get(end, 0) + 1
            await asyncio.sleep(0)

    async def one(self, kind: str, channel: object) -> None:
        if kind == "embed":
            await EmbedderProviderStub(channel).EmbedText(EmbedTextRequest(), timeout=3)
        elif kind == "generate":
            await LLMProviderStub(channel).GenerateText(GenerateTextRequest(), timeout=3)
        else:
            call = LLMProviderStub(channel).StreamText(StreamTextRequest(prompt="a b c"), timeout=3)
            async with streaming(call) as pieces:
                assert len([piece async for piece in pieces]) == 4

    async def step(self) -> None:
        kinds = ("crash", "crash", "reload", "restart", "renew", "freeze", "thaw", "bad", "good", "exclusive")
        kind = self.random.choice(kinds)
        try:
            async with asyncio.timeout(5):
                await getattr(self, kind)()
        except (HectorError, TimeoutError):
            pass  # a bad candidate, or one in whose way the next crash came

    async def crash(self) -> None:
        live = [process for process in self.launcher.processes if not process.exited.done()]
        if live:
            self.random.choice(live).crash()

    async def reload(self) -> None:
        await self.host.reload("up")

    async def restart(self) -> None:
        await self.thaw()
        await self.host.restart("up")

    async def renew(self) -> None:
        config = f'{{"a": {self.random.randrange(100)}}}'
        limits = replace(PLAN.limits, replicas=self.random.choice([1, 2, 3]))
        self.plan = replace(self.plan, config_json=config, limits=limits)
        await self.host.renew([self.plan])

    async def freeze(self) -> None:
        live = [process for process in self.launcher.processes if not process.exited.done()]
        if live:
            self.random.choice(live).freeze()

    async def bad(self) -> None:
        refuses = Behaviour(refuses=[Diagnostic(summary="no")])
        dies = Behaviour(crashes_when_configured=True)
        none = Behaviour(does_not_start="it exited with 1")
        self.launcher.behaviours.append(self.random.choice([refuses, dies, none]))

    async def good(self) -> None:
        self.launcher.always = Behaviour(info=GetInfoResponse(name="fake", reconfigurable=True))

    async def exclusive(self) -> None:
        self.launcher.always = Behaviour(info=GetInfoResponse(name="fake", features=["exclusive"]))

    async def thaw(self) -> None:
        for process in self.launcher.processes:
            process.gate.set()


@pytest.mark.parametrize("seed", range(6))
async def test_nobody_is_left_waiting(launcher: FakeLauncher, seed: int) -> None:
    story = Story(seed, launcher)
    await story.run()
    assert story.ends.get("answered", 0) > 0, story.ends
