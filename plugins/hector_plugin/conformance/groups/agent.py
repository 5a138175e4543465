"""AG: agents that somebody else wrote."""

import asyncio
import json

from grpc import StatusCode

from hector.agent.v1 import AgentProviderStub, DescribeAgentsRequest, RunAgentRequest
from hector.common.v1 import ROLE_ASSISTANT, Message, Part, ToolCall
from hector.plugin.v1 import PLUGIN_KIND_AGENT as AGENT
from hector_plugin.conformance.checks import MUST, SHOULD, Broken, NotApplicable, check
from hector_plugin.conformance.kinds import user
from hector_plugin.conformance.stage import Stage

MIB = 1 << 20
LOOK = ToolCall(id="c1", name="look", arguments_json="{}")


@check(
    "AG1",
    MUST,
    "its agents have names",
    kind=AGENT,
    rule="DescribeAgents lists at least one agent; every name is there once",
    mend="name every agent",
)
async def names(stage: Stage) -> None:
    found = await _names(stage)
    if not found or not all(found) or len(set(found)) != len(found):
        raise Broken(f"the names are {found}")


@check(
    "AG2",
    MUST,
    "a run ends, and says something",
    kind=AGENT,
    rule="RunAgent streams events and ends; text, an artifact or a question is among them; after "
    "require_input nothing comes",
    mend="yield text; end the stream when you are done",
)
async def runs(stage: Stage) -> None:
    plugin = await stage.shared()
    for name in await _names(stage):
        request = RunAgentRequest(agent=name, run="r1", session="s1", message=user("hello"))
        events = await plugin.stream(AgentProviderStub, "RunAgent", request)
        kinds = [event.WhichOneof("event") for event in events]
        if not {"text", "artifact", "require_input"} & set(kinds):
            raise Broken(f"the events are {', '.join(map(str, kinds)) or 'none'}")
        if "require_input" in kinds[:-1]:
            raise Broken("events after require_input")
        for event in events:
            if event.state_delta_json:
                _is_object(event.state_delta_json)
            if len(event.checkpoint) > MIB:
                raise Broken(f"a checkpoint of {len(event.checkpoint):,} bytes")


@check(
    "AG3",
    MUST,
    "a run goes on from what it saved",
    kind=AGENT,
    rule="RunAgent with the last checkpoint of a run ends too: the process may be another one",
    mend="read everything that you need from checkpoint and history",
)
async def goes_on(stage: Stage) -> None:
    name = next(iter(await _names(stage)), "")
    request = RunAgentRequest(agent=name, run="r1", session="s1", message=user("hello"))
    events = await (await stage.shared()).stream(AgentProviderStub, "RunAgent", request)
    saved = [event.checkpoint for event in events if event.WhichOneof("event") == "checkpoint"]
    if not saved:
        raise NotApplicable("it saves no checkpoints")
    request.checkpoint = saved[-1]
    async with stage.connected() as other:
        await other.stream(AgentProviderStub, "RunAgent", request)


@check(
    "AG4",
    MUST,
    "what it does not expect does no harm",
    kind=AGENT,
    rule="a run without a message, with a long history and with session state, and one from a checkpoint "
    "that it never saved, ends, or fails with INVALID_ARGUMENT or FAILED_PRECONDITION; the agent lives on",
    mend="check what you read from message, history, state_json and checkpoint; refuse what you cannot read",
)
async def unexpected(stage: Stage) -> None:
    plugin = await stage.shared()
    said = [user("Look for x."), Message(role=ROLE_ASSISTANT, parts=[Part(tool_call=LOOK)])]
    for name in await _names(stage):
        for request in (
            RunAgentRequest(agent=name, run="r1", session="s1"),
            RunAgentRequest(agent=name, run="r2", message=user("hello"), history=said * 20),
            RunAgentRequest(agent=name, run="r3", message=user("hello"), state_json='{"a": [1, null]}'),
            RunAgentRequest(agent=name, run="r4", message=user(""), checkpoint=b"\xff\x00 nobody's"),
        ):
            found = await plugin.streamed(AgentProviderStub, "RunAgent", request)
            if found.code not in (StatusCode.OK, StatusCode.INVALID_ARGUMENT, StatusCode.FAILED_PRECONDITION):
                raise Broken(str(found))
            await plugin.still_lives(plugin.sent)


@check(
    "AG5",
    MUST,
    "runs side by side do not mix",
    kind=AGENT,
    rule="sixteen runs at once each end with the same kinds of events as one alone",
    mend="keep what belongs to a run in its call, and not in the servicer",
)
async def side_by_side(stage: Stage) -> None:
    plugin = await stage.shared()
    for name in await _names(stage):

        async def run(number: int, name: str = name) -> list[str]:
            request = RunAgentRequest(
                agent=name, run=f"r{number}", session=f"s{number}", message=user("hello")
            )
            events = await plugin.stream(AgentProviderStub, "RunAgent", request)
            return sorted({str(event.WhichOneof("event")) for event in events})

        alone = await run(0)
        for found in await asyncio.gather(*(run(number) for number in range(1, 17))):
            if found != alone:
                came = f"one had {', '.join(found) or 'nothing'}; alone it has {', '.join(alone)}"
                raise Broken(came, f"RunAgent of {name!r}, sixteen at once")


@check(
    "AG6",
    SHOULD,
    "its agents say what they are for",
    kind=AGENT,
    rule="every agent has a description: other agents choose by it",
    mend="write a sentence for each agent",
)
async def described(stage: Stage) -> None:
    plugin = await stage.shared()
    found = await plugin.call(AgentProviderStub, "DescribeAgents", DescribeAgentsRequest())
    if bare := [agent.name for agent in found.agents if not agent.description.strip()]:
        raise Broken(f"no description: {', '.join(bare)}")


async def _names(stage: Stage) -> list[str]:
    plugin = await stage.shared()
    found = await plugin.call(AgentProviderStub, "DescribeAgents", DescribeAgentsRequest())
    return [agent.name for agent in found.agents]


def _is_object(text: str) -> None:
    try:
        good = isinstance(json.loads(text), dict)
    except ValueError:
        good = False
    if not good:
        raise Broken(f"state_delta_json is no JSON object: {text[:120]!r}")
