"""Contract: plugins go by another config from the moment in which it is there."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace

from support.fake_plugins import FakeLauncher

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub
from hector_plugin_host import PluginPlan
from hector_plugin_host.host import PluginHost

HostOf = Callable[..., PluginHost]
UP = PluginPlan("up")


@asynccontextmanager
async def running(host: PluginHost) -> AsyncIterator[PluginHost]:
    async with asyncio.timeout(60), host.running():
        await host.settled()
        yield host


async def ask(host: PluginHost, name: str) -> str:
    stub = LLMProviderStub(host.channel(name))
    return (await stub.GenerateText(GenerateTextRequest(prompt="hello"))).text


async def test_a_new_plugin_is_found_and_one_that_is_gone_is_not_from_the_first_moment(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(UP)) as host:
        done = host.renew([PluginPlan("new")])
        assert list(host.channels) == ["new"]
        assert await ask(host, "new") == "hello"
        await done


async def test_of_renewals_at_once_the_last_one_counts_and_waits_for_nobody(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    slow = PluginPlan("slow")
    async with running(host_of(UP, slow)) as host:
        launcher.hanging.add("slow")
        launcher.started.clear()
        hangs = host.renew([UP, replace(slow, config_json='{"a": 2}')])
        await launcher.started.wait()
        none, back = host.renew([]), host.renew([UP, PluginPlan("new")])
        assert list(host.channels) == ["up", "new"]
        assert await ask(host, "new") == "hello"
        await asyncio.gather(hangs, none, back)
        assert list(host.channels) == ["up", "new"]
        assert await ask(host, "up") == "hello"
