"""The page on the protocol: the plugin on it, which knows nothing but gRPC, is one."""

import asyncio
import re
import sys
from pathlib import Path

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin.conformance import Subject, run
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import PluginPlan
from hector_plugin_host.premises import Premises

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/plugins/protocol.md"
FENCE = re.compile(r"^```\w+ (?P<path>\S+)\n(?P<code>.*?)^```$", re.MULTILINE | re.DOTALL)
BARE = ROOT / "plugins/examples/python/bare/main.py"


def test_the_program_on_the_page_is_the_one_in_the_tree() -> None:
    (fence,) = FENCE.finditer(PAGE.read_text())
    assert ROOT / fence["path"] == BARE
    assert fence["code"] == BARE.read_text()


async def test_the_program_on_the_page_is_started_called_and_ended(premises: Premises) -> None:
    plan = PluginPlan("bare", command=(sys.executable, str(BARE)), folder=BARE.parent)
    async with asyncio.timeout(60), launched(plan, premises) as process:
        plugin, tools = PluginStub(process.channel), ToolProviderStub(process.channel)
        assert (await plugin.GetInfo(GetInfoRequest(), metadata=process.metadata)).name == "bare"
        request = ExecuteToolRequest(tool="upper", parameters_json='{"text": "quiet"}')
        assert (await tools.ExecuteTool(request, metadata=process.metadata)).result == "QUIET"
    assert process.exited.result().code == 0


async def test_the_program_on_the_page_keeps_to_the_rules_of_starting_and_ending() -> None:
    async with asyncio.timeout(110):
        report = await run(Subject(command=(sys.executable, str(BARE)), only=("H", "I", "S", "TO2", "E1")))
    assert [verdict for verdict in report.verdicts if verdict.outcome == "fail"] == []
    assert len(report.verdicts) > 15
