"""`hector plugin inspect` and `call`: one plugin, by its name, its command line or its address."""

import json
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from support.plugin_examples import command

from hector_runtime.cli import hector

TOOL, LLM = shlex.join(command("python", "tool")), shlex.join(command("python", "llm"))
CONFIG = """
agents:
  assistant:
    instruction: Answer briefly.
    tools: [shout]
tools:
  shout:
    type: plugin:up
    config: {tool_name: upper}
plugins:
  tool_providers:
    up:
      path: %s
      config: {suffix: "!"}
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "up.dat").write_bytes(b"\xff\xfe")
    return tmp_path


def hector_does(line: str, text: str | None = None) -> Result:
    return CliRunner().invoke(hector, ["plugin", *shlex.split(line)], input=text)


def test_a_plugin_is_shown_as_it_says_it_is() -> None:
    shown = hector_does(f"inspect -- {TOOL}")
    assert shown.exit_code == 0, shown.output
    words = {line.split("  ")[0]: line.partition("  ")[2].strip() for line in shown.output.splitlines()}
    assert words["example-tool"] == "1.0.0"
    assert words["reconfigurable"] == "yes"
    service = "hector.tool.v1.ToolProvider: ListTools, ExecuteTool, GetToolSchema, StreamTool"
    assert words["tool_provider"] == service
    assert '  suffix  string, default ""' in shown.output


def test_a_plugin_is_shown_to_programs() -> None:
    shown = json.loads(hector_does(f"inspect -f json -- {TOOL}").output)
    assert (shown["name"], shown["mode"], shown["sandbox"]) == ("example-tool", "spawn", "none")
    assert shown["config_schema"]["properties"] == {"suffix": {"type": "string", "default": ""}}


def test_a_plugin_of_the_config_gets_its_configuration(folder: Path) -> None:
    program = command("python", "tool")[1]
    (folder / "hector.yaml").write_text(CONFIG % program)
    answer = hector_does("""call up ExecuteTool '{"tool": "upper", "parameters_json": {"text": "quiet"}}'""")
    assert json.loads(answer.output) == {"success": True, "result": "QUIET!"}
    unknown = hector_does("call op ListTools")
    assert unknown.exit_code == 2
    assert "the config declares no plugin 'op', nor was one found; there are: up" in unknown.output


def test_a_plugin_that_nothing_refers_to_may_be_asked_all_the_same(folder: Path) -> None:
    program, embedder = command("python", "tool")[1], command("python", "embedder")[1]
    (folder / "hector.yaml").write_text(
        f"plugins:\n  discovery: {{enabled: true}}\n  tool_providers: {{up: {{path: {program}}}}}\n"
    )
    (folder / "plugins").mkdir()
    (folder / "plugins" / "hash.plugin.yaml").write_text(
        "plugin: {name: hash, version: 1.0.0, type: embedder_provider, "
        f"command: [{sys.executable}, {embedder}]}}\n"
    )
    declared = hector_does("""call up ExecuteTool '{"tool": "upper", "parameters_json": {"text": "a"}}'""")
    assert json.loads(declared.output) == {"success": True, "result": "A"}
    assert "embedder_provider" in hector_does("inspect hash").output


def test_in_a_plugin_s_folder_it_is_meant(folder: Path) -> None:
    (folder / "main.py").write_text(Path(command("python", "tool")[1]).read_text())
    (folder / "plugin.yaml").write_text(
        "plugin: {name: up, version: 1.0.0, type: tool_provider, command: [./main.py]}"
    )
    (folder / "hector.yaml").write_text("plugins: {tool_providers: {up: {path: .}}}")
    asked = """call ExecuteTool '{"tool": "upper", "parameters_json": {"text": "a"}}'"""
    assert json.loads(hector_does(asked).output) == {"success": True, "result": "A"}
    assert "tool_provider" in hector_does("inspect").output
    named = hector_does("""call up ExecuteTool '{"tool": "upper", "parameters_json": {"text": "b"}}'""")
    assert json.loads(named.output) == {"success": True, "result": "B"}
    # What is not executable is run by what would run it for a config.
    assert "hector.tool.v1.ToolProvider/ListTools" in hector_does("call -- ./main.py").output


def test_a_file_that_nothing_runs_is_told_from_one_that_is_not_there(folder: Path) -> None:
    (folder / "thing").write_text("")
    refused = hector_does("inspect -- ./thing")
    assert refused.exit_code == 2
    assert "thing is not executable (chmod +x " in refused.output


def test_of_a_stream_each_message_is_a_line() -> None:
    answer = hector_does(f"call StreamText - -- {LLM}", '{"prompt": "two words"}')
    first, second, last = map(json.loads, answer.output.splitlines())
    assert (first, second) == ({"text": "two "}, {"text": "words"})
    assert last["done"] is True


def test_without_an_rpc_all_are_listed() -> None:
    listed = hector_does(f"call -- {LLM}").output.splitlines()
    assert "hector.llm.v1.LLMProvider/StreamText" in listed
    assert "hector.plugin.v1.Plugin/GetInfo" in listed
    assert not [rpc for rpc in listed if "tool" in rpc]


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"call StreemText -- {LLM}", "has no rpc 'StreemText' (did you mean \"StreamText\"?)"),
        (f"call ListModels 7 -- {LLM}", "the request is no JSON object"),
        (f"call ListModels {{ -- {LLM}", "the request is no JSON:"),
        (f"""call GenerateText '{{"promt": "x"}}' -- {LLM}""", "(GenerateTextRequest has: "),
        (f"call ListModels a b -- {LLM}", "'b' is one word too many"),
        ("inspect -- ./nowhere", "there is no program './nowhere' here, nor on the PATH"),
        ("inspect --", "name what starts the plugin behind --"),
        ("inspect", "name a plugin of the config, or what starts one behind --, or --endpoint"),
        ("inspect --endpoint unix:/x -- ./y", "a plugin runs already, at --endpoint, or is started"),
        ("inspect --endpoint nonsense", "'nonsense' is no address: write \"unix:/run/up.sock\""),
        ("test --endpoint http://a:1", "'http://a:1' is a web address"),
        ("test -c up.dat -- ./up", "up.dat is no text in UTF-8"),
        (f"inspect --settings {{ -- {LLM}", "--settings is no JSON"),
        (f"inspect --settings 7 -- {LLM}", "--settings is no JSON object"),
        ("inspect up --settings '{\"a\": 1}'", "--settings is for what no config has"),
        (f"inspect up -- {LLM}", "'up' would be of the config, and what is behind -- names another"),
        (f"inspect -c hector.yaml -- {LLM}", "--config is for a plugin that it names"),
        (f"inspect --token t -- {LLM}", "--token is for --endpoint"),
    ],
)
def test_what_cannot_be_meant_is_a_usage_error(line: str, said: str) -> None:
    refused = hector_does(line)
    assert refused.exit_code == 2, refused.output
    assert said in refused.output


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (f"""call ExecuteTool '{{"tool": "no"}}' -- {TOOL}""", "there are: upper, wait [TOOL_NOT_FOUND]"),
        (f"""inspect --settings '{{"surprise": 1}}' -- {TOOL}""", "its config is not what its schema wants"),
        (f"inspect -- {sys.executable} -c 'raise SystemExit(69)'", "something that it needs is missing"),
    ],
)
def test_what_does_not_work_says_why(line: str, said: str) -> None:
    failed = hector_does(line)
    assert failed.exit_code == 1, failed.output
    assert said in failed.output
    assert "Traceback" not in failed.output


def test_a_call_that_fails_shows_what_the_plugin_printed_of_it(folder: Path) -> None:
    (folder / "bad.py").write_text(
        "from hector_plugin import serve, tool\n\n\n"
        '@tool\ndef spell(text: str) -> str:\n    "Spells"\n    return text.uper()\n\n\nserve()\n'
    )
    asked = """call ExecuteTool '{"tool": "spell", "parameters_json": {"text": "a"}}' -- """
    failed = CliRunner().invoke(hector, ["plugin", *shlex.split(asked), sys.executable, "bad.py"])
    assert failed.exit_code == 1, failed.output
    assert "AttributeError: 'str' object has no attribute 'uper'" in failed.stderr
    assert failed.stderr.count("Traceback") == 1


def test_a_plugin_that_runs_already_is_asked_where_it_is(folder: Path) -> None:
    address = f"unix:{folder}/alone.sock"
    running = subprocess.Popen([*command("python", "tool"), "--standalone", address], stderr=subprocess.PIPE)
    try:
        assert running.stderr is not None
        running.stderr.readline()
        shown = json.loads(hector_does(f"inspect -f json --endpoint {address}").output)
    finally:
        running.kill()
        running.communicate()
    assert (shown["name"], shown["mode"]) == ("example-tool", "attach")
