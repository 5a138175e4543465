"""Ours: version 1 of the plugins' contracts is frozen; what would break a plugin is refused."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

TOOL = "hector/tool/v1/tool.proto"


@pytest.fixture
def contracts(root: Path, tmp_path: Path) -> Path:
    """A copy of the contracts."""
    shutil.copytree(root / "proto/hector", tmp_path / "proto/hector")
    shutil.copyfile(root / "buf.yaml", tmp_path / "buf.yaml")
    return tmp_path


def compared(root: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    script = root / "scripts/frozen_contracts.py"
    return subprocess.run(
        [sys.executable, str(script), str(folder)], capture_output=True, text=True, timeout=60, check=False
    )


def test_the_contracts_are_what_was_frozen_or_more(root: Path) -> None:
    done = compared(root, root)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_what_is_added_is_no_breaking_change(root: Path, contracts: Path) -> None:
    changed(
        contracts, "message ListToolsRequest {", "message ListToolsRequest {\n  // New.\n  bool fresh = 99;"
    )
    assert compared(root, contracts).returncode == 0


@pytest.mark.parametrize(
    ("was", "becomes"),
    [
        ("rpc ListTools(", "rpc GiveTools("),
        ("  string tool = 1;", "  string name = 1;"),
        ("  string tool = 1;", "  string tool = 41;"),
        ("  string tool = 1;", "  bytes tool = 1;"),
        ("returns (stream StreamToolResponse)", "returns (StreamToolResponse)"),
    ],
)
def test_what_would_break_a_plugin_is_refused(root: Path, contracts: Path, was: str, becomes: str) -> None:
    changed(contracts, was, becomes)
    done = compared(root, contracts)
    assert done.returncode != 0
    assert TOOL in done.stdout
    assert "version 1 of the contracts is frozen" in done.stderr


def test_a_whole_contract_cannot_be_taken_away(root: Path, contracts: Path) -> None:
    shutil.rmtree(contracts / "proto/hector/guardrail")
    done = compared(root, contracts)
    assert done.returncode != 0
    assert "guardrail.proto" in done.stdout


def changed(contracts: Path, was: str, becomes: str) -> None:
    file = contracts / "proto" / TOOL
    text = file.read_text(encoding="utf-8")
    assert was in text
    file.write_text(text.replace(was, becomes), encoding="utf-8")
