"""Contract: a plugin is replaced while it is used, and no call notices."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.fake_clock import FakeClock
from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub, StreamTextRequest
from hector.plugin.v1 import Diagnostic, GetInfoResponse
from hector_mesh import info_of, streaming
from hector_plugin_host import Limits, PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.start_failed import PluginStartFailed

HostOf = Callable[..., PluginHost]
UP = PluginPlan("up", limits=Limits(drain_s=30))
ASK = GenerateTextRequest(prompt="hello")


@asynccontextmanager
async def running(host: PluginHost) -> AsyncIterator[PluginHost]:
    async with asyncio.timeout(60), host.running():
        await host.settled()
        yield host


async def ask(host: PluginHost) -> str:
    return (await LLMProviderStub(host.channel("up")).GenerateText(ASK)).text


async def test_twelve_swaps_under_thirty_two_callers_fail_no_call(host_of: HostOf) -> None:
    async with running(host_of(UP)) as host:
        stub, over, made = LLMProviderStub(host.channel("up")), asyncio.Event(), 0

        async def caller(number: int) -> None:
            nonlocal made
            while not over.is_set():
                if number % 4:
                    await stub.GenerateText(ASK)
                else:
                    async with streaming(stub.StreamText(StreamTextRequest(prompt="a b c"))) as pieces:
                        assert len([piece async for piece in pieces]) == 4
                made += 1

        async with asyncio.TaskGroup() as group:
            for number in range(32):
                group.create_task(caller(number))
            for _ in range(12):
                before = made
                await host.reload("up")
                await until(lambda before=before: made > before + 32)  # type: ignore[misc]
            over.set()
        assert host.status()[0].generation == 13
        assert (host.status()[0].restarts, host.status()[0].in_flight) == (0, 0)


async def test_calls_under_way_end_where_they_began(host_of: HostOf, launcher: FakeLauncher) -> None:
    async with running(host_of(UP)) as host:
        old = launcher.last
        old.freeze()
        asking = asyncio.ensure_future(ask(host))
        await until(lambda: old.in_flight == 1)
        launcher.always = Behaviour(text="new")
        await host.reload("up")
        assert await ask(host) == "new"
        assert old.ended_after == []
        old.gate.set()
        assert await asking == "hello"
        await until(lambda: old.ended_after == ["stopped with 0 calls"])


async def test_a_stream_that_outlasts_its_process_is_broken_off_after_the_drain(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    async with running(host_of(UP)) as host:
        old, stub = launcher.last, LLMProviderStub(host.channel("up"))
        async with streaming(stub.StreamText(StreamTextRequest(prompt="a b c"))) as pieces:
            assert (await anext(aiter(pieces))).text == "a"
            old.freeze()
            await host.reload("up")
            await clock.advance(30)
            with pytest.raises(AioRpcError) as failed:
                async for _ in pieces:
                    pass
        assert failed.value.code() is StatusCode.CANCELLED
        assert info_of(failed.value).reason == "PLUGIN_DRAINED"


async def test_whoever_replaces_a_plugin_that_is_being_stopped_is_told_so(host_of: HostOf) -> None:
    async with asyncio.timeout(60):
        async with running(host_of(UP)) as host:
            restarting = asyncio.ensure_future(host.restart("up"))
            await asyncio.sleep(0)  # it has begun
        with pytest.raises(PluginStartFailed, match="it is being stopped"):
            await restarting


async def test_all_processes_of_a_plugin_go_by_another_plan_or_none(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    plan = replace(UP, limits=Limits(drain_s=30, replicas=2))
    async with running(host_of(plan)) as host:
        launcher.behaviours = [Behaviour(), Behaviour(refuses=[Diagnostic(summary="no")])]
        await host.renew([replace(plan, env={"NEW": "1"})])
        assert "no" in host.status()[0].reason
        await until(lambda: sum(not process.exited.done() for process in launcher.processes) == 2)
        assert [dict(one.plan.env) for one in launcher.processes if not one.exited.done()] == [{}, {}]


async def test_a_candidate_that_is_no_good_leaves_the_old_one_in_its_place(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(UP)) as host:
        launcher.behaviours = [Behaviour(refuses=[Diagnostic(summary="no")], text="bad")]
        with pytest.raises(PluginStartFailed, match="does not accept its config: no"):
            await host.reload("up")
        assert await ask(host) == "hello"
        status = host.status()[0]
        assert (status.state, status.restarts) == ("degraded", 0)
        assert "another one could not take its place" in status.reason
        await host.reload("up")
        assert host.status()[0].state == "ready"


async def test_the_old_one_may_crash_while_its_successor_starts(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    async with running(host_of(UP)) as host:
        launcher.may_start.clear()
        launcher.started.clear()
        reloading = asyncio.ensure_future(host.reload("up"))
        await launcher.started.wait()
        launcher.last.crash()
        await until(lambda: host.status()[0].state == "backoff")
        launcher.may_start.set()
        await reloading
        assert await ask(host) == "hello"
        assert host.status()[0].state == "ready"


async def test_a_plugin_of_which_there_cannot_be_two_is_stopped_first_and_calls_wait(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", features=["exclusive"]))
    async with running(host_of(UP)) as host:
        old = launcher.last
        launcher.may_start.clear()
        reloading = asyncio.ensure_future(host.reload("up"))
        await until(lambda: old.exited.done())
        asking = asyncio.ensure_future(ask(host))
        launcher.may_start.set()
        await reloading
        assert await asking == "hello"


async def test_an_exclusive_plugin_comes_back_when_its_successor_is_no_good(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", features=["exclusive"]))
    async with running(host_of(UP)) as host:
        launcher.behaviours = [Behaviour(does_not_start="it is broken")]
        with pytest.raises(PluginStartFailed, match="it is broken"):
            await host.reload("up")
        assert await ask(host) == "hello"


async def test_renewing_touches_nothing_that_did_not_change(host_of: HostOf, launcher: FakeLauncher) -> None:
    async with running(host_of(UP, PluginPlan("other"))) as host:
        await host.renew([UP, PluginPlan("other")])
        assert len(launcher.processes) == 2
        assert [one.generation for one in host.status()] == [1, 1]


async def test_renewing_starts_what_is_new_and_ends_what_is_gone(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(UP)) as host:
        channel = host.channel("up")
        await host.renew([PluginPlan("new")])
        assert list(host.channels) == ["new"]
        assert (await LLMProviderStub(host.channel("new")).GenerateText(ASK)).text == "hello"
        with pytest.raises(AioRpcError, match="is being stopped"):
            await LLMProviderStub(channel).GenerateText(ASK)
        await until(lambda: launcher.processes[0].exited.done())


async def test_other_settings_are_told_to_a_running_plugin_that_can_take_them(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", reconfigurable=True))
    async with running(host_of(UP)) as host:
        await host.renew([replace(UP, config_json='{"a": 2}')])
        assert [one.config_json for one in launcher.last.configured] == ["{}", '{"a": 2}']
        assert len(launcher.processes) == 1


async def test_other_settings_replace_a_plugin_that_cannot_take_them(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(UP)) as host:
        await host.renew([replace(UP, config_json='{"a": 2}')])
        assert [one.configured[0].config_json for one in launcher.processes] == ["{}", '{"a": 2}']


async def test_settings_that_will_not_do_leave_the_plugin_with_those_that_it_has(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    async with running(host_of(UP)) as host:
        launcher.behaviours = [Behaviour(refuses=[Diagnostic(summary="no")])]
        await host.renew([replace(UP, config_json='{"a": 2}')])
        assert host.status()[0].state == "degraded"
        assert await ask(host) == "hello"
        await host.renew([UP])
        assert host.status()[0].state == "ready"


async def test_another_executable_of_the_same_name_replaces_the_one_that_runs(
    host_of: HostOf, launcher: FakeLauncher, tmp_path: Path
) -> None:
    program = tmp_path / "up"
    program.write_text("one")
    plan = replace(UP, command=(str(program),), folder=tmp_path)
    async with running(host_of(plan)) as host:
        await host.renew([plan])
        assert len(launcher.processes) == 1
        program.write_text("another one")
        await host.renew([plan])
        assert len(launcher.processes) == 2


async def test_a_plan_may_want_more_processes_or_fewer(host_of: HostOf, launcher: FakeLauncher) -> None:
    async with running(host_of(UP)) as host:
        await host.renew([replace(UP, limits=Limits(replicas=3))])
        await until(lambda: len(host.status()[0].replicas) == 3 and host.status()[0].state == "ready")
        await host.renew([UP])
        assert len(host.status()[0].replicas) == 1
        assert await ask(host) == "hello"


async def test_leaving_the_host_in_the_middle_of_a_swap_leaves_nothing_behind(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    host = host_of(UP)
    async with running(host):
        launcher.may_start.clear()
        launcher.started.clear()
        reloading = asyncio.ensure_future(host.reload("up"))
        await launcher.started.wait()
    assert all(process.exited.done() for process in launcher.processes)
    with pytest.raises(PluginStartFailed):
        await reloading
