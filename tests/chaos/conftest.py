"""The databases of the chaos tests, and how much of them is run: `make chaos` for all, `.ci/run` for some.

HECTOR_CHAOS_POINTS says how often each kill point is tried, HECTOR_CHAOS_SEED with which seeds, and
HECTOR_CHAOS_LEASE how long leases last. A failure names its seed: with the same ones it is tried again.
"""

import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from chaos.replicas import Store
from chaos.scene import Scene, scene_at
from support.databases import DatabaseServer, database_servers

__all__ = ["database_servers"]

POINTS = int(os.environ.get("HECTOR_CHAOS_POINTS", "5"))
SEED = os.environ.get("HECTOR_CHAOS_SEED", "1")
LEASE_S = float(os.environ.get("HECTOR_CHAOS_LEASE", "1"))
SOME = 5
"""Up to so many points, what is no kill is tried on one database alone."""


def databases(first: str, *others: str) -> tuple[str, ...]:
    """Return on which databases something is tried; the kills are, on all of them, in any case."""
    return (first, *others) if POINTS > SOME else (first,)


Stores = Callable[[str, Path], AbstractContextManager[Store]]


def pytest_report_header() -> str:
    return f"chaos: HECTOR_CHAOS_SEED={SEED} HECTOR_CHAOS_POINTS={POINTS} HECTOR_CHAOS_LEASE={LEASE_S:g}"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seed" in metafunc.fixturenames:
        seeds = [f"{SEED}-{number}" for number in range(POINTS)]
        metafunc.parametrize("seed", seeds)


@pytest.fixture
def folder() -> Iterator[Path]:
    made = Path(tempfile.mkdtemp(prefix="hc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def shared_folder() -> Iterator[Path]:
    # Not tmp_path: a unix socket's path has 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="hc-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="session")
def stores(database_servers: Callable[[str], DatabaseServer]) -> Stores:
    """Give an empty database of a kind."""

    @contextmanager
    def store(kind: str, folder: Path) -> Iterator[Store]:
        if kind == "sqlite":
            yield Store(f"sqlite://{folder}/runs.db", file=folder / "runs.db")
            return
        server = database_servers(kind)
        with server.new_database() as name:
            yield Store(server.url(name), server=server, name=name)

    return store


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def scene(request: pytest.FixtureRequest, stores: Stores, shared_folder: Path) -> AsyncIterator[Scene]:
    """Two replicas that the tests of a module kill in turn, on the database that it names."""
    with stores(request.module.DATABASE, shared_folder) as store:
        async with scene_at(shared_folder, store, lease_s=LEASE_S) as scene:
            yield scene
