"""`hector plugin new`: what it writes is conformant at once, and an agent can use it."""

import asyncio
import json
import os
import re
import signal
import sys
import tempfile
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner
from support.processes import HECTOR

from hector_plugin.conformance import Outcome, Subject, run
from hector_runtime.cli.plugin import command
from hector_runtime.cli.plugin_here import plugin_here
from hector_runtime.cli.plugin_new import KINDS as KINDS_TO_CHOOSE
from hector_runtime.config import load_config
from hector_runtime.new_plugin import KINDS, LANGUAGES, PluginNotMade, kinds_in, kits, make
from hector_runtime.plugins.folder import walk
from hector_runtime.plugins.manifest import read
from hector_runtime.plugins.packages.packing import pack

OF_A_KIND = ("TO", "LM", "EM", "RE", "PA", "AG", "GU", *(f"DB{number}" for number in range(1, 10)))
"""Rules about one kind; DB10 takes thousands of records."""


@pytest.mark.parametrize("kind", KINDS)
async def test_a_new_plugin_is_conformant_and_its_config_loads(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "python", kind, tmp_path / "new")
    assert {"main.py", "test_main.py", "plugin.yaml", "hector.yaml", "README.md"} <= set(map(str, made.files))
    assert read(made.folder / "plugin.yaml").says.kinds == (KINDS[kind],)
    assert load_config(made.folder / "hector.yaml").config.agents
    here = plugin_here(made.folder)
    assert (here.name, here.command[0]) == ("my-thing", sys.executable)
    report = await run(Subject(command=here.command, only=frozenset({"H5", "I", "E", *OF_A_KIND})))
    assert [verdict for verdict in report.verdicts if verdict.outcome is Outcome.FAIL] == []
    assert (report.name, report.kinds) == ("my-thing", (KINDS[kind],))


@pytest.mark.parametrize("kind", KINDS)
def test_a_kind_may_be_called_as_manifests_call_it(tmp_path: Path, kind: str) -> None:
    into = tmp_path / "new"
    done = CliRunner().invoke(command, ["new", "my-thing", "--kind", KINDS[kind], "--into", str(into)])
    assert (done.exit_code, done.exception) == (0, None)
    assert read(into / "plugin.yaml").says.kinds == (KINDS[kind],)


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


@pytest.mark.parametrize(
    ("language", "kind"), [(language, kind) for language in LANGUAGES for kind in kinds_in(language)]
)
def test_a_new_plugin_bears_its_name_in_every_language(tmp_path: Path, language: str, kind: str) -> None:
    made = make("my-thing", language, kind, tmp_path / "new")
    written = {file: (made.folder / file).read_text() for file in made.files}
    own = re.compile(r"hector[-_]example|HectorExample|example-(" + "|".join(KINDS) + ")")
    assert [file for file, text in written.items() if own.search(f"{file}\n{text}")] == []
    assert any("my-thing" in text for file, text in written.items() if file.suffix not in {".yaml", ".md"})
    assert read(made.folder / "plugin.yaml").name == "my-thing"
    assert (made.folder / "hector-sdk").is_dir() is (language != "python")


async def test_a_plugin_in_the_making_is_started_anew_when_a_file_is_saved(tmp_path: Path) -> None:
    made = make("my-thing", "python", "tool", tmp_path / "new")
    with tempfile.TemporaryDirectory(prefix="hector-") as short:  # a socket's path is short
        process = await asyncio.create_subprocess_exec(
            *(HECTOR, "plugin", "dev", "--listen", f"unix:{short}/p.sock"),
            cwd=made.folder,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            async with asyncio.timeout(60):
                await said(process, "my-thing listens on")
                main = made.folder / "main.py"
                main.write_text(main.read_text().replace('name="my-thing"', 'name="renamed"'))
                await said(process, "changed: main.py")
                await said(process, "renamed listens on")
                process.send_signal(signal.SIGINT)
                await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
                await process.communicate()
        assert process.returncode == 130
        assert os.listdir(short) == []  # noqa: PTH208  in an async test


async def said(process: asyncio.subprocess.Process, words: str) -> None:
    assert process.stderr is not None
    while words not in (line := (await process.stderr.readline()).decode()):
        assert line, "it ended"


@pytest.mark.parametrize("language", LANGUAGES)
def test_there_is_every_kind_in_every_language_and_no_other(tmp_path: Path, language: str) -> None:
    assert kinds_in(language) == tuple(KINDS) == KINDS_TO_CHOOSE
    with pytest.raises(PluginNotMade) as refused:
        make("my-thing", language, "oracle", tmp_path / "new")
    assert f"no example of the kind oracle in {language} (there are: tool, llm" in str(refused.value)
    assert not (tmp_path / "new").exists()


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
    assert 'hector call -c hector.yaml "upper: hello"' in told.output
    assert "python -m unittest" in told.output
    assert "name='my-tools'" in (tmp_path / "there/main.py").read_text().replace('"', "'")


BUILT = {
    "python": [],
    "go": ["my-thing"],
    "typescript": ["dist/main.cjs", "node_modules/x/index.js"],
    "rust": ["target/release/my-thing", "target/release/deps/x.o"],
    "java": ["target/my-thing/my-thing-1.0.0.jar", "target/my-thing/classes/Main.class", "target/lib/x.jar"],
}
PACKED = {
    "python": {"main.py", "requirements.txt", "README.md"},
    "go": {"my-thing"},
    "typescript": {"dist/main.cjs"},
    "rust": {"target/release/my-thing"},
    "java": {"my-thing", "target/my-thing/my-thing-1.0.0.jar", "target/lib/x.jar"},
}


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_new_plugin_is_packed_without_what_its_author_has_beside_it(tmp_path: Path, language: str) -> None:
    made = make("my-thing", language, "tool", tmp_path / "new")
    for name in BUILT[language]:
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).write_text("")
    packed = pack(made.folder, tmp_path / "p.tar.gz", dry=True)
    assert set(packed.files) == {"plugin.yaml", *PACKED[language]}


@pytest.mark.parametrize("kind", kinds_in("typescript"))
def test_a_new_typescript_plugin_names_the_packages_that_ci_builds_with(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "typescript", kind, tmp_path / "new")
    text = "".join(path.read_text() for path in made.folder.glob("*.ts"))
    imported = set(re.findall(r'from "(@?[\w-]+)', text)) - {"node", "@hector"}
    written = json.loads((made.folder / "package.json").read_text())["dependencies"]
    built = json.loads((kits() / "examples/typescript/package.json").read_text())["dependencies"]
    assert written == {"@hector/plugin": "file:./hector-sdk"} | {name: built[name] for name in imported}


@pytest.mark.parametrize("kind", kinds_in("rust"))
def test_a_new_rust_plugin_has_the_crates_of_the_example_that_ci_builds(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "rust", kind, tmp_path / "new")
    written = tomllib.loads((made.folder / "Cargo.toml").read_text())["dependencies"]
    built = tomllib.loads((kits() / "examples/rust" / kind / "Cargo.toml").read_text())["dependencies"]
    assert {crate: written.get(crate) for crate in built} == {
        **built,
        "hector-plugin": {"path": "hector-sdk"},
    }


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_is_built_of_a_new_plugin_is_none_of_its_repository(tmp_path: Path, language: str) -> None:
    made = make("my-thing", language, "tool", tmp_path / "new")
    sources = {name for name, _ in walk(made.folder)}
    for name in [*BUILT[language], "my-thing-1.0.0.tar.gz", "hector.db-wal"]:
        (made.folder / name).parent.mkdir(parents=True, exist_ok=True)
        (made.folder / name).write_text("")
    assert {name for name, _ in walk(made.folder)} == sources


@pytest.mark.parametrize("kind", KINDS)
def test_the_agent_of_a_new_plugin_reads_notes_and_not_its_source(tmp_path: Path, kind: str) -> None:
    made = make("my-thing", "python", kind, tmp_path / "new")
    config = (made.folder / "hector.yaml").read_text()
    assert "path: .}" not in config
    assert (made.folder / "notes").is_dir() is ("path: ./notes" in config)


@pytest.mark.parametrize(
    ("language", "kind"), [(language, kind) for language in LANGUAGES for kind in kinds_in(language)]
)
def test_a_new_plugin_has_a_test_and_is_told_to_run_it(tmp_path: Path, language: str, kind: str) -> None:
    made = make("my-thing", language, kind, tmp_path / "new")
    assert [file for file in made.files if "test" in file.name.lower()]
    assert any(" test" in step or "unittest" in step for step in made.steps)


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
