"""A plugin whose program has become another one is replaced, once that is written and if it is any good."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.fake_clock import FakeClock
from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.plugin.v1 import Diagnostic
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin_host import Limits, PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.premises import Premises
from hector_plugin_host.renewed_programs import EVERY_S, RenewedPrograms

from .conftest import UPPER, Write

HostOf = Callable[..., PluginHost]


@pytest.fixture
def plan(tmp_path: Path) -> PluginPlan:
    program = tmp_path / "up"
    program.write_text("one")
    return PluginPlan("up", command=(str(program),), folder=tmp_path, limits=Limits(drain_s=30))


def write(plan: PluginPlan, text: str) -> None:
    Path(plan.command[-1]).write_text(text)


def take_away(plan: PluginPlan) -> None:
    Path(plan.command[-1]).unlink()


def put_in_place(plan: PluginPlan, text: str) -> None:
    """Write beside it and rename, as good installers do."""
    beside = Path(plan.command[-1]).with_suffix(".new")
    beside.write_text(text)
    beside.replace(plan.command[-1])


@asynccontextmanager
async def watching(host: PluginHost) -> AsyncIterator[PluginHost]:
    async with asyncio.timeout(60), host.running():
        await host.settled()
        await host.programs.look()
        yield host


async def look(host: PluginHost, times: int = 1) -> None:
    for _ in range(times):
        await host.programs.look()


def lives(launcher: FakeLauncher) -> int:
    return len(launcher.processes)


async def test_a_program_that_is_another_one_takes_the_place_of_what_runs(
    host_of: HostOf, launcher: FakeLauncher, plan: PluginPlan
) -> None:
    async with watching(host_of(plan)) as host:
        await look(host, 3)
        assert lives(launcher) == 1
        write(plan, "the next")
        await look(host)
        assert lives(launcher) == 1  # it may still be written
        await look(host)
        await until(lambda: host.status()[0].generation == 2)
        await look(host, 3)
        assert (lives(launcher), host.status()[0].state) == (2, "ready")


async def test_a_program_is_left_alone_while_it_is_written(
    host_of: HostOf, launcher: FakeLauncher, plan: PluginPlan
) -> None:
    async with watching(host_of(plan)) as host:
        for number in range(4):
            write(plan, "x" * (number + 10))
            await look(host)
        take_away(plan)
        await look(host, 3)
        assert lives(launcher) == 1
        write(plan, "whole")
        await look(host, 2)
        await until(lambda: lives(launcher) == 2)


async def test_one_that_is_no_good_is_said_and_tried_once(
    host_of: HostOf,
    launcher: FakeLauncher,
    plan: PluginPlan,
    caplog: pytest.LogCaptureFixture,
) -> None:
    async with watching(host_of(plan)) as host:
        launcher.always = Behaviour(refuses=[Diagnostic(summary="it does not work")])
        write(plan, "broken")
        await look(host, 2)
        await until(lambda: host.status()[0].state == "degraded")
        await look(host, 3)
        assert lives(launcher) == 2
        assert "it does not work" in host.status()[0].reason
        assert "plugin was not replaced by its new program" in caplog.messages
        launcher.always = Behaviour()
        write(plan, "mended")
        await look(host, 2)
        await until(lambda: host.status()[0].state == "ready")


async def test_a_plugin_that_was_given_up_is_started_when_its_program_is_mended(
    host_of: HostOf, launcher: FakeLauncher, plan: PluginPlan
) -> None:
    launcher.behaviours = [Behaviour(does_not_start="it is broken", final=True)]
    async with watching(host_of(plan)) as host:
        assert host.status()[0].state == "failed"
        await look(host)
        write(plan, "mended")
        await look(host, 2)
        await until(lambda: host.status()[0].state == "ready")


async def test_programs_are_looked_at_while_somebody_says_so(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock, plan: PluginPlan
) -> None:
    async with watching(host_of(plan)) as host:
        write(plan, "the next")
        await clock.advance(10 * EVERY_S)
        assert lives(launcher) == 1
        host.watch(on=True)
        while lives(launcher) == 1:
            await clock.advance(EVERY_S)
        host.watch(on=False)
        host.watch(on=True)
        write(plan, "one more")
        while lives(launcher) == 2:
            await clock.advance(EVERY_S)


async def test_a_real_program_is_replaced_and_one_that_its_pin_does_not_mean_is_not(
    program: Write, premises: Premises, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(RenewedPrograms, "every_s", 0.02)
    text = UPPER.lstrip()
    free = program(text, name="free")
    pinned = program(text, name="pinned", sha256=hashlib.sha256(text.encode()).hexdigest())
    host = PluginHost([free, pinned], premises, watches=True)
    async with asyncio.timeout(60), host.running():
        await host.settled()
        assert [one.state for one in host.status()] == ["ready", "ready"]
        for plan in (free, pinned):
            put_in_place(plan, text.replace("LOUD", "LOUDER"))
        await until(lambda: [one.generation for one in host.status()] == [2, 1])
        await until(lambda: host.status()[1].state == "degraded")
        stubs = [ToolProviderStub(host.channel(name)) for name in ("free", "pinned")]
        answers = [(await stub.ExecuteTool(ExecuteToolRequest())).result for stub in stubs]
    assert answers == ["LOUDER", "LOUD"]
    events = [one.__dict__["event"] for one in caplog.records if "event" in one.__dict__]
    assert events == ["checksum_mismatch"]
