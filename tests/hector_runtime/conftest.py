"""What the runtime's tests share."""

import logging
from collections.abc import Iterator

import pytest
from support.made_tables import made_tables

from hector_runtime.logs import OURS

__all__ = ["made_tables"]

SWITCHES = ("logThreads", "logProcesses", "logMultiprocessing", "raiseExceptions", "_srcfile")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in OURS}
    switches = {name: getattr(logging, name) for name in SWITCHES}
    yield
    for handler in root.handlers:
        if handler not in handlers:
            handler.close()
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
    for name, switch in switches.items():
        setattr(logging, name, switch)
