"""Ends a session of pytest-xdist with the first worker that dies, and tells how; xdist names its test."""

import signal
import subprocess
from typing import Any

import pytest

PATIENCE_S = 5.0
FALLEN = pytest.StashKey[list[str]]()
"""The workers of a session that went without a word."""


def end_of(node: Any) -> str:
    """Say how the process of an xdist node ended."""
    process = getattr(getattr(node.gateway, "_io", None), "popen", None)  # execnet tells it nowhere else
    if process is None:
        return "it is no process of ours"
    try:
        code = process.wait(PATIENCE_S)
    except subprocess.TimeoutExpired:
        return f"process {process.pid} is still there, and says nothing any more"
    how = f"with code {code}" if code >= 0 else f"by {signal.Signals(-code).name}"
    return f"process {process.pid} ended {how}"


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any, error: object | None) -> None:
    """Tell of a worker that did not end as it should, next to xdist's own line."""
    if not error:
        return
    node.config.stash.setdefault(FALLEN, []).append(node.gateway.id)
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(f"worker {node.gateway.id}: {end_of(node)}")


@pytest.hookimpl(optionalhook=True)
def pytest_configure_node(node: Any) -> None:
    """Refuse the worker that is to take a fallen one's place; the test it died in has been reported by now.

    xdist would give it that test again, and waits for ever where a single test of a file is left to it.
    """
    if fallen := node.config.stash.get(FALLEN, None):
        pytest.exit(f"worker {fallen[0]} died, and the tests that were left did not run")
