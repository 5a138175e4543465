"""`hector plugin doctor` and `hector validate` say what this machine cannot confine."""

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from hector_plugin_host.sandbox import Machine
from hector_runtime.cli.plugin_doctor import command as doctor
from hector_runtime.cli.validate import command as validate

CONFIG = """
plugins:
  tool_providers:
    upper: {path: ./upper.py, security: {sandbox: true}}
    other: {path: ./upper.py, security: {sandbox: best-effort}}
tools:
  shout: {type: "plugin:upper"}
  whisper: {type: "plugin:other"}
agents:
  a: {tools: [shout, whisper]}
"""
WHY = "bwrap: No permissions to create new namespace"
NOTHING = Machine(
    "linux", "5.10", bubblewrap_missing=WHY, landlock_missing="unavailable (kernel 5.10 < 5.13)"
)
BOTH = Machine("linux", "6.1", bubblewrap="/usr/bin/bwrap", landlock=4, filters=True, asks=True)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    (tmp_path / "upper.py").write_text("")
    path = tmp_path / "hector.yaml"
    path.write_text(CONFIG)
    return path


def on(monkeypatch: pytest.MonkeyPatch, machine: Machine) -> None:
    for name in ("hector_plugin_host.sandbox.survey", "hector_plugin_host.sandbox.refusing.survey"):
        monkeypatch.setattr(name, lambda: machine)


def test_it_says_what_works(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, BOTH)
    told = CliRunner().invoke(doctor, ["-f", "json"])
    found = json.loads(told.output)
    assert told.exit_code == 0
    assert (found["bubblewrap"], found["landlock"]) == ("works (/usr/bin/bwrap)", "works (version 4)")
    assert found["plugins_get"] == "bubblewrap"
    assert found["max_processes"] == "asked before each one"


def test_it_says_what_does_not_and_why(monkeypatch: pytest.MonkeyPatch) -> None:
    on(monkeypatch, NOTHING)
    told = CliRunner().invoke(doctor)
    assert told.exit_code == 1
    assert f"bubblewrap     {WHY}\n" in told.output
    assert "plugins get    none\n" in told.output


def test_it_says_what_each_plugin_of_a_config_gets(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    on(monkeypatch, NOTHING)
    told = CliRunner().invoke(doctor, ["-c", str(config)])
    assert told.exit_code == 1
    assert "upper: sandbox required, gets none\n" in told.output
    assert "other: sandbox best-effort, gets none\n" in told.output
    on(monkeypatch, BOTH)
    told = CliRunner().invoke(doctor, ["-c", str(config)])
    assert told.exit_code == 0
    assert "upper: sandbox required, gets bubblewrap\n" in told.output


def test_validate_says_what_cannot_be_confined(monkeypatch: pytest.MonkeyPatch, config: Path) -> None:
    on(monkeypatch, NOTHING)
    told = CliRunner().invoke(validate, [str(config)])
    assert told.exit_code == 1
    assert (
        'plugins.tool_providers.upper.security: plugin "upper": security.sandbox is required '
        f"but this machine cannot confine it\n  bubblewrap  : {WHY}\n"
    ) in told.output
    assert "other" not in told.output
    on(monkeypatch, BOTH)
    assert CliRunner().invoke(validate, [str(config)]).exit_code == 0
