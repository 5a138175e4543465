"""What a server says of itself first."""

from types import SimpleNamespace
from typing import Any

import pytest

from hector_runtime.cli.banner import introduction
from hector_runtime.config import Config

HASH = "0123456789abcdef"


@pytest.mark.parametrize(
    ("stored", "told"),
    [(SimpleNamespace(number=7), "revision 7 (0123456789ab)"), (None, "revision 0123456789ab")],
    ids=["with-the-database", "without-it"],
)
def test_a_revision_is_told_with_its_number_where_that_is_known(stored: Any, told: str) -> None:
    """Numbers are given by the database, which only some roles open; the hash is the same everywhere."""
    process: Any = SimpleNamespace(public={}, roles=("gateway",), address="")
    loaded: Any = SimpleNamespace(file="hector.yaml")
    pages: Any = SimpleNamespace(stored=stored, id=HASH)
    first, *_ = introduction(Config(), loaded, [], process, pages)
    assert first.endswith(f" · hector.yaml · {told}")
