"""The tree as the house rules see it: what git tracks, and what is about to be committed."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click
import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the clone."""
    return ROOT


@pytest.fixture(scope="session")
def files() -> list[Path]:
    """Every file of ours: tracked or about to be, ignored ones never."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=30)
    paths = (ROOT / name for name in listed.stdout.split("\0") if name)
    return sorted({path for path in paths if path.is_file()})


@pytest.fixture(scope="session")
def texts(files: list[Path]) -> dict[Path, str]:
    """Every text file of ours with its content."""
    found = {}
    for path in files:
        content = path.read_bytes()
        if b"\0" not in content[:8192]:
            found[path] = content.decode()
    return found


@pytest.fixture(scope="session")
def pages(texts: dict[Path, str]) -> dict[Path, str]:
    """Every Markdown page of ours with its content."""
    return {path: text for path, text in texts.items() if path.suffix == ".md"}


@pytest.fixture(scope="session")
def parsed() -> Callable[[list[str]], dict[str, Any]]:
    """Parse the words behind `hector` as it does, without running anything; may raise click.UsageError."""
    from hector_runtime.cli import hector

    def parse(words: list[str]) -> dict[str, Any]:
        with click.Context(hector) as context:
            name, command, rest = hector.resolve_command(context, list(words))
            assert command is not None
            return command.make_context(name, rest, parent=context).params

    return parse
