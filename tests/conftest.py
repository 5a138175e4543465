"""What tests of several rooms share: the mesh, on both of its transports; and their order."""

import asyncio
import gc
import shutil
import tempfile
from collections.abc import AsyncIterator, Generator
from pathlib import Path

import a2a.client  # noqa: F401  # first: the SDK loses its client for gRPC of 0.3 when its server comes before
import pytest
from support.fallen_workers import pytest_configure_node, pytest_testnodedown
from support.longest_first import put_longest_first
from support.mesh import MeshUnderTest

__all__ = ["pytest_configure_node", "pytest_testnodedown"]

LONGEST_NAMED_BYTES = 12


def pytest_make_parametrize_id(val: object, argname: str) -> str | None:
    """Keep long bytes out of names: what is packed has the time in it, and where names differ none is run."""
    return argname if isinstance(val, bytes) and len(val) > LONGEST_NAMED_BYTES else None


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Spare the collector while tests are collected: next to nothing that is made then can go."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    put_longest_first(items)


def pytest_collection_finish() -> None:
    """Keep the collector off what lives until the end: half a million objects when all tests are there."""
    gc.collect()
    gc.freeze()


@pytest.fixture(params=["local", "unix"])
async def mesh_under_test(request: pytest.FixtureRequest) -> AsyncIterator[MeshUnderTest]:
    # Not tmp_path: a unix socket's path has 107 bytes.
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    under_test = MeshUnderTest(request.param, folder)
    try:
        async with asyncio.timeout(60):
            yield under_test
    finally:
        await under_test.close()
        shutil.rmtree(folder, ignore_errors=True)
