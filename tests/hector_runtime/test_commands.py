"""The command line, without processes of its own: help, validate, info, schema, completion."""

import json

import pytest
from support.command_line import hector_does, nowhere

from hector_runtime.cli import COMMANDS


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the default address."""
    return nowhere(tmp_path, monkeypatch)


def test_help_lists_every_command_and_each_explains_itself():
    listed = hector_does("--help").output
    for name in COMMANDS:
        assert name in listed
        shown = hector_does(name, "--help")
        assert shown.exit_code == 0
        assert COMMANDS[name].split()[0] in listed


def test_an_unknown_command_is_a_usage_error():
    assert hector_does("srve").exit_code == 2


def test_version_names_itself_and_python():
    assert "hector " in hector_does("version").output
    assert "Python 3" in hector_does("version").output


def test_a_good_file_is_valid_and_its_agents_are_named(folder):
    (folder / "hector.yaml").write_text("agents: {writer: {}}\n")
    for arguments in (["hector.yaml"], ["-c", "hector.yaml"], []):
        result = hector_does("validate", *arguments)
        assert result.exit_code == 0
        assert result.stdout == "hector.yaml: valid (agents: writer)\n"


def test_a_bad_file_is_told_with_every_problem_and_its_place(folder):
    (folder / "bad.yaml").write_text("agents:\n  a: {instructon: x}\nllm: {}\n")
    result = hector_does("validate", "bad.yaml")
    assert result.exit_code == 1
    assert result.stdout == ""
    assert "bad.yaml:2:7: agents.a.instructon" in result.stderr
    assert "bad.yaml:3:1: llm" in result.stderr
    assert "bad.yaml: 2 problems" in result.stderr


def test_the_verbose_form_has_what_was_found_and_allowed_on_lines_of_their_own(folder):
    (folder / "bad.yaml").write_text("agents: {a: {streaming: 'yes'}}\n")
    lines = hector_does("validate", "bad.yaml", "--format", "verbose").stderr.splitlines()
    assert lines[0].startswith("bad.yaml:1:25: agents.a.streaming: ")
    assert "    allowed: true or false" in lines


def test_several_files_are_checked_and_one_bad_is_enough(folder):
    (folder / "good.yaml").write_text("agents: {a: {}}\n")
    (folder / "bad.yaml").write_text("agent: {}\n")
    result = hector_does("validate", "good.yaml", "bad.yaml")
    assert result.exit_code == 1
    assert "good.yaml: valid" in result.stdout
    assert "bad.yaml: 1 problem" in result.stderr


def test_the_json_form_is_json_whatever_happens(folder):
    (folder / "good.yaml").write_text("llms: {m: {type: local}}\n")
    (folder / "bad.yaml").write_text("agent: {}\n")
    good = hector_does("validate", "good.yaml", "-f", "json")
    assert good.exit_code == 0
    found = json.loads(good.stdout)
    assert (found["valid"], found["errors"]) == (True, [])
    assert found["warnings"][0]["path"] == "llms.m.type"
    both = hector_does("validate", "good.yaml", "bad.yaml", "missing.yaml", "-f", "json")
    assert both.exit_code == 1
    assert [entry["valid"] for entry in json.loads(both.stdout)] == [True, False, False]


def test_warnings_are_shown_and_make_no_file_bad(folder):
    (folder / "old.yaml").write_text("llms: {m: {type: local}}\n")
    result = hector_does("validate", "old.yaml")
    assert result.exit_code == 0
    assert "warning: old.yaml:1:12: llms.m.type: old spelling, now llms.m.provider" in result.stderr


def test_without_a_file_there_must_be_a_usual_one():
    result = hector_does("validate")
    assert result.exit_code == 2
    assert "hector validate FILE" in result.stderr


def test_info_of_a_file_has_what_it_offers(folder):
    (folder / "hector.yaml").write_text("agents: {writer: {llm: m}}\nllms: {m: {provider: local}}\n")
    found = json.loads(hector_does("info", "--config", "hector.yaml", "-f", "json").stdout)
    assert [agent["name"] for agent in found["agents"]] == ["writer"]
    assert found["llms"] == [{"name": "m", "provider": "local", "model": "offline"}]
    assert "writer (default): " in hector_does("info", "-c", "hector.yaml").stdout
    missing = hector_does("info", "writr", "-c", "hector.yaml")
    assert missing.exit_code == 1
    assert "did you mean 'writer'?" in missing.stderr


def test_version_is_json_for_programs():
    facts = json.loads(hector_does("version", "--format", "json").stdout)
    assert facts.keys() == {"version", "commit", "built", "python", "system"}


def test_schema_is_json_on_many_lines_or_on_one():
    whole, compact = hector_does("schema").stdout, hector_does("schema", "--compact").stdout
    assert json.loads(whole) == json.loads(compact)
    assert compact.count("\n") == 1


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_is_told_how_to_complete(shell):
    told_ = hector_does("completion", shell).stdout
    assert "_HECTOR_COMPLETE" in told_


def test_the_config_in_effect_is_printed_without_secrets(folder):
    (folder / "hector.yaml").write_text("llms: {m: {api_key: very-secret}}\n")
    shown = hector_does("validate", "-p")
    assert shown.exit_code == 0
    assert "***" in shown.stdout
    assert "very-secret" not in shown.stdout
    assert "valid" in shown.stderr
