"""Decisions, Configuration: every key that the documents print works, resolves, or is refused by its name."""

from pathlib import Path

import pytest
from support.documented_keys import Row, rows

from hector_config import ConfigInvalid, Problem
from hector_runtime.config import load_config


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"{row.path}: {row.value}"[:90])
def test_a_documented_key_has_the_fate_that_the_table_says(row: Row, tmp_path: Path) -> None:
    file = tmp_path / "hector.yaml"
    file.write_text(row.text)
    problems, warnings = outcome(file)
    told = "\n".join(map(str, [*problems, *warnings]))
    assert all("known, but not available in this version" in problem.message for problem in problems), told
    assert bool(problems) == row.later, told
    assert len(warnings) == (0 if row.fate in ("works", "later") else 1 + row.more), told
    if row.fate.startswith("now "):
        assert row.fate in warnings[0].message or row.fate in told, told
    if row.fate == "idle":
        assert "has no effect any more" in warnings[0].message, told
    last = row.text.count("\n")
    assert all(0 < found.line <= last and found.file == str(file) for found in [*problems, *warnings]), told


def outcome(file: Path) -> tuple[tuple[Problem, ...], tuple[Problem, ...]]:
    try:
        return (), load_config(file, {"KEY": "sk-abc", "PORT": "8080"}).warnings
    except ConfigInvalid as error:
        return error.problems, error.warnings
