"""Contract: what plugins measure themselves stands on the host's page, under their names."""

import asyncio
import logging
from collections.abc import Callable, Iterator

import pytest
from support.fake_clock import FakeClock
from support.fake_plugins import Behaviour, FakeLauncher

from hector.llm.v1 import GenerateTextRequest, LLMProviderStub
from hector_mesh import metrics
from hector_plugin_host import PluginPlan
from hector_plugin_host.host import PluginHost
from hector_runtime.metrics import Prometheus

HostOf = Callable[..., PluginHost]
TEXT = b"""# HELP pages_total Pages that were read.
# TYPE pages_total counter
pages_total{kind="pdf"} 3
# TYPE process_cpu_seconds_total counter
process_cpu_seconds_total 1.5
"""


@pytest.fixture(autouse=True)
def enabled() -> Iterator[None]:
    metrics.enable(Prometheus())
    yield
    metrics.disable()


async def page_of(host: PluginHost) -> str:
    async with asyncio.timeout(20), host.running():
        await host.settled()
        page = await metrics.whole_page()
        assert page is not None
        return page[1].decode()


async def test_a_plugins_metrics_carry_its_name_and_hide_none_of_ours(
    host_of: HostOf, launcher: FakeLauncher
) -> None:
    launcher.always = Behaviour(metrics=TEXT)
    page = await page_of(host_of(PluginPlan("one"), PluginPlan("two")))
    assert 'plugin_pages_total{kind="pdf",plugin="one",replica="1"} 3.0' in page
    assert 'plugin_pages_total{kind="pdf",plugin="two",replica="1"} 3.0' in page
    assert page.count("# TYPE plugin_pages_total counter") == 1
    assert 'plugin_process_cpu_seconds_total{plugin="one",replica="1"} 1.5' in page
    assert "\nprocess_cpu_seconds_total " in page


async def test_metrics_that_cannot_be_read_are_left_out_and_said_so(
    host_of: HostOf, launcher: FakeLauncher, caplog: pytest.LogCaptureFixture
) -> None:
    launcher.always = Behaviour(metrics=b"pages{ nonsense")
    with caplog.at_level(logging.WARNING):
        page = await page_of(host_of(PluginPlan("one")))
    assert "plugin_pages" not in page
    assert "plugin told metrics that cannot be read" in caplog.messages


async def test_a_plugin_that_keeps_the_page_waiting_is_left_out(
    host_of: HostOf, launcher: FakeLauncher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("hector_plugin_host.collecting.ANSWER_S", 0.1)
    launcher.behaviours = [Behaviour(metrics=TEXT), Behaviour(metrics=TEXT)]
    host = host_of(PluginPlan("one"), PluginPlan("two"))
    async with asyncio.timeout(20), host.running():
        await host.settled()
        slow = next(one for one in launcher.processes if one.plan.name == "two")
        slow.freeze()
        page = await metrics.whole_page()
        assert page is not None
        assert 'plugin="one"' in page[1].decode()
        assert 'plugin_pages_total{kind="pdf",plugin="two",replica="1"}' not in page[1].decode()


async def test_the_host_counts_calls_crashes_and_states_of_its_plugins(
    host_of: HostOf, launcher: FakeLauncher, clock: FakeClock
) -> None:
    host = host_of(PluginPlan("one"))
    async with asyncio.timeout(20), host.running():
        await host.settled()
        await LLMProviderStub(host.channel("one")).GenerateText(GenerateTextRequest())
        page = await metrics.whole_page()
        assert page is not None
        lines = page[1].decode().splitlines()
    assert 'hector_plugin_calls_total{code="OK",method="GenerateText",plugin="one"} 1.0' in lines
    assert 'hector_plugin_state{plugin="one",state="ready"} 1.0' in lines
    assert 'hector_plugin_state{plugin="one",state="failed"} 0.0' in lines
    assert 'hector_plugin_in_flight{plugin="one"} 0.0' in lines
    assert 'hector_plugin_sandbox_tier{plugin="one",tier="none"} 1.0' in lines
