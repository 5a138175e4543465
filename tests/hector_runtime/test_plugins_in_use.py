"""Issue 7: from YAML to plugins in use, with real processes."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from grpc import StatusCode
from grpc.aio import AioRpcError
from support.model_server import calls, says
from support.scripted_server import Line, Received, scripted

from hector.document.v1 import DocumentStoreStub, SearchDocumentsRequest
from hector.tool.v1 import ExecuteToolRequest, ListToolsRequest, ToolProviderStub
from hector_mesh import HectorError, Mesh, Renewal
from hector_plugin.conformance.badge import KIT
from hector_runtime.asking import question
from hector_runtime.cli.answer import Answer, Show, followed
from hector_runtime.config import Config, completed, load_config
from hector_runtime.inside import MeshAsker, in_process
from hector_runtime.plugins.hosting import Plugins
from hector_runtime.plugins.trust import sha256_of
from hector_runtime.process import Process, running
from hector_store import PluginValues, opened

EXAMPLES = Path(__file__).parents[2] / "plugins" / "examples" / "python"
UPPER = """
from hector_plugin import serve, tool


@tool
def upper(text: str) -> str:
    "Uppercase a text"
    return text.upper() + "{suffix}"


@tool
def whisper(text: str) -> str:
    "Lowercase a text"
    return text.lower()


serve()
"""
AGENT = """
from hector.agent.v1 import AgentProviderServicer, RunAgentResponse
from hector_plugin import serve


class Agents(AgentProviderServicer):
    async def RunAgent(self, request, context):
        said = "".join(part.text for part in request.message.parts)
        if said == "ask":
            yield RunAgentResponse(require_input="which one?")
            return
        yield RunAgentResponse(status="thinking")
        for word in (request.agent, " heard ", said):
            yield RunAgentResponse(text=word)


serve(Agents())
"""
PARSER = """
from hector.document.v1 import (
    DocumentParserServicer,
    GetSupportedExtensionsResponse,
    ParseDocumentResponse,
    Section,
)
from hector_plugin import serve


class Shapes(DocumentParserServicer):
    async def ParseDocument(self, request, context):
        text = request.content.decode()[::-1]
        return ParseDocumentResponse(success=True, sections=[Section(title="Shapes", text=text, level=1)])

    async def GetSupportedExtensions(self, request, context):
        return GetSupportedExtensionsResponse(extensions=[".rev"])


serve(Shapes())
"""
COUNT = """
from hector_plugin import host, serve, tool


@tool
async def count(text: str) -> str:
    "Count how often a text was said, wherever"
    times = int(await host.get(text) or b"0") + 1
    await host.put(text, str(times).encode())
    return f"{times}"


serve()
"""
TOOLS = """
plugins:
  tool_providers:
    up: {path: ./upper.py}
tools:
  shout: {type: "plugin:up", config: {tool_name: upper}}
storage: {database: inmemory}
llms: {default: {provider: local}}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "upper.py").write_text(UPPER.format(suffix=""))
    return tmp_path


async def config_of(folder: Path, text: str) -> Config:
    (folder / "hector.yaml").write_text(text)
    return (await completed(load_config(folder / "hector.yaml", {}).config, {}))[0]


@asynccontextmanager
async def asking(folder: Path, text: str) -> AsyncIterator[Callable[..., Awaitable[Answer]]]:
    config = await config_of(folder, text)

    async def ask(said: str, agent: str) -> Answer:
        return await followed(mesh, question(said, agent, ""), Show())

    mesh: MeshAsker
    async with asyncio.timeout(55), in_process(config) as mesh:
        yield ask


@asynccontextmanager
async def tools_of(folder: Path, text: str) -> AsyncIterator[tuple[Process, ToolProviderStub]]:
    config = await config_of(folder, text)
    async with asyncio.timeout(55), running(config, ["tool"]) as process:
        yield process, ToolProviderStub(process.mesh)


async def calls_the_tool_and_says_what_came_of_it(received: Received, line: Line) -> None:
    results = [message for message in received.json["messages"] if message["role"] == "tool"]
    if results:
        await says(f"It said {results[-1]['content']}")(received, line)
        return
    tool = received.json["tools"][0]["function"]["name"]
    await calls(("c1", tool, '{"text": "hello"}'))(received, line)


async def test_an_agents_model_calls_a_tool_that_a_plugin_answers(folder: Path) -> None:
    async with scripted(calls_the_tool_and_says_what_came_of_it) as model:
        llm = f'{{provider: openai, base_url: "{model.url}/v1", model: m, api_key: k}}'
        text = TOOLS.replace("{provider: local}", llm) + "agents: {helper: {tools: [shout]}}\n"
        async with asking(folder, text) as ask:
            answer = await ask("shout hello", "helper")
    assert (answer.good, answer.text) == (True, "It said HELLO")
    first = model.received[0].json
    assert [one["function"]["name"] for one in first["tools"]] == ["shout"]
    assert first["tools"][0]["function"]["description"] == "Uppercase a text"


async def test_a_model_and_a_strategy_may_both_be_plugins(folder: Path) -> None:
    text = f"""
plugins:
  llm_providers: {{echo: {{path: "{EXAMPLES}/llm/main.py"}}}}
  reasoning_strategies: {{once: {{path: "{EXAMPLES}/reasoning/main.py"}}}}
llms: {{default: {{provider: "plugin:echo"}}}}
agents:
  parrot: {{tools: [], reasoning: {{strategy: "plugin:once"}}}}
  plain: {{tools: []}}
storage: {{database: inmemory}}
"""
    async with asking(folder, text) as ask:
        for agent in ("parrot", "plain"):
            answer = await ask("say it again", agent)
            assert (answer.good, answer.text) == (True, "say it again"), agent


async def test_an_agent_may_be_a_plugin(folder: Path) -> None:
    (folder / "agent.py").write_text(AGENT)
    text = """
plugins: {agents: {mine: {path: ./agent.py}}}
agents: {ada: {type: "plugin:mine"}, bob: {type: "plugin:mine:robert"}}
storage: {database: inmemory}
"""
    async with asking(folder, text) as ask:
        assert (await ask("hello", "ada")).text == "ada heard hello"
        assert (await ask("hello", "bob")).text == "robert heard hello"
        assert (await ask("ask", "ada")).problem == "which one?"


async def test_documents_are_read_embedded_and_kept_by_plugins(folder: Path) -> None:
    (folder / "parser.py").write_text(PARSER)
    (folder / "docs").mkdir()
    (folder / "docs" / "shapes.rev").write_text("era selgnairt")
    (folder / "docs" / "notes.md").write_text("# Notes\n\nNothing of interest.\n")
    text = f"""
plugins:
  embedder_providers: {{hash: {{path: "{EXAMPLES}/embedder/main.py"}}}}
  document_parsers: {{shapes: {{path: ./parser.py}}}}
embedders: {{default: {{provider: "plugin:hash"}}}}
document_stores:
  manual: {{source: {{path: ./docs, parser: "plugin:shapes"}}, search: {{mode: keyword}}}}
storage: {{database: inmemory}}
"""
    config = await config_of(folder, text)
    async with asyncio.timeout(55), running(config, ["embedder", "vector", "document"]) as process:
        await process.ready.wait()
        found = await DocumentStoreStub(process.mesh).SearchDocuments(
            SearchDocumentsRequest(query="triangles", document_stores=["manual"])
        )
    assert [passage.document for passage in found.passages] == ["shapes.rev"]
    assert "triangles are" in found.passages[0].content
    assert found.passages[0].title == "Shapes"


async def test_without_a_tools_name_all_tools_of_a_plugin_are_there(folder: Path) -> None:
    text = TOOLS.replace('shout: {type: "plugin:up", config: {tool_name: upper}}', 'all: {type: "plugin:up"}')
    async with tools_of(folder, text) as (_, tools):
        listed = (await tools.ListTools(ListToolsRequest())).tools
        assert [tool.name for tool in listed] == ["upper", "whisper"]
        answer = await tools.ExecuteTool(ExecuteToolRequest(tool="whisper", parameters_json='{"text": "HI"}'))
        assert answer.result == "hi"


async def test_what_a_plugin_keeps_is_in_the_servers_database_for_all_its_processes(folder: Path) -> None:
    (folder / "count.py").write_text(COUNT)
    text = TOOLS.replace("up: {path: ./upper.py}", "up: {path: ./count.py, grants: {state: 1MiB}}")
    text = text.replace("tool_name: upper", "tool_name: count").replace(
        "database: inmemory", "database: sqlite://kept.db"
    )
    said = ExecuteToolRequest(tool="shout", parameters_json='{"text": "hello"}')
    async with tools_of(folder, text) as (_, here), tools_of(folder, text) as (_, there):
        assert [(await one.ExecuteTool(said)).result for one in (here, there, here)] == ["1", "2", "3"]
    async with opened(f"sqlite://{folder}/kept.db") as database:
        assert await PluginValues(database).get("up", "default", "hello") == b"3"


async def test_a_plugin_that_does_not_start_delays_nobody_and_says_why(folder: Path) -> None:
    (folder / "broken.py").write_text("raise SystemExit('no licence')\n")
    text = TOOLS.replace("up: {path: ./upper.py}", "up: {path: ./upper.py}\n    bad: {path: ./broken.py}")
    text = text.replace("tools:\n", 'tools:\n  other: {type: "plugin:bad", config: {tool_name: x}}\n')
    async with tools_of(folder, text) as (process, tools):
        await process.ready.wait()
        listed = {tool.name: tool for tool in (await tools.ListTools(ListToolsRequest())).tools}
        assert listed["shout"].description == "Uppercase a text"
        assert "cannot be asked at present" in listed["other"].description
        answer = await tools.ExecuteTool(ExecuteToolRequest(tool="shout", parameters_json='{"text": "a"}'))
        assert answer.result == "A"
        with pytest.raises(AioRpcError, match=r"(?s)'bad'.*no licence") as failure:
            await tools.ExecuteTool(ExecuteToolRequest(tool="other"), timeout=20)
        assert failure.value.code() is StatusCode.UNAVAILABLE


async def test_another_config_replaces_plugins_adds_some_and_ends_others(folder: Path) -> None:
    (folder / "louder.py").write_text(UPPER.format(suffix="!"))
    async with tools_of(folder, TOOLS) as (process, tools):

        async def said() -> str:
            request = ExecuteToolRequest(tool="shout", parameters_json='{"text": "a"}')
            return (await tools.ExecuteTool(request)).result

        assert await said() == "A"
        other = await config_of(folder, TOOLS.replace("./upper.py", "./louder.py"))
        (await process.prepare(Renewal(other, "r2", "r1", 60))).commit()
        while await said() != "A!":
            pass  # the old one answers until the new one is ready
        none = await config_of(folder, "tools: {}\nstorage: {database: inmemory}\n")
        (await process.prepare(Renewal(none, "r3", "r2", 60))).commit()
        while process.mesh.plugins:
            await tools.ListTools(ListToolsRequest())
        back = await config_of(folder, TOOLS)
        (await process.prepare(Renewal(back, "r4", "r3", 60))).commit()
        assert await said() == "A"


async def test_a_program_that_its_badge_was_not_given_for_is_not_started_anew(folder: Path) -> None:
    program = folder / "up.py"
    program.write_text(UPPER.format(suffix=""))
    badge = {"hector.plugin.v1": "conformant", "sha256": sha256_of(program), "kit": KIT, "kinds": []}
    (folder / "up.py.conformance.json").write_text(json.dumps(badge))
    (folder / "hector.yaml").write_text(
        "plugins: {require_conformance: true, tool_providers: {up: {path: ./up.py}}}\n"
        "tools: {up: {type: 'plugin:up'}}\nagents: {a: {tools: [up]}}\n"
    )
    plugins = Plugins(("tool",))
    async with asyncio.timeout(60), plugins.running(load_config(folder / "hector.yaml").config, Mesh({})):
        assert plugins.host is not None
        await plugins.host.settled()
        await plugins.host.reload("up")
        write(program, UPPER.format(suffix="!"))
        with pytest.raises(HectorError, match="is not what its badge was given for"):
            await plugins.host.reload("up")
        assert plugins.host.status()[0].generation == 2


def write(program: Path, text: str) -> None:
    program.write_text(text)


async def test_a_config_that_cannot_be_run_changes_nothing(folder: Path) -> None:
    async with tools_of(folder, TOOLS) as (process, tools):
        other = await config_of(folder, TOOLS.replace("./upper.py", "./nowhere.py"))
        with pytest.raises(Exception, match="there is no file"):
            await process.prepare(Renewal(other, "r2", "r1", 60))
        request = ExecuteToolRequest(tool="shout", parameters_json='{"text": "a"}')
        assert (await tools.ExecuteTool(request)).result == "A"
