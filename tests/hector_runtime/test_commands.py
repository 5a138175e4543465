"""The command line, without processes of its own: usage, errors, output, exit codes."""

import asyncio
import json
import os
import signal
from contextlib import asynccontextmanager

import click
import grpc
import pytest
from click.testing import CliRunner

import hector_a2a as a2a
from hector_mesh import HectorError
from hector_runtime.cli import COMMANDS, hector, running
from hector_runtime.cli import server as cli_server
from hector_runtime.cli.running import run, told
from hector_runtime.cli.serve import overrides_of
from hector_runtime.cli.settings import FlagRefused, indexed_anew, overridden
from hector_runtime.config import load_config

UNSET = ("HECTOR_URL", "HECTOR_TOKEN", "HECTOR_HOST", "HECTOR_AUTH_SECRET", "HECTOR_DEBUG", "OPENAI_API_KEY")


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    """Run in an empty folder, with nobody at the default address."""
    monkeypatch.chdir(tmp_path)
    for name in UNSET:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:9")
    monkeypatch.setenv("HOME", str(tmp_path / "nowhere"))
    monkeypatch.setattr(cli_server, "DEFAULT_URL", "http://127.0.0.1:9")
    return tmp_path


def hector_does(*arguments, text=None):
    return CliRunner().invoke(hector, list(arguments), input=text)


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


# validate


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


# call and chat, in this process


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


# what stops a start


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


# flags over a file


def over(folder, text="{}", environment=None, **flags):
    path = folder / "hector.yaml"
    path.write_text(text)
    # As the options of the command itself would give them.
    words = [
        f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}")
        for name, value in flags.items()
    ]
    with pytest.MonkeyPatch.context() as patched:
        for name, value in (environment or {}).items():
            patched.setenv(name, value)
        with hector.get_command(click.Context(hector), "serve").make_context("serve", words) as context:
            overrides = overrides_of(context.params)
    return overridden(load_config(path, {}).config, overrides)


def test_flags_win_over_the_file_and_the_rest_stays(folder):
    text = "server: {host: 127.0.0.2, port: 1, auth: {api_keys: [a-key]}, shutdown_timeout: 3s}\n"
    server = over(folder, text, port=7, auth_secret="s3cret").server
    assert (server.host, server.port, server.shutdown_timeout) == ("127.0.0.2", 7, 3.0)
    assert server.auth.secret is not None
    assert server.auth.secret.reveal() == "s3cret"
    assert len(server.auth.api_keys) == 1


def test_flags_win_over_the_environment_and_that_over_the_file(folder):
    text = "server: {host: 127.0.0.2}\n"
    assert over(folder, text, {"HECTOR_HOST": "127.0.0.3"}).server.host == "127.0.0.3"
    assert over(folder, text, {"HECTOR_HOST": "127.0.0.3"}, host="127.0.0.4").server.host == "127.0.0.4"
    assert over(folder, text, {"HECTOR_HOST": "", "HECTOR_AUTH_SECRET": ""}).server.host == "127.0.0.2"
    assert over(folder, text, {"HECTOR_AUTH_SECRET": "s3cret"}).server.auth.secret is not None


def test_an_explicit_zero_is_zero(folder):
    assert over(folder, port=0, grpc_port=0).server.port == 0


def test_a_tracing_endpoint_switches_tracing_on(folder):
    text = "observability: {tracing: {service_name: mine}}\n"
    tracing = over(folder, text, tracing_endpoint="collector:4317").observability.tracing
    assert (tracing.enabled, tracing.endpoint, tracing.service_name) == (True, "collector:4317", "mine")


def test_observing_counts_and_traces(folder):
    observed = over(folder, observe=True).observability
    assert (observed.metrics.enabled, observed.tracing.enabled) == (True, True)
    assert observed.tracing.endpoint == "localhost:4317"
    counted = over(folder, metrics=True, metrics_listen="127.0.0.1:9464").observability
    assert (counted.metrics.enabled, counted.tracing.enabled) == (True, False)
    assert counted.metrics.listen == "127.0.0.1:9464"


def test_what_is_kept_can_be_said_in_three_ways(folder):
    assert over(folder, ephemeral=True).storage.database == "inmemory"
    assert over(folder, storage="inmemory").storage.database == "inmemory"
    assert over(folder, storage="sqlite").storage.database.startswith("sqlite://")
    assert over(folder, storage="sqlite", storage_db="sqlite://x.db").storage.database.endswith("x.db")
    for flags in (
        {"ephemeral": True, "database": "sqlite://x.db"},
        {"storage": "postgres"},
        {"storage": "postgres", "database": "sqlite://x.db"},
    ):
        with pytest.raises(click.UsageError, match="--database"):
            over(folder, **flags)


def test_the_door_and_the_address_outside_can_be_set(folder):
    server = over(folder, auth_required=True, public_url="https://agents.example.com/").server
    assert (server.auth.enabled, server.public_url) == (True, "https://agents.example.com")
    assert over(folder, no_auth_required=True).server.auth.enabled is False
    assert over(folder, a2a_base_url="https://x.example.com").server.public_url == "https://x.example.com"


def test_indexing_anew_is_for_every_store(folder):
    text = "document_stores: {a: {}, b: {incremental_indexing: true}}\n"
    stores = indexed_anew(over(folder, text)).document_stores
    assert [store.incremental_indexing for store in stores.values()] == [False, False]


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


@pytest.mark.parametrize(
    ("flag", "value", "told"),
    [
        ("host", "a b", r"^--host: an address or a name"),
        ("auth_secret", "a b", r"^--auth-secret: a bearer credential"),
        ("database", "bad://x", r"^--database: .*no database of that kind.*sqlite://"),
        ("database", "postgre://u:very-secret@h/d", r"^--database: .*no database of that kind"),
    ],
)
def test_a_flag_that_cannot_be_is_named_with_what_could(folder, flag, value, told):
    with pytest.raises(FlagRefused, match=told) as refused:
        over(folder, **{flag: value})
    assert "very-secret" not in str(refused.value)


# the outermost border


class Broken(HectorError):
    reason = "BROKEN"


async def raises(error):
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Broken("it broke; mend it"), "Error: it broke; mend it\n"),
        (ExceptionGroup("many", [ExceptionGroup("few", [Broken("deep")])]), "Error: deep\n"),
        (PermissionError(13, "Permission denied", "/x"), "Error: Permission denied: /x\n"),
    ],
)
def test_what_was_foreseen_is_one_line_and_exit_code_1(error, line, capsys):
    with pytest.raises(SystemExit) as left:
        run(raises(error))
    assert left.value.code == 1
    assert capsys.readouterr().err == line


def test_what_was_not_foreseen_shows_no_traceback_but_how_to_report_it(capsys, monkeypatch):
    with pytest.raises(SystemExit) as left:
        run(raises(KeyError("x")))
    told_ = capsys.readouterr().err
    assert left.value.code == 1
    assert "KeyError" in told_
    assert "report it" in told_
    assert "Traceback" not in told_
    monkeypatch.setenv("HECTOR_DEBUG", "1")
    with pytest.raises(SystemExit):
        run(raises(KeyError("x")))
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_exit_code_130():
    async def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        import asyncio

        await asyncio.sleep(5)

    with pytest.raises(SystemExit) as left:
        run(interrupted())
    assert left.value.code == 130


def test_usage_errors_stay_usage_errors_however_deep():
    with pytest.raises(click.UsageError):
        run(raises(ExceptionGroup("x", [click.UsageError("so not")])))


def test_a_failed_call_is_told_with_its_reason():
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), details="no such thing"
    )
    assert told(error) == "no such thing"


def test_a_program_that_ran_a_command_goes_on_when_the_command_is_over(monkeypatch):
    left = []
    monkeypatch.setattr(running, "leave", left.append)
    timers = []
    monkeypatch.setattr(running, "_leave_later", lambda code: timers.append(Timer()) or timers[-1])

    async def work():
        asyncio.get_running_loop().create_task(asyncio.Event().wait())  # ended with the loop
        return "done"

    assert run(work()) == "done"
    assert [timer.is_cancelled for timer in timers] == [True]


class Timer:
    """Ends a process, if nobody stops it."""

    is_cancelled = False

    def cancel(self):
        self.is_cancelled = True
