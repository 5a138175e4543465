"""What stops a start: one clear line, and nothing half done."""

import pytest
from support.command_line import hector_does, nowhere


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the default address."""
    return nowhere(tmp_path, monkeypatch)


NOT_HERE = ("--host", "192.0.2.1", "--auth-secret", "s3cret")
STARTS = {
    "a file where the state folder goes": ({".hector": "x"}, [], [".hector"]),
    "a database that is none": ({".hector/hector.db": "x" * 5000}, [], ["hector.db"]),
    "a config with an error": ({"hector.yaml": "agent: {}"}, [], ["hector.yaml:1:1", "agents"]),
    "a variable that is not set": (
        {"hector.yaml": "agents: {a: {instruction: '${NOPE}'}}"},
        [],
        ["NOPE", "hector.yaml:1:"],
    ),
    "a config that is not there": ({}, ["--config", "gone.yaml"], ["gone.yaml"]),
    "a bad SKILL.md": ({"SKILL.md": "hello"}, [], ["SKILL.md"]),
    "a role that is none": ({}, ["--role", "lmm"], ["lmm", "llm"]),
    "a role without address": ({}, ["--role", "agent", "--listen", "unix:a.sock"], ["mesh:"]),
    "a listener for strangers": ({}, ["--role", "llm", "--listen", "0.0.0.0:0"], ["mesh:", "token"]),
    "an address that is none": ({}, ["--role", "llm", "--listen", "nowhere"], ["nowhere"]),
    "a socket in a folder that cannot be": (
        {"x": ""},
        ["--role", "llm", "--listen", "unix:x/llm.sock"],
        ["x/llm.sock"],
    ),
    "a database of no kind": ({}, ["--database", "what://x"], ["--database", "sqlite://"]),
    "a host that is not of this machine's": (
        {},
        ["--host", "192.0.2.1", "--auth-secret", "x"],
        ["192.0.2.1", "--host"],
    ),
}


def test_a_working_folder_that_is_gone_is_said_to_be(folder, monkeypatch):
    gone = folder / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    try:
        refused = hector_does("serve", "--port", "0")
    finally:
        monkeypatch.chdir(folder)
    assert refused.exit_code == 2
    assert "the working folder is gone" in refused.output


def test_a_line_of_the_environment_that_means_nothing_is_a_warning_without_a_file_too(folder):
    (folder / ".env").write_text('KEY="never closed\n')
    assert ".env:1:1: ignored: this is not NAME=value" in hector_does("call", "Hello").stderr


def test_a_role_that_nobody_could_reach_is_not_started(folder):
    refused = hector_does("serve", "--role", "llm")
    assert refused.exit_code == 2
    assert "nobody could reach llm here: add --listen" in refused.output


@pytest.mark.parametrize("name", ["a folder", "a link to nowhere"])
def test_a_config_file_that_cannot_be_read_is_not_overlooked(name, folder):
    usual = folder / "hector.yaml"
    if name == "a folder":
        usual.mkdir()
    else:
        usual.symlink_to("nowhere.yaml")
    for command in (["serve", "--port", "0"], ["validate"], ["call", "hi"]):
        refused = hector_does(*command)
        assert refused.exit_code == 1
        assert "hector.yaml: cannot be read" in refused.output


@pytest.mark.parametrize("case", STARTS)
def test_what_stops_a_start_is_one_clear_line(case, folder):
    files, arguments, named = STARTS[case]
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    if "--listen" not in arguments:
        arguments = ["--port", "0", "--grpc-port", "0", *arguments]
    failed = hector_does("serve", *arguments)
    assert failed.exit_code == 1, failed.output
    assert failed.stdout == ""
    lines = [line for line in failed.stderr.splitlines() if " INFO " not in line]
    assert len(lines) == 1, failed.stderr
    assert lines[0].startswith("Error: ")
    for word in named:
        assert word in lines[0]
