"""A plugin of plain hashicorp/go-plugin, with only contract and cookie of Hector's, starts unchanged."""

import asyncio
import json
from pathlib import Path

import grpc
import grpc.aio
import pytest
from google.protobuf.empty_pb2 import Empty
from support.plugin_examples import command

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector.tool.v1 import ExecuteToolRequest, ToolProviderStub
from hector_plugin_host.go_stdio import decoded
from hector_plugin_host.launching import launched
from hector_plugin_host.logs import Journal
from hector_plugin_host.plan import PluginPlan, Sandbox, Security
from hector_plugin_host.premises import Premises

CALLS = 300


@pytest.mark.parametrize("sandbox", ["off", "bubblewrap", "landlock"])
async def test_a_stock_go_plugin_is_started_called_and_ended(
    premises: Premises, short: Path, tmp_path: Path, sandbox: Sandbox
) -> None:
    stock = await asyncio.to_thread(command, "go", "stock")
    plan = PluginPlan("stock", command=stock, folder=tmp_path, security=Security(sandbox=sandbox))
    async with asyncio.timeout(60), launched(plan, premises) as process:
        assert process.target.startswith(f"unix:{short}/hp-")
        assert (process.serves_health, process.tier) == (True, "none" if sandbox == "off" else sandbox)
        request = ExecuteToolRequest(tool="upper", parameters_json='{"text": "quiet"}')
        answer = await ToolProviderStub(process.channel).ExecuteTool(request, metadata=process.metadata)
        assert answer.result == "QUIET"
        with pytest.raises(grpc.aio.AioRpcError) as refused:
            await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert refused.value.code() is grpc.StatusCode.UNIMPLEMENTED
    exit_info = process.exited.result()
    assert (exit_info.code, exit_info.reason, exit_info.wanted) == (0, "stopped", True)
    assert left_in(short) == []


async def test_what_a_go_plugin_prints_is_read_so_that_it_never_stands_still(
    premises: Premises, tmp_path: Path
) -> None:
    stock = await asyncio.to_thread(command, "go", "stock")
    plan, journal = PluginPlan("stock", command=stock, folder=tmp_path), Journal()
    async with asyncio.timeout(60), launched(plan, premises, journal=journal) as process:
        tools = ToolProviderStub(process.channel)
        for number in range(CALLS):  # more than pipes and windows hold together
            text = f"{number} {'x' * 4_000}"
            request = ExecuteToolRequest(tool="upper", parameters_json=json.dumps({"text": text}))
            await tools.ExecuteTool(request, metadata=process.metadata)
        async for line in journal.follow(CALLS):
            if f'turning "{CALLS - 1} xxx' in line.text:
                break
    assert line.fields == {"stream": "stdout"}


@pytest.mark.parametrize(
    ("message", "expected"),
    [
        (b"\x08\x02\x12\x02hi", (2, b"hi")),
        (b"\x12\x02hi\x08\x01", (1, b"hi")),
        (b"", (0, b"")),
        (b"\xff\xff\xff", (0, b"")),
        (b"\x0a\x01x\x12\x02hi", (0, b"")),
        (Empty().SerializeToString(), (0, b"")),
    ],
)
def test_a_message_of_what_was_printed_is_read(message: bytes, expected: tuple[int, bytes]) -> None:
    assert decoded(message) == expected


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
