"""Both kinds of sandbox. A machine that has only one of them fails the tests of the other, and says why."""

import sys
from pathlib import Path
from typing import Any, Protocol

import pytest
from support.confinement import Outcome, confined

from hector_plugin_host.sandbox import survey


class Run(Protocol):
    """Runs a program in a sandbox; keywords are those of `Security`, but for `plan`."""

    async def __call__(self, source: str, plan: dict[str, Any] | None = None, **security: Any) -> Outcome: ...


def needs(tier: str) -> None:
    if sys.platform != "linux":
        pytest.skip("sandboxes are Linux's")
    machine = survey()
    missing = machine.bubblewrap_missing if tier == "bubblewrap" else machine.landlock_missing
    if missing:
        pytest.fail(f"this machine cannot confine plugins by {tier}, so it cannot be tested: {missing}")


@pytest.fixture(params=["bubblewrap", "landlock"])
def tier(request: pytest.FixtureRequest) -> str:
    needs(request.param)
    return str(request.param)


@pytest.fixture
def run(tier: str, tmp_path: Path) -> Run:
    async def ran(source: str, plan: dict[str, Any] | None = None, **security: Any) -> Outcome:
        folder = tmp_path / "plugin"
        folder.mkdir(exist_ok=True)
        outcome = await confined(source, folder, security={"sandbox": tier, **security}, **plan or {})
        assert outcome.tier == tier
        return outcome

    return ran


@pytest.fixture
def bubblewrap(tmp_path: Path) -> Run:
    needs("bubblewrap")

    async def ran(source: str, plan: dict[str, Any] | None = None, **security: Any) -> Outcome:
        folder = tmp_path / "plugin"
        folder.mkdir(exist_ok=True)
        outcome = await confined(source, folder, security={"sandbox": "bubblewrap", **security}, **plan or {})
        assert outcome.tier == "bubblewrap"
        return outcome

    return ran
