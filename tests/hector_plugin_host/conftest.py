"""Plugins for tests: small programs, and plans to start them by."""

import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hector_plugin_host.plan import Limits, PluginPlan
from hector_plugin_host.premises import Premises

Write = Callable[..., PluginPlan]

UPPER = """
from hector.tool.v1 import ExecuteToolResponse, ToolProviderServicer
from hector_plugin import serve


class Upper(ToolProviderServicer):
    async def ExecuteTool(self, request, context):
        print("shouting")
        return ExecuteToolResponse(success=True, result_json='"LOUD"')


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
def short(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a folder with a short path in which all private folders are made."""
    with tempfile.TemporaryDirectory(prefix="h-") as name:
        monkeypatch.setattr(tempfile, "tempdir", name)
        yield Path(name)
