"""Ours: the bench runs. Whoever wants numbers from it must not have to mend it first."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

PARTS = [
    ["answers", "first-word"],
    ["events", "mesh"],
    ["growth", "quickstart"],
    ["a2a", "--memory", "--no-peer"],
    ["runs", "--kind", "steps", "length"],
    ["plugins"],
]
SHORT = ["--quick", "--json", "--seconds", "0.3", "--clients", "1", "--answers", "20", "40"]


@pytest.mark.parametrize("parts", PARTS, ids=" ".join)
def test_the_bench_measures_whole_answers_without_error(root: Path, parts: list[str]) -> None:
    command = [sys.executable, "bench", *parts, *SHORT]
    done = subprocess.run(command, cwd=root, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == 0, done.stderr
    figures = json.loads(done.stdout)["figures"]
    assert figures
    assert [one for one in figures if "errors" in one["name"] and one["value"]] == []
