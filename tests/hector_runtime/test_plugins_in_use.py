"""Issue 7: from YAML to a plugin that an agent uses, with real processes."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from support.model_server import calls, says
from support.scripted_server import Line, Received, scripted

from hector_runtime.asking import question
from hector_runtime.cli.answer import Show, followed
from hector_runtime.config import completed, load_config
from hector_runtime.inside import MeshAsker, in_process

UPPER = """
from hector_plugin import serve, tool


@tool
def upper(text: str) -> str:
    "Uppercase a text"
    return text.upper()


@tool
def whisper(text: str) -> str:
    "Lowercase a text"
    return text.lower()


serve()
"""
CONFIG = """
plugins:
  tool_providers:
    up: {{path: ./upper.py}}
tools:
  shout: {{type: "plugin:up", config: {{tool_name: upper}}}}
llms:
  default: {{provider: openai, base_url: "{url}/v1", model: m, api_key: k}}
agents:
  helper: {{tools: [shout]}}
storage: {{database: inmemory}}
"""


async def calls_the_tool_and_says_what_came_of_it(received: Received, line: Line) -> None:
    results = [message for message in received.json["messages"] if message["role"] == "tool"]
    if results:
        await says(f"It said {results[-1]['content']}")(received, line)
        return
    tool = received.json["tools"][0]["function"]["name"]
    await calls(("c1", tool, '{"text": "hello"}'))(received, line)


@asynccontextmanager
async def mesh_of(file: Path) -> AsyncIterator[MeshAsker]:
    config, _ = await completed(load_config(file, {}).config, {})
    async with asyncio.timeout(50), in_process(config) as mesh:
        yield mesh


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "upper.py").write_text(UPPER)
    return tmp_path


async def test_an_agents_model_calls_a_tool_that_a_plugin_answers(folder: Path) -> None:
    async with scripted(calls_the_tool_and_says_what_came_of_it) as model:
        (folder / "hector.yaml").write_text(CONFIG.format(url=model.url))
        async with mesh_of(folder / "hector.yaml") as mesh:
            answer = await followed(mesh, question("shout hello", "helper", ""), Show())
    assert (answer.good, answer.text) == (True, "It said HELLO")
    first = model.received[0].json
    assert [one["function"]["name"] for one in first["tools"]] == ["shout"]
    assert first["tools"][0]["function"]["description"] == "Uppercase a text"
