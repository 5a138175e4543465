"""AG: agents that somebody else wrote."""

import json

from hector.agent.v1 import AgentProviderStub, DescribeAgentsRequest, RunAgentRequest
from hector.plugin.v1 import PLUGIN_KIND_AGENT as AGENT

from ..checks import MUST, Broken, NotApplicable, check  # noqa: TID252
from ..kinds import user  # noqa: TID252
from ..stage import Stage  # noqa: TID252

MIB = 1 << 20


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
    name = (await _names(stage))[0]
    request = RunAgentRequest(agent=name, run="r1", session="s1", message=user("hello"))
    events = await (await stage.shared()).stream(AgentProviderStub, "RunAgent", request)
    saved = [event.checkpoint for event in events if event.WhichOneof("event") == "checkpoint"]
    if not saved:
        raise NotApplicable("it saves no checkpoints")
    request.checkpoint = saved[-1]
    async with stage.connected() as other:
        await other.stream(AgentProviderStub, "RunAgent", request)


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
