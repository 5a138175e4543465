"""A model that wants a tool three times, tools with every policy, a database, and replicas around them."""

import asyncio
import json
from contextlib import asynccontextmanager

from support.run_owners import replica
from support.scripted_agent import Config, usage

import hector_reasoning
from hector.agent.v1 import RunEvent
from hector.common.v1 import ROLE_TOOL, ROLE_USER, Tool, ToolAnnotations
from hector.llm.v1 import (
    FINISH_REASON_STOP,
    FINISH_REASON_TOOL_CALLS,
    LLMProviderServicer,
    StreamTextResponse,
    ToolCallDelta,
    add_LLMProviderServicer_to_server,
)
from hector.tool.v1 import (
    ExecuteToolResponse,
    ListToolsResponse,
    ToolProviderServicer,
    add_ToolProviderServicer_to_server,
)
from hector_agent.ledger import events_of, task_of
from hector_agent.room import agents_of
from hector_mesh import LocalChannel, LocalServer, Mesh, interceptors
from hector_reasoning import ReasoningSection
from hector_store import RunLog, opened

STEPS = 3
COMMITS_OF_TOOL = 2
"""Tools that the model wants, one after the other, before it answers."""


class Model(LLMProviderServicer):
    """Says a word and wants a tool, three times; then it answers. The same question gets the same answer."""

    def __init__(self, tool: str = "look") -> None:
        self.tool, self.asked, self.steps = tool, 0, STEPS
        self.told: list[str] = []
        """What the user said last, question by question."""
        self.may_answer = asyncio.Event()
        self.may_answer.set()

    async def StreamText(self, request, context):
        self.asked += 1
        done = sum(message.role == ROLE_TOOL for message in request.messages)
        said = [message.parts[0].text for message in request.messages if message.role == ROLE_USER]
        self.told.append(said[-1])
        if done < self.steps:
            yield StreamTextResponse(text=f"step {done + 1} ")
            await self.may_answer.wait()
            call = ToolCallDelta(index=0, id=f"call_{done}", name=self.tool)
            call.arguments_json_fragment = json.dumps({"n": done})
            yield StreamTextResponse(tool_calls=[call])
            yield StreamTextResponse(done=True, usage=usage(), finish_reason=FINISH_REASON_TOOL_CALLS)
            return
        yield StreamTextResponse(text="all ")
        await self.may_answer.wait()
        yield StreamTextResponse(text="done")
        yield StreamTextResponse(done=True, usage=usage(), finish_reason=FINISH_REASON_STOP)


class Tools(ToolProviderServicer):
    """`look` may be called again; `send` may not, `send_*` say what becomes of them; `check` knows."""

    def __init__(self) -> None:
        self.calls = []
        self.checked = []
        self.happened = None

    async def ListTools(self, request, context):
        policies = {"look": "", "send": "", "send_or_fail": "fail", "send_checked": "verify_with:check"}
        tools = [
            Tool(
                name=name,
                instance=f"tools.{name}",
                after_crash=policy,
                annotations=ToolAnnotations(idempotent=name == "look"),
                parameters_json='{"properties": {"effect_id": {}}}' if name == "send" else "",
            )
            for name, policy in policies.items()
        ]
        tools.append(Tool(name="check", instance="tools.check", annotations=ToolAnnotations(read_only=True)))
        return ListToolsResponse(tools=tools)

    async def ExecuteTool(self, request, context):
        if request.tool == "check":
            self.checked.append(json.loads(request.parameters_json))
            return ExecuteToolResponse(success=True, structured_json=json.dumps({"happened": self.happened}))
        self.calls.append(request)
        return ExecuteToolResponse(success=True, result=f"result {len(self.calls)}")

    @property
    def effects(self):
        return [call.context.effect_id for call in self.calls]


class World:
    """A model, tools and a database, and the replicas that use them."""

    def __init__(self, database, agents, model, tools) -> None:
        self.database, self.agents, self.model, self.tools = database, agents, model, tools
        self.log = RunLog(database)

    def replica(self, **more):
        return replica(self.database, self.agents, **more)

    async def events(self, run: str) -> list[RunEvent]:
        return events_of(await self.log.events("default", run))

    async def task(self, run: str):
        row = await self.log.get("default", "ada", run)
        return task_of(row, await self.log.events("default", run))


@asynccontextmanager
async def world(database_url, tool="look", **agent):
    model, tools = Model(tool), Tools()
    local = LocalServer(interceptors())
    services = (
        "hector.llm.v1.LLMProvider",
        "hector.tool.v1.ToolProvider",
        "hector.reasoning.v1.ReasoningStrategy",
    )
    mesh = Mesh(dict.fromkeys(services, LocalChannel(local)))
    add_LLMProviderServicer_to_server(model, local)
    add_ToolProviderServicer_to_server(tools, local)
    hector_reasoning.build(ReasoningSection(), mesh).register(local)
    config = Config.model_validate({"agents": {"assistant": {"instruction": "Be brief.", **agent}}})
    async with asyncio.timeout(50), opened(database_url) as database:
        yield World(database, agents_of(config, mesh, ""), model, tools)
    await local.stop(0)


def kinds(events) -> list[str]:
    return [event.WhichOneof("event") for event in events]


def shape(events) -> list[str]:
    """Return what happened, apart from how text was cut into pieces, and who did it."""
    return [kind for kind in kinds(events) if kind not in ("owner_changed", "text_appended")]


def parts(task):
    return [part for artifact in task.artifacts for part in artifact.parts]
