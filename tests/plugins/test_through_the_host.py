"""Contract: Hector's own host starts, confines, calls, replaces and ends the plugins of every language."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from support.plugin_examples import ROOT

from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin_host import PluginPlan
from hector_plugin_host.host import PluginHost
from hector_plugin_host.plan import Limits, Sandbox, Security
from hector_plugin_host.premises import Premises

pytestmark = pytest.mark.timeout(1300)
"""Whoever comes first may have to build."""

Example = Callable[[str], tuple[str, ...]]

UPPER = ExecuteToolRequest(tool="upper", parameters_json='{"text": "straße"}')
CALLERS = 8


def plan_of(command: tuple[str, ...], sandbox: Sandbox = "off") -> PluginPlan:
    return PluginPlan(
        "upper",
        command=command,
        folder=Path(command[-1]).parent,
        config_json='{"suffix": "!"}',
        security=Security(sandbox=sandbox, allowed_paths=(str(ROOT),)),
        limits=Limits(start_timeout_s=60),
    )


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    return Premises(state_dir=tmp_path)


@pytest.mark.parametrize("sandbox", ["off", "bubblewrap", "landlock"])
async def test_a_plugin_is_started_configured_called_and_ended(
    example: Example, premises: Premises, sandbox: Sandbox
) -> None:
    host = PluginHost([plan_of(example("tool"), sandbox)], premises)
    async with asyncio.timeout(120), host.running():
        await host.settled()
        (status,) = host.status()
        assert status.state == "ready", status.reason
        answer = await ToolProviderStub(host.channel("upper")).ExecuteTool(UPPER)
        assert answer.result == "STRASSE!"
        assert (status.info is not None, status.version) == (True, "1.0.0")


async def test_a_plugin_is_replaced_without_a_failed_call(example: Example, premises: Premises) -> None:
    host = PluginHost([plan_of(example("tool"))], premises)
    async with asyncio.timeout(120), host.running():
        await host.settled()
        stub = ToolProviderStub(host.channel("upper"))
        over = asyncio.Event()

        async def calls() -> set[str]:
            results = set()
            while not over.is_set():
                results.add((await stub.ExecuteTool(UPPER)).result)
            return results

        callers = [asyncio.ensure_future(calls()) for _ in range(CALLERS)]
        for _ in range(2):
            await host.reload("upper")
        over.set()
        assert await asyncio.gather(*callers) == [{"STRASSE!"}] * CALLERS
        (status,) = host.status()
        assert (status.state, status.restarts) == ("ready", 0)
