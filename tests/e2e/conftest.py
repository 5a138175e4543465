"""The whole product, as its users run it."""

import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.processes import Hector, hector_in
from support.topologies import TOPOLOGIES, Deployment, deploy


@pytest.fixture
def folder() -> Iterator[Path]:
    # Not tmp_path: a unix socket's path has 107 bytes.
    made = Path(tempfile.mkdtemp(prefix="he-"))
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture
def hector(folder: Path) -> Iterator[Hector]:
    with hector_in(folder) as made:
        yield made


@pytest.fixture(scope="module", params=TOPOLOGIES)
def deployed(request: pytest.FixtureRequest) -> Iterator[Deployment]:
    """The same configuration as one process, and as one process a role over unix sockets and TCP.

    Its tests share the processes, in the order of the file: a worker of `make test` gets whole files.
    """
    made = Path(tempfile.mkdtemp(prefix="he-"))
    with hector_in(made) as hector:
        yield deploy(hector, request.param)
    shutil.rmtree(made, ignore_errors=True)
