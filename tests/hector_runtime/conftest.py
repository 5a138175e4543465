"""What the runtime's tests share."""

import logging
from collections.abc import Iterator

import pytest

NOISY = ("aiohttp", "asyncio", "grpc", "alembic", "watchfiles", "uvicorn")


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    levels = {name: logging.getLogger(name).level for name in NOISY}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, before in levels.items():
        logging.getLogger(name).setLevel(before)
