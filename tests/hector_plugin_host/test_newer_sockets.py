"""A folder of sockets: the plugin behind a newer one takes the place of the one that serves."""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path

from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub
from hector_plugin_host import Limits, PluginPlan
from hector_plugin_host.host import PluginHost

HostOf = Callable[..., PluginHost]


def put(path: Path) -> None:
    """Make a socket, as a plugin does that begins to listen."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(str(path))


async def test_a_newer_socket_takes_the_place_of_the_one_that_serves_and_no_call_is_lost(
    host_of: HostOf, launcher: FakeLauncher, short: Path
) -> None:
    launcher.behaviours = [Behaviour(text="old"), Behaviour(text="new")]
    host = host_of(PluginPlan("up", mode="watch", address=str(short), limits=Limits(drain_s=30)))
    async with asyncio.timeout(60), host.running():
        await host.settled()
        stub = LLMProviderStub(host.channel("up"))
        await host.sockets.look()
        assert len(launcher.processes) == 1  # it serves behind the newest
        (old,) = launcher.processes
        old.freeze()
        asked = asyncio.ensure_future(_said(stub))
        await until(lambda: old.in_flight == 1)
        put(short / "newer.sock")
        await host.sockets.look()
        await until(lambda: len(launcher.processes) == 2 and host.status()[0].generation == 2)
        assert await _said(stub) == "new"
        old.gate.set()
        assert await asked == "old"


async def test_a_newer_socket_behind_which_nobody_serves_is_tried_once_and_said(
    host_of: HostOf, launcher: FakeLauncher, short: Path
) -> None:
    launcher.behaviours = [Behaviour(text="old"), Behaviour(does_not_start="nothing answers")]
    host = host_of(PluginPlan("up", mode="watch", address=str(short)))
    async with asyncio.timeout(60), host.running():
        await host.settled()
        put(short / "stale.sock")
        await host.sockets.look()
        await until(lambda: host.status()[0].state == "degraded")
        assert "another one could not take its place" in host.status()[0].reason
        await host.sockets.look()
        assert len(launcher.plans) == 2
        assert await _said(LLMProviderStub(host.channel("up"))) == "old"


async def test_a_plugin_under_a_debugger_is_left_alone_whatever_the_folder_has(
    host_of: HostOf, launcher: FakeLauncher, short: Path
) -> None:
    (short / "sockets").mkdir()
    host = host_of(PluginPlan("up", mode="watch", address=str(short / "sockets")))
    async with asyncio.timeout(60), host.running():
        await host.settled()
        put(short / "sockets" / "one.sock")
        await host.sockets.look()
        assert len(launcher.plans) == 1


async def _said(stub: LLMProviderStub) -> str:
    return (await stub.GenerateText(GenerateTextRequest())).text
