"""The world around Hector: a model and tools that count what is asked of them, and hold it where a test says.

It lives in the test's own process, so that nothing in it is lost when servers are killed.
"""

import asyncio
import json
from collections import Counter
from collections.abc import AsyncIterator, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from support.model_server import DONE, STREAM, USAGE, chunk, event
from support.scripted_server import END, Line, Received, chunked, head, scripted

from hector.common.v1 import Tool
from hector.tool.v1 import (
    ExecuteToolResponse,
    ListToolsResponse,
    RequireInput,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector_mesh.listening import wire_server

ASKED, STREAMING, CALLED, EFFECTED = "asked", "streaming", "called", "effected"
"""Stages at which a question can be held: its model has been asked, or has said some words; its tool was
called and has done nothing yet, or has done it and not said so."""

SCRIPTS: dict[str, list[list[str]]] = {
    "plain": [],
    "look": [["look"]],
    "charge": [["charge"]],
    "mail": [["mail"]],
    "post": [["post"]],
    "launch": [["launch"]],
    "both": [["look", "mail"]],
    "chain": [["look"], ["charge"]],
    "person": [["ask_person"]],
}
"""What models have done before they answer, by kind of question."""
IN_DOUBT = ("mail", "launch")
"""Tools whose effects are in doubt when their caller dies."""
PERSON = "What shall it be?"


def answer_to(question: str) -> str:
    """Return the whole answer to a question."""
    return " ".join([f"the whole answer to {question},", *(f"word-{number}" for number in range(12)), "done"])


@dataclass
class Gate:
    """Holds questions at a stage, until it is opened, or what waits there is doomed with its caller."""

    stage: str
    questions: Collection[str]
    words: int = 0
    held: set[str] = field(default_factory=set)
    full: asyncio.Event = field(default_factory=asyncio.Event)
    over: asyncio.Event = field(default_factory=asyncio.Event)
    is_doomed: bool = False

    async def pass_through(self, question: str) -> None:
        """Wait here. A question that waited before passes: whoever asks it now is somebody else."""
        if question in self.held:
            return
        self.held.add(question)
        if len(self.held) == len(self.questions):
            self.full.set()
        await self.over.wait()
        if self.is_doomed:
            raise ConnectionError("whoever asked is dead")


@dataclass
class World:
    """What was asked of the model and of the tools, and what took effect."""

    model_url: str = ""
    pause_s: float = 0.004
    asks: Counter[tuple[str, int]] = field(default_factory=Counter)
    """How often the model was asked, by question and step."""
    calls: Counter[str] = field(default_factory=Counter)
    """How often a tool was called, by effect id."""
    effects: Counter[tuple[str, str]] = field(default_factory=Counter)
    """How often a tool took effect, by tool and question."""
    order: list[str] = field(default_factory=list)
    """Questions in the order in which models were asked first."""
    at_once: int = 0
    most_at_once: int = 0
    """How many questions the model had in hand at the same time."""
    gate: Gate | None = None
    _charged: set[str] = field(default_factory=set)

    def hold(self, stage: str, questions: Collection[str], words: int = 0) -> Gate:
        """Hold questions from now on at a stage; `words` are let through before, where it is STREAMING."""
        self.gate = Gate(stage, questions, words)
        return self.gate

    def let_go(self, *, doomed: bool) -> None:
        """Hold nothing any more. What is held goes on, or is dropped as its caller is dead."""
        gate, self.gate = self.gate, None
        if gate is not None:
            gate.is_doomed = doomed
            gate.over.set()

    async def reached(self, stage: str, question: str) -> None:
        gate = self.gate
        if gate is not None and gate.stage == stage and question in gate.questions:
            await gate.pass_through(question)

    def happened(self, tool: str, question: str) -> bool:
        return self.effects[tool, question] > 0

    # The model

    async def answer(self, received: Received, line: Line) -> None:
        """Answer as OpenAI does, word by word."""
        self.at_once += 1
        self.most_at_once = max(self.at_once, self.most_at_once)
        try:
            await self._answer(received, line)
        finally:
            self.at_once -= 1

    async def _answer(self, received: Received, line: Line) -> None:
        question, kind, step = _place(received.json["messages"])
        if not self.asks[question, 0]:
            self.order.append(question)
        self.asks[question, step] += 1
        await self.reached(ASKED, question)
        steps = SCRIPTS[kind]
        await line.send(head(200, STREAM))
        said = f"I use {' and '.join(steps[step])}." if step < len(steps) else answer_to(question)
        await line.send(chunked(event(chunk({"role": "assistant", "content": ""}))))
        for number, word in enumerate(said.split(" ")):
            if self.gate is not None and number == self.gate.words:
                await self.reached(STREAMING, question)
            await line.send(chunked(event(chunk({"content": word if number == 0 else f" {word}"}))))
            await asyncio.sleep(self.pause_s)
        for index, tool in enumerate(steps[step] if step < len(steps) else ()):
            function = {"name": tool, "arguments": json.dumps({"for": question})}
            call = {"index": index, "id": f"call-{step}-{index}", "type": "function", "function": function}
            await line.send(chunked(event(chunk({"tool_calls": [call]}))))
        finish = "tool_calls" if step < len(steps) else "stop"
        last = event(chunk({}, finish)) + event(chunk(usage=USAGE)) + DONE
        await line.send(chunked(last) + END)

    # The tools

    async def use(self, tool: str, question: str, effect: str) -> ExecuteToolResponse:
        """Do what a tool does."""
        self.calls[effect] += 1
        await self.reached(CALLED, question)
        if tool != "charge" or effect not in self._charged:  # charge knows effects that it has had
            self._charged.add(effect)
            self.effects[tool, question] += 1
        await self.reached(EFFECTED, question)
        return ExecuteToolResponse(success=True, result=f"{tool} is done for {question}")


class Tools(ToolProviderServicer):
    """Serves the world's tools to the mesh, in the place of the tool role."""

    def __init__(self, world: World) -> None:
        self._world = world

    async def ListTools(self, request: Any, context: Any) -> ListToolsResponse:
        schema = json.dumps({"type": "object", "properties": {"for": {"type": "string"}}})
        tools = [
            Tool(
                name=name,
                description=f"The tool {name}.",
                parameters_json=schema,
                instance=f"tools.{name}",
                annotations=annotations,
                after_crash=after_crash,
            )
            for name, annotations, after_crash in (
                ("look", {"read_only": True}, ""),
                ("charge", {"idempotent": True}, ""),
                ("mail", {}, ""),
                ("post", {}, "verify_with:check_post"),
                ("check_post", {"read_only": True}, ""),
                ("launch", {}, "fail"),
                ("ask_person", {"read_only": True}, ""),
            )
        ]
        return ListToolsResponse(tools=tools, revision="1")

    async def ExecuteTool(self, request: Any, context: Any) -> ExecuteToolResponse:
        found = json.loads(request.parameters_json or "{}")
        if request.tool == "check_post":
            there = self._world.happened("post", found["arguments"]["for"])
            return ExecuteToolResponse(success=True, result=json.dumps({"happened": there}))
        if request.tool == "ask_person":
            return ExecuteToolResponse(success=True, require_input=RequireInput(prompt=PERSON))
        assert request.context.effect_id, "a tool's call has its effect's id"
        try:
            return await self._world.use(request.tool, found["for"], request.context.effect_id)
        except ConnectionError:
            await asyncio.Event().wait()  # until grpc sees that whoever asked is dead
            raise


@asynccontextmanager
async def world_at(folder: Path) -> AsyncIterator[tuple[World, str]]:
    """Run a model and tools; gives them, and the tools' address."""
    world, address = World(), f"unix://{folder}/tools.sock"
    server = wire_server(address, drain_s=0.0)
    add_ToolProviderServicer_to_server(Tools(world), server)
    async with scripted(world.answer) as model, server:
        world.model_url = f"{model.url}/v1"
        yield world, address


def _place(messages: list[dict[str, Any]]) -> tuple[str, str, int]:
    """Return which question a conversation ends with, of which kind it is, and how far it is."""
    for number in range(len(messages) - 1, -1, -1):
        said = messages[number]
        text = said.get("content") or ""
        if said["role"] == "user" and isinstance(text, str) and text.startswith("q-"):
            steps = sum(bool(later.get("tool_calls")) for later in messages[number:])
            return text.split(" ")[0], text.split(" ")[1], steps
    raise AssertionError(f"no question in {messages}")
