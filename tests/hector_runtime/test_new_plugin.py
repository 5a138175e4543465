"""`hector plugin new`: what it writes is conformant at once, and an agent can use it."""

import asyncio
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from hector_plugin.conformance import Outcome, Subject, run
from hector_runtime.cli.plugin import command
from hector_runtime.cli.plugin_here import plugin_here
from hector_runtime.config import load_config
from hector_runtime.new_plugin import KINDS, PluginNotMade, make
from hector_runtime.plugins.manifest import read


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_plugin_is_conformant_and_its_config_loads(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "python", kind, tmp_path / "new")
    assert {"main.py", "test_main.py", "plugin.yaml", "hector.yaml", "README.md"} <= set(map(str, made.files))
    assert read(made.folder / "plugin.yaml").says.kinds == (KINDS[kind],)
    assert load_config(made.folder / "hector.yaml").config.agents
    here = plugin_here(made.folder)
    assert (here.name, here.command[0]) == ("my-thing", sys.executable)
    report = await run(
        Subject(command=here.command, only=frozenset({"H5", "I", "E", "TO", "LM", "EM", "RE"}))
    )
    assert [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL] == []
    assert (report.name, report.kinds) == ("my-thing", (KINDS[kind],))


@pytest.mark.parametrize("kind", KINDS)
async def test_the_tests_of_a_new_plugin_pass(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "python", kind, tmp_path / "new")
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "unittest"), cwd=made.folder, stderr=asyncio.subprocess.PIPE
    )
    try:
        async with asyncio.timeout(60):
            _, said = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
    assert process.returncode == 0, said.decode()
    assert b"Ran 0 tests" not in said


def test_nothing_is_overwritten(tmp_path: Path) -> None:
    (tmp_path / "kept").write_text("mine")
    with pytest.raises(PluginNotMade, match="is not empty: name another place with --into"):
        make("my-thing", "python", "tool", tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]


@pytest.mark.parametrize("name", ["", "My", "a_b", "-a", "a-", "a--b", "../a", "a b"])
def test_a_name_is_one_everywhere(tmp_path: Path, name: str) -> None:
    with pytest.raises(PluginNotMade, match="is no name for a plugin"):
        make(name, "python", "tool", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_the_command_says_what_comes_next(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["new", "my-tools", "--into", str(tmp_path / "there")])
    assert told.exit_code == 0, told.output
    assert "hector plugin test" in told.output
    assert "name='my-tools'" in (tmp_path / "there/main.py").read_text().replace('"', "'")


def test_a_test_of_nothing_says_what_is_missing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    told = CliRunner().invoke(command, ["test"])
    assert told.exit_code == 2
    assert "there is no plugin.yaml in" in told.output


def test_contracts_are_handed_out(tmp_path: Path) -> None:
    told = CliRunner().invoke(command, ["protos", str(tmp_path)])
    assert told.exit_code == 0, told.output
    assert "package hector.tool.v1;" in (tmp_path / "hector/tool/v1/tool.proto").read_text()
    assert (tmp_path / "hector/plugin/v1/plugin.proto").is_file()
