"""Ours: what is installed is what was locked, with hashes, from wherever the machine installs."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCKS = ["a2a-0.3", "build", "dev", "run", "uv"]
OURS = {"hector", "hector-plugin"}


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_pins_every_package_by_hash_and_by_nothing_else(root: Path, name: str) -> None:
    entries = list(entries_of(root, name))
    assert entries
    for entry in entries:
        requirement, *hashes = entry.replace("\\\n", "\n").split("\n    --hash=")
        assert re.fullmatch(r"[a-z0-9.-]+==[^ ]+( ; .+)?\s*", requirement), requirement
        assert hashes, f"{requirement} has no hash"
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}\s*", value) for value in hashes), requirement
        assert requirement.split("==")[0] not in OURS


@pytest.mark.parametrize("name", ["build", "run", "uv"])
def test_the_smaller_locks_are_parts_of_the_one_that_tests_use(root: Path, name: str) -> None:
    assert pins_of(root, name).items() <= pins_of(root, "dev").items()


@pytest.mark.parametrize(("name", "extras"), [("run", {"all"}), ("dev", {"all", "dev"})])
def test_a_lock_satisfies_what_the_project_asks_for(root: Path, name: str, extras: set[str]) -> None:
    """After editing dependencies: make lock."""
    pins = pins_of(root, name)
    unsatisfied = [
        str(asked)
        for asked in asked_by_both_wheels(root, extras)
        if not any(
            asked.specifier.contains(pin, prereleases=True)
            for pin in pins.get(canonicalize_name(asked.name), ())
        )
    ]
    assert unsatisfied == []


def asked_by_both_wheels(root: Path, extras: set[str]) -> Iterator[Requirement]:
    """Give every requirement of ours on others, with those of the extras."""
    for file in ("pyproject.toml", "plugins/pyproject.toml"):
        project = tomllib.loads((root / file).read_text())["project"]
        optional = project.get("optional-dependencies", {})
        asked = [Requirement(line) for line in project["dependencies"]]
        wanted = [extra for extra in optional if extra in extras]
        while wanted:
            for requirement in map(Requirement, optional[wanted.pop()]):
                if requirement.name == project["name"]:
                    wanted += requirement.extras
                asked.append(requirement)
        yield from (requirement for requirement in asked if requirement.name not in OURS)


def pins_of(root: Path, name: str) -> dict[str, tuple[str, ...]]:
    """Give each package of a lock its versions; there are several where they depend on the Python."""
    pins: dict[str, tuple[str, ...]] = {}
    for entry in entries_of(root, name):
        package, version = re.split("==| |\n", entry)[:2]
        pins[package] = (*pins.get(package, ()), version)
    return pins


def entries_of(root: Path, name: str) -> Iterator[str]:
    """Split a lock into its packages, comments left out."""
    text = (root / "requirements" / f"{name}.txt").read_text()
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    return (entry for entry in re.split(r"\n(?=\S)", "\n".join(lines)) if entry.strip())
