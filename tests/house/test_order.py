"""Ours: files that take long are begun first."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

from support.longest_first import (  # type: ignore[import-not-found]  # mypy does not look into tests/
    LONGEST,
    put_longest_first,
)


def test_the_longest_files_are_there(root: Path) -> None:
    assert [name for name in LONGEST if not (root / "tests" / name).is_file()] == []


def test_the_longest_files_are_begun_first_and_the_others_keep_their_order() -> None:
    found = ["a/test_b.py", *reversed(LONGEST), "a/test_a.py"]
    items: list[Any] = [SimpleNamespace(path=Path("/x/tests") / name) for name in found]
    put_longest_first(items)
    assert [item.path for item in items] == [
        Path("/x/tests") / name for name in (*LONGEST, "a/test_b.py", "a/test_a.py")
    ]
