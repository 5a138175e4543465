"""Tells how a worker of pytest-xdist ended that went without a word: by which signal, or with which code."""

import signal
import subprocess
from typing import Any

import pytest

PATIENCE_S = 5.0


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
    reporter = node.config.pluginmanager.get_plugin("terminalreporter")
    if error and reporter is not None:
        reporter.ensure_newline()
        reporter.write_line(f"worker {node.gateway.id}: {end_of(node)}")
