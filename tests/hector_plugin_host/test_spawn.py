"""A plugin's process: started, reached, and ended, with nothing left of it."""

import asyncio
import os
import socket
import stat
from pathlib import Path

import pytest

from hector.plugin.v1 import GetInfoRequest, PluginStub
from hector_plugin_host.finding import _check_socket
from hector_plugin_host.handshake import NoHandshake
from hector_plugin_host.launching import launched
from hector_plugin_host.logs import Journal
from hector_plugin_host.premises import Premises
from hector_plugin_host.start_failed import PluginStartFailed

from .conftest import UPPER, Write


async def test_a_plugin_is_started_reached_and_ended(
    program: Write, premises: Premises, short: Path, tmp_path: Path
) -> None:
    kept = tmp_path / "data" / "upper"
    async with asyncio.timeout(30), launched(program(data_dir=kept), premises) as process:
        assert stat.S_IMODE(kept.stat().st_mode) == 0o700
        info = await PluginStub(process.channel).GetInfo(GetInfoRequest(), metadata=process.metadata)
        assert (info.name, info.version) == ("upper", "1.2.3")
        assert process.target.startswith(f"unix:{short}/hp-")
        assert process.serves_health
    exit_info = process.exited.result()
    assert (exit_info.code, exit_info.reason, exit_info.wanted) == (0, "stopped", True)
    assert left_in(short) == []
    assert kept.is_dir()


async def test_a_plugin_whose_data_folder_cannot_be_made_does_not_start(
    program: Write, premises: Premises, tmp_path: Path
) -> None:
    (tmp_path / "data").write_text("in the way")
    plan = program(data_dir=tmp_path / "data" / "upper")
    with pytest.raises(PluginStartFailed, match=r"its data folder .*/data/upper cannot be made: Not a dir"):
        async with asyncio.timeout(30), launched(plan, premises):
            pass


LOUD = """
import os, threading
def print_much(descriptor):
    for _ in range(160):
        os.write(descriptor, b"x" * 65536)
    os.write(descriptor, b"\\n[WARN] done\\n")
threading.Thread(target=print_much, args=(2,), daemon=True).start()
"""
BARE = """
import asyncio, os, grpc.aio
async def main():
    server = grpc.aio.server()
    path = os.environ["PLUGIN_UNIX_SOCKET_DIR"] + "/bare.sock"
    server.add_insecure_port("unix:" + path)
    await server.start()
    print(f"1|1|unix|{path}|grpc|", flush=True)
    threading.Thread(target=print_much, args=(1,), daemon=True).start()
    await server.wait_for_termination()
asyncio.run(main())
"""


@pytest.mark.parametrize("source", [LOUD + UPPER, LOUD + BARE], ids=["standard error", "both"])
async def test_a_plugin_that_prints_megabytes_without_a_line_end_serves_all_the_same(
    program: Write, premises: Premises, source: str
) -> None:
    journal, wanted = Journal(), 1 if UPPER in source else 2
    async with asyncio.timeout(60), launched(program(source), premises, journal=journal) as process:
        assert process.pid
        done = 0
        async for line in journal.follow(100):
            done += line.text == "done"
            if done == wanted:
                break
    lengths = [len(line.text) for line in journal.last() if line.text[:1] == "x"]
    assert len(lengths) >= wanted  # what it logs itself may stand in the middle of it
    assert all(65_000 < length < 66_000 for length in lengths)


def test_a_socket_of_another_user_is_not_connected_to(short: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket(socket.AF_UNIX) as other:
        other.bind(str(short / "x.sock"))
        _check_socket(short / "x.sock")
        uid = os.getuid()
        monkeypatch.setattr(os, "getuid", lambda: uid + 1)
        with pytest.raises(NoHandshake, match="is that of another user"):
            _check_socket(short / "x.sock")
    (short / "file").write_text("")
    with pytest.raises(NoHandshake, match="is no socket"):
        _check_socket(short / "file")


def left_in(folder: Path) -> list[Path]:
    return list(folder.iterdir())
