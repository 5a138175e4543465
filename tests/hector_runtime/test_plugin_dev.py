"""`hector plugin dev` builds and starts anew for what an author edits, and for nothing else."""

import asyncio
from pathlib import Path

import pytest

from hector_runtime.cli.plugin_dev import developed
from hector_runtime.cli.plugin_here import plugin_here

MANIFEST = """
plugin:
  name: made
  version: 1.0.0
  type: tool_provider
  command: [./made]
  build: ["BUILD"]
"""
# A program that differs with its source, and ends at once.
BUILD = "cat `which true` main.txt > made && chmod +x made && date +%N > package-lock.json"


class Said:
    """What `hector plugin dev` has said so far."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.lines: list[str] = []
        self._more = asyncio.Event()
        monkeypatch.setattr("hector_runtime.cli.plugin_dev.click.echo", self._say)

    def _say(self, line: str, **_: object) -> None:
        self.lines.append(line)
        self._more.set()

    async def times(self, words: str, number: int) -> None:
        while sum(words in line for line in self.lines) < number:
            self._more.clear()
            await self._more.wait()

    def all_of(self, words: str) -> list[str]:
        return [line.removeprefix(words) for line in self.lines if line.startswith(words)]


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> Said:
    return Said(monkeypatch)


def project(folder: Path, build: str) -> Path:
    (folder / "main.txt").write_text("one")
    (folder / "plugin.yaml").write_text(MANIFEST.replace("BUILD", build))
    return folder


async def test_what_a_build_a_server_or_git_ignores_writes_starts_nothing_anew(
    tmp_path: Path, said: Said
) -> None:
    folder = project(tmp_path, BUILD)
    (folder / ".gitignore").write_text("/made-here/\n*.txt.bak\n")
    for name in (".hector", "made-here"):
        (folder / name).mkdir()
    here = plugin_here(folder, built=False)
    working = asyncio.create_task(developed(here, "127.0.0.1:1", is_named=False))
    try:
        async with asyncio.timeout(30):
            await said.times("it ended with 0", 1)
            (folder / "main.txt").write_text("two")
            await said.times("it ended with 0", 2)
            for name in (".hector/hector.db-wal", "hector.db-wal", "made-here/x", "main.txt.bak", "made"):
                (folder / name).write_text("other")
            (folder / "main.txt").write_text("three")
            await said.times("it ended with 0", 3)
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert said.all_of("changed: ") == ["main.txt", "main.txt"]
    assert len([line for line in said.lines if line.startswith("cat ")]) == 3


async def test_an_edit_while_it_builds_is_built_too(tmp_path: Path, said: Said) -> None:
    edit = "cp main.txt .read && ([ -f late ] || echo two > main.txt) && touch late"
    folder = project(tmp_path, f"{edit} && {BUILD.replace('main.txt', '.read')}")
    working = asyncio.create_task(developed(plugin_here(folder, built=False), "127.0.0.1:1", is_named=False))
    try:
        async with asyncio.timeout(30):
            await said.times("it ended with 0", 1)
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert said.all_of("changed: ") == ["late, main.txt"]
    assert (folder / "made").read_bytes().endswith(b"two\n")


async def test_a_build_that_writes_a_source_each_time_does_not_go_on_for_ever(
    tmp_path: Path, said: Said
) -> None:
    folder = project(tmp_path, f"date +%N > stamp.txt; {BUILD}")
    working = asyncio.create_task(developed(plugin_here(folder, built=False), "127.0.0.1:1", is_named=False))
    try:
        async with asyncio.timeout(30):
            await said.times("it ended with 0", 1)
    finally:
        working.cancel()
        await asyncio.wait([working])
    assert any("the build writes stamp.txt" in line and ".gitignore" in line for line in said.lines)


async def test_a_manifest_that_is_none_for_a_while_is_waited_for(tmp_path: Path, said: Said) -> None:
    folder = project(tmp_path, BUILD)
    good = (folder / "plugin.yaml").read_text()
    working = asyncio.create_task(developed(plugin_here(folder, built=False), "127.0.0.1:1", is_named=False))
    try:
        async with asyncio.timeout(30):
            await said.times("it ended with 0", 1)
            (folder / "plugin.yaml").write_text("plugin: 7\n")
            await said.times("waiting for a change", 2)
            (folder / "plugin.yaml").write_text(good)
            await said.times("it ended with 0", 2)
    finally:
        working.cancel()
        await asyncio.wait([working])
