"""Command lines that Hector's documents print, of every generation: understood, or refused by name."""

import shlex

import click
import pytest

from hector_runtime.cli import hector

UNDERSTOOD = """\
hector version
hector validate config.yaml
hector validate config.yaml --format verbose
hector validate --config config.yaml -f json
hector validate config.yaml -p
hector schema
hector schema --compact
hector info
hector info assistant
hector info --agent assistant --url http://localhost:8080 --token t
hector info assistant --config config.yaml
hector serve --config config.yaml --watch
hector serve
hector serve --config config.yaml
hector serve -c config.yaml --port 9090 --host 0.0.0.0 --log-level debug --log-format simple --log-file x.log
hector serve --config config.yaml --a2a-base-url https://agents.example.com
hector serve --config config.yaml --database sqlite://.hector/hector.db --auth-secret s3cret
hector serve --config config.yaml --metrics --tracing-endpoint localhost:4317
hector serve --config config.yaml --observe
hector serve --provider openai --model gpt-4o --api-key k --base-url http://localhost:1234/v1
hector serve --model gpt-4o --temperature 0.2 --max-tokens 8000 --thinking --thinking-budget 2048
hector serve --instruction "Be brief." --tools search,todo_write --no-stream
hector serve --docs-folder docs --no-rag-watch --embedder-provider local --embedder-model x --embedder-url y
hector serve --docs-folder docs --vector-type embedded --force-reindex
hector serve --storage sqlite --storage-db sqlite://x.db
hector serve --ephemeral
hector serve --role llm --listen 0.0.0.0:7010
hector serve --role agent --role gateway
hector call "Hello"
hector call assistant "Hello"
hector call "Hello" --agent assistant --config config.yaml
hector call my_agent "Hello" --llm custom
hector call "Hello" --agent assistant --url http://localhost:8080 --token t --no-stream --session s
hector chat
hector chat --agent assistant --url http://localhost:8080 --token t --no-stream --session s
hector chat assistant --config config.yaml
hector task get assistant 0198
hector task cancel assistant 0198 --url http://localhost:8080 --token t
hector task list
"""
LATER = """\
hector serve --config config.yaml --studio
hector serve --studio-roles operator
hector serve --auth-jwks-url https://id.example.com/jwks --auth-issuer i --auth-audience a
hector serve --auth-client-id x
hector serve --mcp-url http://localhost:3000
hector serve --docs-folder docs --mcp-parser-tool convert
hector serve --approve-tools bash
hector serve --no-approve-tools bash
hector serve --include-context
hector serve --docs-folder docs --vector-host localhost --vector-api-key k
hector serve --vectordb http://localhost:6334
hector serve --config-type consul --config-endpoints localhost:8500
hector serve --config-watch
hector call "Hello" --mcp-url http://localhost:3000
hector call "Hello" --show-thinking
"""


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    (tmp_path / "docs").mkdir()
    monkeypatch.chdir(tmp_path)


def parsed(line):
    context = click.Context(hector)
    name, command, rest = hector.resolve_command(context, shlex.split(line)[1:])
    if isinstance(command, click.Group):
        name, command, rest = command.resolve_command(context, rest)
    return command.make_context(name, rest, parent=context).params


@pytest.mark.parametrize("line", UNDERSTOOD.splitlines())
def test_a_printed_command_line_is_understood(line):
    parsed(line)


@pytest.mark.parametrize("line", LATER.splitlines())
def test_a_flag_of_what_is_to_come_is_refused_by_its_name(line):
    with pytest.raises(click.UsageError, match=r"^--[a-z-]+ is known, but not available in this version"):
        parsed(line)


def test_a_flag_that_nobody_knows_is_refused_with_the_nearest():
    with pytest.raises(click.NoSuchOption) as refused:
        parsed("hector serve --databse x")
    assert "--database" in refused.value.format_message()
