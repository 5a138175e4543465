"""Decisions, Configuration: every key that the documents print works, resolves, or is refused by its name."""

import re
from pathlib import Path
from typing import NamedTuple

import pytest

from hector_config import ConfigInvalid, Problem
from hector_runtime.config import load_config

TABLE = Path(__file__).with_name("documented_keys.txt")
LINE = re.compile(
    r"(?P<path>[\w.]+): (?P<value>.*?) {2,}(?P<fate>works|idle|later|now .+?)(?P<later> later)?"
    r"(?: \+(?P<more>\d))?"
)
AROUND = {
    "defaults.vector_store": "vector_stores: {v: {}}",
    "defaults.embedder": "embedders: {e: {}}",
    "document_stores.d.vector_store": "vector_stores: {v: {}}",
    "document_stores.d.embedder": "embedders: {e: {}}",
}
"""What a key refers to."""


class Row(NamedTuple):
    """One line of the table."""

    path: str
    value: str
    fate: str
    later: bool
    more: int
    """Warnings beyond the one."""

    @property
    def text(self) -> str:
        """A config with that key in it, on its last line."""
        steps = self.path.split(".")
        lines = [f"{'  ' * depth}{step}:" for depth, step in enumerate(steps)]
        return "\n".join([AROUND.get(self.path, "x-audit: 1"), *lines]) + f" {self.value}\n"


def rows() -> list[Row]:
    found = []
    for line in TABLE.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        parts = LINE.fullmatch(line)
        assert parts, line
        fate, later = parts["fate"], bool(parts["later"])
        found.append(
            Row(parts["path"], parts["value"], fate, later or fate == "later", int(parts["more"] or 0))
        )
    return found


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
