"""Contract: a plugin's states, from its start over its crashes to its end, on a clock that a test moves."""

import asyncio
import logging
from collections.abc import Callable

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.fake_clock import FakeClock, settle
from support.fake_plugins import Behaviour, FakeLauncher, until

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub
from hector.plugin.v1 import (
    PLUGIN_KIND_LLM_PROVIDER,
    PLUGIN_KIND_TOOL_PROVIDER,
    Component,
    Diagnostic,
    GetInfoResponse,
    Instance,
)
from hector_mesh import info_of
from hector_plugin_host import Limits, PluginPlan, Restart
from hector_plugin_host.host import PluginHost
from hector_plugin_host.measuring import RESTARTS
from hector_plugin_host.start_failed import PluginStartFailed

HostOf = Callable[..., PluginHost]
UP = PluginPlan("up", command=("/bin/up",))
ASK = GenerateTextRequest(prompt="hello")


async def ready(host: PluginHost, name: str = "up") -> None:
    async with asyncio.timeout(20):
        await host.settled(name)
    assert host.status()[0].state == "ready", host.status()[0]


def stub(host: PluginHost, name: str = "up") -> LLMProviderStub:
    return LLMProviderStub(host.channel(name))


async def failure(call: object) -> AioRpcError:
    with pytest.raises(AioRpcError) as failed:
        await call  # type: ignore[misc]
    return failed.value


async def test_a_plugin_is_told_its_settings_before_it_is_called(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    instance = Instance(name="llms.fast", kind=PLUGIN_KIND_LLM_PROVIDER)
    host = host_of(PluginPlan("up", config_json='{"a": 1}', instances=(instance,)))
    async with host.running():
        assert (await stub(host).GenerateText(ASK)).text == "hello"
        assert [method for method, _ in launcher.last.seen] == [
            *("GetInfo", "ValidateConfig", "Configure", "GenerateText")
        ]
        (told,) = launcher.last.configured
        assert (told.config_json, list(told.instances)) == ('{"a": 1}', [instance])


async def test_starting_a_host_waits_for_no_plugin(host_of: HostOf, launcher: FakeLauncher) -> None:
    launcher.may_start.clear()
    host = host_of(UP)
    async with host.running():
        asking = asyncio.create_task(_ask(host))
        await launcher.started.wait()
        assert host.status()[0].state == "starting"
        launcher.may_start.set()
        assert await asking == "hello"


async def _ask(host: PluginHost, timeout: float = 60) -> str:
    return (await stub(host).GenerateText(ASK, timeout=timeout)).text


async def test_a_plugin_that_hangs_at_its_start_delays_no_other(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.hanging.add("slow")
    host = host_of(PluginPlan("slow"), UP)
    async with host.running():
        assert await _ask(host) == "hello"
        assert [one.state for one in host.status()] == ["starting", "ready"]


async def test_a_crashed_plugin_is_started_again_and_calls_wait_for_it(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
        launcher.last.crash(3)
        await until(lambda: host.status()[0].state == "backoff")
        assert host.status()[0].reason == "it exited with 3"
        asking = asyncio.create_task(_ask(host))
        await clock.advance(0.5)
        assert await asking == "hello"
        assert (host.status()[0].generation, host.status()[0].restarts) == (2, 1)


async def test_who_has_less_time_than_the_next_start_takes_is_told_at_once(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(PluginPlan("up", restart=Restart(backoff_s=30)))
    async with host.running():
        await ready(host)
        launcher.last.crash(3)
        await until(lambda: host.status()[0].state == "backoff")
        failed = await failure(_ask(host, timeout=10))
    assert (failed.code(), info_of(failed).reason) == (StatusCode.UNAVAILABLE, "PLUGIN_NOT_READY")
    assert "it exited with 3; it is started again in 30.0 s" in (failed.details() or "")


async def test_a_crash_loop_ends_at_the_fifth_crash_and_is_over_by_itself_once_it_is_mended(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    launcher.always = Behaviour(does_not_start="it exited with 1")
    host = host_of(UP)
    async with host.running():
        await until_moved(clock, lambda: host.status()[0].state == "failed")
        assert len(launcher.plans) == 5
        failed = await failure(_ask(host))
        assert info_of(failed).reason == "PLUGIN_FAILED"
        assert "hector plugin restart up" in (failed.details() or "")
        await clock.advance(298)
        assert len(launcher.plans) == 5
        launcher.always = Behaviour()
        await clock.advance(3)
        await until(lambda: host.status()[0].state == "ready")
        assert await _ask(host) == "hello"


async def test_nobody_waits_for_the_single_try_of_a_plugin_that_was_put_aside(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    launcher.always = Behaviour(does_not_start="it exited with 1")
    host = host_of(PluginPlan("up", restart=Restart(most=1)))
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        launcher.may_start.clear()
        await clock.advance(301)
        await until(lambda: len(launcher.plans) == 2)
        assert info_of(await failure(_ask(host))).reason == "PLUGIN_FAILED"
        launcher.may_start.set()


async def test_callers_wait_for_a_start_and_not_for_one_try_after_the_other(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    launcher.always = Behaviour(does_not_start="it exited with 1")
    launcher.may_start.clear()
    host = host_of(UP)
    async with host.running():
        asking = asyncio.create_task(failure(_ask(host, timeout=600)))
        await launcher.started.wait()
        launcher.may_start.set()
        told = await asking
        assert info_of(told).reason == "PLUGIN_NOT_READY"
        assert "it exited with 1" in (told.details() or "")
        launcher.may_start.clear()
        await clock.advance(1)
        await until(lambda: host.status()[0].state == "starting")
        assert "it exited with 1" in host.degraded()["up"]
        assert info_of(await failure(_ask(host, timeout=600))).reason == "PLUGIN_NOT_READY"
        launcher.always = Behaviour()
        launcher.may_start.set()
        await until_moved(clock, lambda: host.status()[0].state == "ready")
        assert host.degraded() == {}
        assert await _ask(host) == "hello"


async def test_an_exit_code_that_says_so_ends_the_attempts_at_once(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    launcher.always = Behaviour(does_not_start="it exited with 64", final=True)
    host = host_of(UP)
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        await clock.advance(10_000)
        assert len(launcher.plans) == 1


async def test_a_restart_takes_even_a_failed_plugin_up_again(host_of: HostOf, launcher: FakeLauncher) -> None:
    launcher.always = Behaviour(does_not_start="it exited with 64", final=True)
    host = host_of(UP)
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        with pytest.raises(PluginStartFailed, match="exited with 64"):
            await host.restart("up")
        launcher.always = Behaviour()
        assert (await host.restart("up")).state == "ready"
        assert await _ask(host) == "hello"


async def test_settings_that_a_plugin_does_not_accept_are_its_end_until_they_are_mended(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    wrong = Diagnostic(summary="no such place", path="/url", detail="write https://…")
    launcher.behaviours = [Behaviour(refuses=[wrong])]
    host = host_of(UP)
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        assert "it does not accept its config: /url: no such place write https://…" in host.status()[0].reason
        await host.renew([PluginPlan("up", command=UP.command, config_json='{"url": "x"}')])
        await ready(host)


async def test_a_plugins_own_schema_is_checked_before_it_sees_its_settings(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    schema = '{"type": "object", "properties": {"size": {"type": "integer"}}, "required": ["key"]}'
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", config_schema_json=schema))
    host = host_of(PluginPlan("up", config_json='{"size": "large"}'))
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        reason = host.status()[0].reason
        assert "'key' is a required property" in reason
        assert "/size: 'large' is not of type 'integer'" in reason
        assert [method for method, _ in launcher.last.seen] == ["GetInfo"]


async def test_a_plugin_that_is_something_else_than_it_is_used_as_is_refused(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    tools = Component(kind=PLUGIN_KIND_TOOL_PROVIDER, service="hector.tool.v1.ToolProvider")
    launcher.always = Behaviour(info=GetInfoResponse(name="fake", components=[tools]))
    host = host_of(PluginPlan("up", kinds=(PLUGIN_KIND_LLM_PROVIDER,)))
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        assert "uses it as llm_provider, and it says that it is tool_provider" in host.status()[0].reason


async def test_a_plugin_that_says_nothing_of_itself_still_works(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(info=None)
    host = host_of(UP)
    async with host.running():
        assert await _ask(host) == "hello"


async def test_a_plugin_that_ends_while_it_is_made_ready_says_how(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(crashes_when_configured=True)
    host = host_of(UP)
    async with host.running():
        await until(lambda: host.status()[0].state in ("backoff", "failed"))
        assert "it exited with 3" in host.status()[0].reason


async def test_a_stopped_plugin_is_replaced_within_thirty_seconds_and_its_callers_hear_in_time(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
        launcher.last.freeze()
        begun = clock.now()
        failed = await failure(_ask(host, timeout=0.2))
        assert info_of(failed).reason == "PLUGIN_TIMED_OUT"
        await until_moved(clock, lambda: host.status()[0].restarts == 1)
        await until_moved(clock, lambda: host.status()[0].state == "ready")
        assert clock.now() - begun <= 30
        assert launcher.processes[0].ended_after[0] == "unresponsive"
        assert await _ask(host) == "hello"


async def until_moved(clock: FakeClock, condition: Callable[[], bool]) -> None:
    """Move the clock from one thing that is due to the next until something is so."""
    async with asyncio.timeout(20):
        while not condition():
            await clock.advance(min(clock.next_s or 0.1, 1.0))
            await asyncio.sleep(0.001)


async def test_a_connection_that_is_away_for_a_moment_is_no_reason_to_kill_a_plugin(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
        launcher.last.health.refuses = True
        await clock.advance(6)
        await until(lambda: launcher.last.health.refused >= 1)
        launcher.last.health.refuses = False
        for _ in range(4):
            answered = launcher.last.health.answered
            await clock.advance(5)
            await until(lambda answered=answered: launcher.last.health.answered > answered)  # type: ignore[misc]
        assert host.status()[0].restarts == 0


async def test_a_plugin_that_answers_calls_is_not_asked_for_signs_of_life(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
        for _ in range(12):
            await _ask(host)
            await clock.advance(5)
        assert host.status()[0].restarts == 0


async def test_a_plugin_that_says_it_does_not_serve_gets_no_calls_until_it_does(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
        launcher.last.health.say(serving=False)
        await until(lambda: host.status()[0].state == "degraded")
        asking = asyncio.create_task(_ask(host))
        await settle()
        assert not asking.done()
        launcher.last.health.say(serving=True)
        assert await asking == "hello"
        assert host.degraded() == {}


async def test_leaving_a_host_lets_calls_end_and_ends_every_process(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    host = host_of(UP, PluginPlan("other"))
    async with host.running():
        await host.settled()
        for process in launcher.processes:
            process.freeze()
        asking = [asyncio.create_task(_ask_of(host, name)) for name in ("up", "other")]
        await until(lambda: all(process.in_flight for process in launcher.processes))
        asyncio.get_running_loop().call_later(0.05, _thaw, launcher)
    assert await asyncio.gather(*asking) == ["hello"] * 2
    assert [process.ended_after for process in launcher.processes] == [["stopped with 0 calls"]] * 2
    assert {one.state for one in host.status()} == {"stopped"}


def _thaw(launcher: FakeLauncher) -> None:
    for process in launcher.processes:
        process.gate.set()


async def _ask_of(host: PluginHost, name: str) -> str:
    return (await stub(host, name).GenerateText(ASK, timeout=60)).text


async def test_a_host_that_was_left_takes_no_more_calls(host_of: HostOf) -> None:
    host = host_of(UP)
    async with host.running():
        await ready(host)
    assert info_of(await failure(_ask(host))).reason == "PLUGIN_STOPPING"


async def test_replicas_share_the_calls_and_one_that_crashes_leaves_the_others_at_work(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    host = host_of(PluginPlan("up", limits=Limits(replicas=3)))
    async with host.running():
        await until(lambda: host.status()[0].state == "ready")
        for process in launcher.processes:
            process.freeze()
        asking = [asyncio.create_task(_ask(host)) for _ in range(6)]
        await until(lambda: [process.in_flight for process in launcher.processes] == [2, 2, 2])
        _thaw(launcher)
        await asyncio.gather(*asking)
        launcher.processes[0].crash()
        await until(lambda: host.status()[0].state == "degraded")
        assert await asyncio.gather(*(_ask(host) for _ in range(6))) == ["hello"] * 6


async def test_settings_that_are_refused_are_no_crash_and_are_told_once(
    host_of: HostOf, launcher: FakeLauncher, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[tuple[object, ...]] = []
    monkeypatch.setattr(RESTARTS, "add", lambda *labels: counted.append(labels))
    launcher.always = Behaviour(refuses=[Diagnostic(summary="no such place")])
    host = host_of(UP)
    async with host.running():
        await until(lambda: host.status()[0].state == "failed")
        await host.renew([PluginPlan("up", command=UP.command, config_json='{"url": "x"}')])
        reason = host.status()[0].reason
    assert reason.count("no such place") == 1, reason
    assert [one for one in caplog.records if one.name == "hector_plugin_host.security"] == []
    assert counted == []


async def test_a_crash_is_a_security_event_and_tells_no_secret(
    host_of: HostOf, launcher: FakeLauncher, caplog: pytest.LogCaptureFixture
) -> None:
    launcher.always = Behaviour(does_not_start="the key hunter22 is wrong")
    host = host_of(PluginPlan("up", secrets=frozenset({"hunter22"}), restart=Restart(most=1)))
    with caplog.at_level(logging.DEBUG):
        async with host.running():
            await until(lambda: host.status()[0].state == "failed")
            told = await failure(_ask(host))
            reason = host.status()[0].reason
    events = [one for one in caplog.records if one.name == "hector_plugin_host.security"]
    assert [(vars(one)["event"], vars(one)["plugin"]) for one in events] == [("crash", "up")]
    everything = [str(vars(one)) for one in caplog.records] + [str(host.status()), str(told)]
    assert not any("hunter22" in text for text in everything)
    assert "the key *** is wrong" in reason
