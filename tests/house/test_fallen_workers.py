"""A worker of the tests that dies ends them, and the test that it died in is named."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parent.parent


@pytest.mark.parametrize(
    ("death", "told"), [("os._exit(0)", "with code 0"), ("signal.raise_signal(9)", "by SIGKILL")]
)
def test_a_worker_that_dies_ends_the_session_and_its_test_is_named(
    tmp_path: Path, death: str, told: str
) -> None:
    (tmp_path / "pytest.ini").write_text("[pytest]\n")
    (tmp_path / "test_a.py").write_text(
        f"import os, signal\ndef test_before(): pass\ndef test_death(): {death}\ndef test_after(): pass\n"
    )
    xdist = ["-p", "xdist", "-p", "support.fallen_workers", "-n", "1", "--dist", "loadfile"]
    ended = subprocess.run(
        [sys.executable, "-m", "pytest", *xdist, "-q"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(TESTS), "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert ended.returncode == pytest.ExitCode.INTERRUPTED, ended.stdout
    assert told in ended.stdout
    assert "crashed while running 'test_a.py::test_death'" in ended.stdout
    assert "worker gw0 died, and the tests that were left did not run" in ended.stdout
    assert "1 failed, 1 passed" in ended.stdout
