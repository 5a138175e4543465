"""Plugins for tests: small programs, and plans to start them by."""

import asyncio
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from support.fake_clock import FakeClock
from support.fake_plugins import FakeLauncher
from support.made_tables import made_tables

from hector_plugin_host import guard
from hector_plugin_host.host import PluginHost
from hector_plugin_host.plan import Limits, PluginPlan
from hector_plugin_host.premises import Premises

__all__ = ["made_tables"]

Write = Callable[..., PluginPlan]
HostOf = Callable[..., PluginHost]

UPPER = """
from hector.tool.v1 import ExecuteToolResponse, ToolProviderServicer
from hector_plugin import serve


class Upper(ToolProviderServicer):
    async def ExecuteTool(self, request, context):
        print("shouting")
        return ExecuteToolResponse(success=True, result="LOUD")


serve(Upper(), name="upper", version="1.2.3")
"""


@pytest.fixture
def program(tmp_path: Path) -> Write:
    """Write a Python program, and return the plan that starts it."""

    def written(source: str = UPPER, name: str = "upper", **settings: object) -> PluginPlan:
        path = tmp_path / f"{name}.py"
        path.write_text(textwrap.dedent(source))
        given: dict[str, object] = {
            "command": (sys.executable, str(path)),
            "folder": tmp_path,
            "limits": Limits(start_timeout_s=20),
            **settings,
        }
        return PluginPlan(name, **given)  # type: ignore[arg-type]

    return written


@pytest.fixture
def premises(tmp_path: Path) -> Premises:
    return Premises(state_dir=tmp_path / "state", log_level="debug")


@pytest.fixture
def short(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Give a folder with a short path in which all private folders are made."""
    tmp_path_factory.getbasetemp()  # pytest's own is made where it belongs, once for all tests
    with tempfile.TemporaryDirectory(prefix="h-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock(patience_s=0.02)


@pytest.fixture
def launcher(short: Path) -> FakeLauncher:
    """Plugins in this process, which crash and hang as they are told."""
    return FakeLauncher(short)


@pytest.fixture
def host_of(launcher: FakeLauncher, clock: FakeClock) -> HostOf:
    """Make a host of fake plugins, whose time stands still."""

    def made(*plans: PluginPlan) -> PluginHost:
        return PluginHost(plans, Premises(), launch=launcher, clock=clock, draw=lambda least, bound: bound)

    return made


async def number_in(file: Path) -> int:
    """Wait until a plugin has written a number into a file, and return it."""
    while not (text := _text(file)).endswith("\n"):  # noqa: ASYNC110  # another process writes it
        await asyncio.sleep(0.01)
    return int(text)


def _text(file: Path) -> str:
    return file.read_text() if file.exists() else ""


def is_running(pid: int) -> bool:
    """Say whether a process is there, and no zombie."""
    return bool(guard.start_time(pid))
