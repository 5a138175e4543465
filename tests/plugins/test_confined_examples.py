"""Plugins of every language start and answer in both kinds of sandbox, with limits."""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin_host.launching import launched
from hector_plugin_host.plan import MEBIBYTE, Limits, PluginPlan, Security
from hector_plugin_host.premises import Premises
from hector_plugin_host.sandbox import survey

pytestmark = [
    pytest.mark.timeout(1300),  # whoever comes first may have to build
    pytest.mark.skipif(sys.platform != "linux", reason="sandboxes are Linux's"),
]

Example = Callable[[str], tuple[str, ...]]


@pytest.mark.parametrize("tier", ["bubblewrap", "landlock"])
async def test_a_tool_in_a_sandbox_answers(example: Example, tmp_path: Path, tier: str) -> None:
    machine = survey()
    missing = machine.bubblewrap_missing if tier == "bubblewrap" else machine.landlock_missing
    if missing:
        pytest.fail(f"this machine cannot confine plugins by {tier}: {missing}")
    command = example("tool")
    plan = PluginPlan(
        "upper",
        command=command,
        folder=folder_of(command),
        data_dir=tmp_path / "data",
        security=Security(
            sandbox=tier,  # type: ignore[arg-type]
            max_memory_bytes=768 * MEBIBYTE,
            max_processes=8,
        ),
        limits=Limits(start_timeout_s=60),
    )
    async with asyncio.timeout(120), launched(plan, Premises(state_dir=tmp_path / "state")) as process:
        assert process.tier == tier
        call = ExecuteToolRequest(tool="upper", parameters_json='{"text": "quiet"}')
        answer = await ToolProviderStub(process.channel).ExecuteTool(call, metadata=process.metadata)
        assert "QUIET" in str(answer)
    assert process.exited.result().reason == "stopped"


def folder_of(command: tuple[str, ...]) -> Path:
    files = [Path(word) for word in command if Path(word).is_file()]
    return files[-1].parent
