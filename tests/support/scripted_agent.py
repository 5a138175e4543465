"""A model and tools that do what a test tells them, and an agent service around them."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path

import hector_a2a as a2a
import hector_agent
import hector_reasoning
from hector.common.v1 import TokenUsage, Tool, ToolAnnotations
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    GenerateTextResponse,
    LLMProviderServicer,
    StreamTextRequest,
    StreamTextResponse,
    ToolCallDelta,
    add_LLMProviderServicer_to_server,
)
from hector.reasoning.v1 import add_ReasoningStrategyServicer_to_server
from hector.tool.v1 import (
    ExecuteToolRequest,
    ExecuteToolResponse,
    ListToolsResponse,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector_agent.room import Config
from hector_mesh import Call, Principal, scope
from hector_reasoning import ReasoningSection

ADA = Principal("ada", frozenset({"user"}))

Streamed = Callable[[StreamTextRequest], AsyncIterator[StreamTextResponse]]
Answer = str | list[tuple[str, dict[str, object]]] | Exception | Streamed


def usage() -> TokenUsage:
    return TokenUsage(prompt_tokens=10, completion_tokens=5, total_tokens=15)


class ScriptedModel(LLMProviderServicer):
    """Answers with what the test has written: text, tool calls, an error, or a stream of its own."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[StreamTextRequest] = []
        self.stopped = asyncio.Event()

    async def StreamText(self, request, context):
        self.requests.append(request)
        answer = self.answers.pop(0) if self.answers else "nothing left to say"
        try:
            if isinstance(answer, Exception):
                raise answer
            if callable(answer):
                async for piece in answer(request):
                    yield piece
                return
            if isinstance(answer, str):
                for word in answer.split(" "):
                    yield StreamTextResponse(text=word + " ")
                yield StreamTextResponse(done=True, usage=usage(), finish_reason=FINISH_REASON_STOP)
                return
            for index, (tool, arguments) in enumerate(answer):
                delta = ToolCallDelta(
                    index=index, id=f"call_{index}", name=tool, arguments_json_fragment=json.dumps(arguments)
                )
                yield StreamTextResponse(tool_calls=[delta])
            yield StreamTextResponse(done=True, usage=usage(), finish_reason=FINISH_REASON_TOOL_CALLS)
        finally:
            self.stopped.set()

    async def GenerateText(self, request, context):
        self.requests.append(request)
        return GenerateTextResponse(
            text=str(self.answers.pop(0)), usage=usage(), finish_reason=FINISH_REASON_STOP
        )


class ScriptedTools(ToolProviderServicer):
    """`echo` says what it was told, `count` counts in the session's state, `slow` never ends."""

    def __init__(self) -> None:
        self.calls: list[ExecuteToolRequest] = []
        self.running = 0
        self.most = 0
        self.both = asyncio.Event()
        self.begun = asyncio.Event()
        self.stopped = asyncio.Event()

    async def ListTools(self, request, context):
        names = ("echo", "count", "slow", "pair", "risky")
        return ListToolsResponse(
            tools=[
                Tool(
                    name=name,
                    description=name,
                    instance=f"tools.{name}",
                    state_keys=["n"] if name == "count" else [],
                    annotations=ToolAnnotations(requires_approval=name == "risky"),
                )
                for name in names
            ]
        )

    async def ExecuteTool(self, request, context):
        self.calls.append(request)
        self.running += 1
        self.begun.set()
        self.most = max(self.most, self.running)
        try:
            if request.tool == "count":
                n = json.loads(request.context.state_json or "{}").get("n", 0) + 1
                return ExecuteToolResponse(success=True, result=str(n), state_delta_json=json.dumps({"n": n}))
            if request.tool == "slow":
                await asyncio.Event().wait()
            if request.tool == "pair":  # ends only when two of them run side by side
                if self.running == 2:
                    self.both.set()
                await self.both.wait()
            return ExecuteToolResponse(success=True, result=f"echo: {request.parameters_json}")
        finally:
            self.running -= 1
            self.stopped.set()


@asynccontextmanager
async def serving(
    mesh_under_test,
    folder: Path,
    model: ScriptedModel,
    tools=None,
    strategy=None,
    others=None,
    *,
    database: str = "",
    server: dict[str, object] | None = None,
    storage: dict[str, object] | None = None,
    **agent: object,
):
    """Run the agent service on the mesh; yields nothing: use the stubs below.

    `agent` has more keys of the assistant, `others` has more agents, `storage` more of its keys.
    """
    settings = Config.model_validate(
        {
            "agents": {"assistant": {"instruction": "Be brief.", **agent}, **(others or {})},
            "storage": {"database": database or f"sqlite://{folder}/runs.db", **(storage or {})},
            "server": server or {},
        }
    )
    agent_room = hector_agent.build(settings, mesh_under_test.mesh)
    reasoning = hector_reasoning.build(ReasoningSection(), mesh_under_test.mesh).register
    if strategy is not None:
        reasoning = partial(add_ReasoningStrategyServicer_to_server, strategy)
    await mesh_under_test.serve(
        lambda server: add_LLMProviderServicer_to_server(model, server),
        lambda server: add_ToolProviderServicer_to_server(tools or ScriptedTools(), server),
        reasoning,
    )
    async with agent_room.running():
        await mesh_under_test.serve(agent_room.register)
        yield


def ask(text: str, context: str = "", **more: object) -> "a2a.SendMessageRequest":
    request = a2a.SendMessageRequest(tenant="assistant", **more)
    request.message.message_id = "m1"
    request.message.role = a2a.ROLE_USER
    request.message.context_id = context
    request.message.parts.add(text=text)
    return request


def as_ada():
    return scope(Call(principal=ADA))


def text_of(task: "a2a.Task") -> str:
    return "|".join(part.text for artifact in task.artifacts for part in artifact.parts)


async def until(condition: Callable[[], Awaitable[bool]]) -> None:
    """Ask again and again until it holds; fails after five seconds."""
    async with asyncio.timeout(5):
        while not await condition():  # noqa: ASYNC110 - what it asks about may be another process's
            await asyncio.sleep(0.01)
