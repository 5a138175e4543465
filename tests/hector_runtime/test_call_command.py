"""`hector call` and `chat` in this process: text in, text out, exit codes."""

import json
from contextlib import asynccontextmanager

import pytest
from support.command_line import hector_does, nowhere

import hector_a2a as a2a
from hector_runtime.cli import server as cli_server


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the default address."""
    return nowhere(tmp_path, monkeypatch)


class Says:
    """A server whose agent answers what the test says."""

    def __init__(self, *responses):
        self.responses = responses

    async def ask(self, request):
        for response in self.responses:
            yield response


def answering(monkeypatch, state, text):
    first, last = a2a.StreamResponse(), a2a.StreamResponse()
    first.task.id, first.task.context_id = "t-1", "c-1"
    last.status_update.status.state = state
    last.status_update.status.message.parts.add(text=text)

    @asynccontextmanager
    async def asker(source, session=""):
        yield Says(first, last)

    monkeypatch.setattr(cli_server, "asker", asker)


def test_without_a_server_and_a_file_the_offline_assistant_answers(folder):
    result = hector_does("call", "Hello")
    assert result.exit_code == 0, result.output
    assert "offline model" in result.stdout
    assert list(folder.iterdir()) == []


def test_text_comes_from_standard_input():
    piped = hector_does("call", "assistant", "-", text="My name is Ada.\n")
    assert piped.exit_code == 0
    assert piped.stdout == hector_does("call", "My name is Ada.").stdout
    assert piped.stdout != hector_does("call", "Hello").stdout
    assert hector_does("call", "-", text=" \n").exit_code == 2


def test_the_json_form_has_task_session_state_and_text():
    result = hector_does("call", "--format", "json", "Hello")
    found = json.loads(result.stdout)
    assert found["state"] == "completed"
    assert found["error"] is None
    assert found["task"]
    assert found["session"]
    assert found["text"]


def test_no_stream_prints_the_same_answer_at_once():
    assert hector_does("call", "--no-stream", "Hello").stdout == hector_does("call", "Hello").stdout


def test_an_unknown_agent_is_answered_with_those_there_are(folder):
    (folder / "hector.yaml").write_text("agents: {writer: {}, reader: {}}\n")
    result = hector_does("call", "wrter", "Hello")
    assert result.exit_code == 1
    assert "writer, reader" in result.stderr


def test_a_session_goes_on_where_it_is_kept(folder):
    first = hector_does("call", "--database", "sqlite://kept.db", "--format", "json", "My name is Ada.")
    session = json.loads(first.stdout)["session"]
    again = hector_does("call", "--database", "sqlite://kept.db", "--session", session, "What is my name?")
    assert "Ada" in again.stdout


@pytest.mark.parametrize(
    "arguments",
    [
        ["call"],
        ["call", ""],
        ["call", " "],
        ["call", "three", "words", "here"],
        ["call", "--agent", "a", "b", "text"],
        ["call", "--url", "http://127.0.0.1:9", "--config", "x.yaml", "text"],
        ["call", "--url", "http://127.0.0.1:9", "--provider", "local", "text"],
        ["call", "--format", "yaml", "text"],
        ["serve", "--workers", "0"],
        ["serve", "--port", "70000"],
        ["serve", "--config", "x.yaml", "--model", "m"],
        ["call", "--config", "x.yaml", "--provider", "local", "text"],
        ["call", "--timeout", "0", "text"],
        ["call", "--token", "two words", "text"],
        ["chat", "one", "--agent", "another"],
        ["info", "--config", "x.yaml", "--url", "http://127.0.0.1:9"],
        ["task"],
        ["task", "get"],
        ["task", "list", "--page", "x"],
        ["task", "list", "--state", "busy"],
        ["completion", "tcsh"],
        ["serve", "--docs-folder", "missing"],
        ["validate", "--format", "yaml", "x"],
    ],
    ids=" ".join,
)
def test_what_is_not_understood_is_a_usage_error(arguments):
    result = hector_does(*arguments)
    assert result.exit_code == 2
    assert "Usage:" in result.stderr


def test_flags_for_a_folder_without_file_are_refused_where_there_is_one(folder):
    (folder / "hector.yaml").write_text("agents: {a: {}}\n")
    for command in (["serve", "--port", "0"], ["call", "text"]):
        result = hector_does(*command, "--model", "m")
        assert result.exit_code == 2
        assert "put it into hector.yaml" in result.stderr


def test_nobody_at_the_url_is_said_with_the_next_step():
    result = hector_does("call", "--url", "http://127.0.0.1:9", "Hello")
    assert result.exit_code == 3
    assert result.stderr.startswith("Error: no server answers at http://127.0.0.1:9")
    assert "hector serve" in result.stderr


def test_an_agent_that_waits_for_more_is_an_exit_code_of_its_own(monkeypatch):
    answering(monkeypatch, a2a.TASK_STATE_INPUT_REQUIRED, "Which one?")
    asked = hector_does("call", "Hello")
    assert (asked.exit_code, asked.stdout) == (5, "Which one?\n")
    assert "hector call --task t-1" in asked.stderr
    found = json.loads(hector_does("call", "Hello", "-f", "json").stdout)
    assert (found["state"], found["error"]) == ("input_required", "Which one?")


@pytest.mark.parametrize("state", [a2a.TASK_STATE_FAILED, a2a.TASK_STATE_CANCELED, a2a.TASK_STATE_REJECTED])
def test_an_agent_that_does_not_answer_fails_the_command(monkeypatch, state):
    answering(monkeypatch, state, "not today")
    asked = hector_does("call", "Hello")
    assert (asked.exit_code, asked.stdout, asked.stderr) == (1, "", "Error: not today\n")


def test_the_model_of_one_question_can_be_chosen_without_a_server_too(folder):
    default, off = "{provider: openai, base_url: 'http://127.0.0.1:9'}", "{provider: local}"
    text = f"agents: {{a: {{tools: []}}}}\nllms: {{default: {default}, off: {off}}}\n"
    (folder / "hector.yaml").write_text(text)
    assert "offline model" in hector_does("call", "-c", "hector.yaml", "--llm", "off", "Hello").stdout
    gone = hector_does("call", "-c", "hector.yaml", "--llm", "of", "Hello")
    assert gone.exit_code == 1
    assert "llms.off" in gone.stderr


def test_a_session_that_nobody_keeps_is_said_to_begin_anew(folder):
    asked = hector_does("call", "--provider", "local", "--session", "s-1", "Hello")
    assert asked.exit_code == 0
    assert "the session begins anew" in asked.stderr
