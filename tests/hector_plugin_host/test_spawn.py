"""A plugin's process: started, reached, and ended, with nothing left of it."""

import asyncio
from pathlib import Path

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector_plugin_host.launching import launched
from hector_plugin_host.premises import Premises


async def test_a_plugin_is_started_reached_and_ended(program, premises: Premises, short: Path) -> None:
    async with asyncio.timeout(30), launched(program(), premises) as process:
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert (info.name, info.version) == ("upper", "1.2.3")
        assert process.target.startswith(f"unix:{short}/hp-")
        assert process.serves_health
    exit_info = process.exited.result()
    assert (exit_info.code, exit_info.reason, exit_info.wanted) == (0, "stopped", True)
    assert left_in(short) == []


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
