"""An agent that is a plugin: what it says becomes the answer, as with code of the operator's own."""

import json
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Sequence

from google.protobuf.any_pb2 import Any as AnyMessage
from grpc import StatusCode
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import AgentProviderStub, DescribeAgentsRequest, RunAgentRequest, RunAgentResponse
from hector_agent.artifacts import to_a2a
from hector_agent.conversation import from_a2a
from hector_config.plugin_word import PluginWord
from hector_mesh import Mesh, streaming

from .a2a_plugin import asked_by_a2a
from .legs import CHECKPOINT
from .loading import Handler
from .saying import Said, failed, input_required, working
from .turn import Turn

MOST_CHECKPOINT_BYTES = 1 << 20


def handler_of(name: str, word: PluginWord, mesh: Mesh) -> Handler:
    """Return what answers for an agent: a plugin that serves AgentProvider, or A2A itself."""
    plugin = mesh.plugin(word.plugin, f"agents.{name}")
    agents, a2a_agents = AgentProviderStub(plugin), a2a.A2AServiceStub(plugin)

    async def answer(turn: Turn) -> AsyncIterator[Said]:
        said_something = False
        try:
            try:
                agent = word.component or name
                if not word.component and (names := await _described(agents)) and name not in names:
                    if len(names) > 1:
                        yield failed(_which(name, word.plugin, names))
                        return
                    agent = names[0]
                async for said in _asked(agents, turn, agent):
                    said_something = True
                    yield said
            except AioRpcError as error:
                if error.code() is not StatusCode.UNIMPLEMENTED or said_something:
                    raise
                async for said in asked_by_a2a(a2a_agents, turn, word.component):
                    yield said
        except AioRpcError as error:
            yield failed(f"{error.details() or error.code().name}")

    return answer


async def _asked(agents: AgentProviderStub, turn: Turn, agent: str) -> AsyncIterator[Said]:
    """Ask an agent, and yield what it says; one that is gone after a checkpoint is asked to go on from it."""
    request = RunAgentRequest(
        agent=agent,
        run=turn.task_id,
        session=turn.context_id,
        message=from_a2a(turn.message),
        history=[from_a2a(message) for message in turn.history],
    )
    artifacts = sum(known.startswith(f"{agent}-") for known in turn._known())
    while True:
        request.state_json = json.dumps(turn.state)
        request.checkpoint = b64decode(turn._kept(CHECKPOINT) or "")
        is_kept = False
        """Nothing has come since the last checkpoint."""
        try:
            async with streaming(agents.RunAgent(request)) as events:
                async for event in events:
                    kind = event.WhichOneof("event")
                    if kind == "checkpoint":
                        if wrong := await _keep(turn, event.checkpoint):
                            yield failed(f"the agent's plugin wants to keep what cannot be kept: {wrong}")
                            return
                        is_kept = True
                        continue
                    is_kept = False
                    if kind == "text":
                        yield event.text
                    elif kind == "status":
                        yield working(event.status)
                    elif kind == "artifact":
                        artifacts += 1
                        yield _artifact(event, f"{agent}-{artifacts}")
                    elif kind == "state_delta_json":
                        if wrong := _changed(turn, event.state_delta_json):
                            yield failed(f"the agent's plugin wants to keep what cannot be kept: {wrong}")
                            return
                    elif kind == "usage":
                        yield event.usage
                    elif kind == "require_input":
                        yield input_required(event.require_input)
                        return
            return
        except AioRpcError as error:
            if error.code() is not StatusCode.UNAVAILABLE or not is_kept:
                raise


async def _described(agents: AgentProviderStub) -> list[str]:
    """Return the names of the plugin's agents; none where it does not say."""
    try:
        answer = await agents.DescribeAgents(DescribeAgentsRequest())
    except AioRpcError as error:
        if error.code() is not StatusCode.UNIMPLEMENTED:
            raise
        return []
    return [agent.name for agent in answer.agents]


def _which(name: str, plugin: str, names: Sequence[str]) -> str:
    """Say that the configuration leaves open which agent is meant."""
    told = f"the plugin {plugin!r} has the agents {', '.join(sorted(names))}, and none is called {name!r}"
    return f"{told}: say which in agents.{name}, as type: plugin:{plugin}:{sorted(names)[0]}"


async def _keep(turn: Turn, checkpoint: bytes) -> str:
    """Keep a checkpoint; return what is wrong with it, if anything."""
    if len(checkpoint) > MOST_CHECKPOINT_BYTES:
        return f"a checkpoint of {len(checkpoint):,} bytes (allowed: {MOST_CHECKPOINT_BYTES:,})"
    await turn._keep(CHECKPOINT, b64encode(checkpoint).decode())
    return ""


def _artifact(event: RunAgentResponse, artifact_id: str) -> "a2a.Artifact":
    packed: AnyMessage = to_a2a(event.artifact, artifact_id)
    packed.Unpack(found := a2a.Artifact())
    return found


def _changed(turn: Turn, delta_json: str) -> str:
    """Change the session's state; return what is wrong with the change, if anything."""
    try:
        delta = json.loads(delta_json)
    except ValueError:
        return "it is no JSON"
    if not isinstance(delta, dict):
        return "it is no JSON object"
    for key, value in delta.items():
        if value is None:
            turn.state.pop(key, None)
        else:
            turn.state[key] = value
    return ""
