"""An agent that is a plugin: what it says becomes the answer, as with code of the operator's own."""

import json
from collections.abc import AsyncIterator

from google.protobuf.any_pb2 import Any as AnyMessage
from grpc import StatusCode
from grpc.aio import AioRpcError

import hector_a2a as a2a
from hector.agent.v1 import AgentProviderStub, RunAgentRequest, RunAgentResponse
from hector_agent.artifacts import to_a2a
from hector_agent.conversation import from_a2a
from hector_config.plugin_word import PluginWord
from hector_mesh import Mesh, streaming

from .loading import Handler
from .saying import Said, failed, input_required, working
from .turn import Turn

ENDS = (
    a2a.TASK_STATE_COMPLETED,
    a2a.TASK_STATE_FAILED,
    a2a.TASK_STATE_REJECTED,
    a2a.TASK_STATE_INPUT_REQUIRED,
    a2a.TASK_STATE_AUTH_REQUIRED,
)
"""States that an agent may come to rest in; the others of A2A are not its own to say."""


def handler_of(name: str, word: PluginWord, mesh: Mesh) -> Handler:
    """Return what answers for an agent: a plugin that serves AgentProvider, or A2A itself."""
    plugin = mesh.plugin(word.plugin, f"agents.{name}")
    agents, a2a_agents = AgentProviderStub(plugin), a2a.A2AServiceStub(plugin)

    async def answer(turn: Turn) -> AsyncIterator[Said]:
        said_something = False
        try:
            try:
                async for said in _asked(agents, turn, word.component or name):
                    said_something = True
                    yield said
            except AioRpcError as error:
                if error.code() is not StatusCode.UNIMPLEMENTED or said_something:
                    raise
                async for said in _asked_by_a2a(a2a_agents, turn, word.component):
                    yield said
        except AioRpcError as error:
            yield failed(f"{error.details() or error.code().name}")

    return answer


async def _asked(agents: AgentProviderStub, turn: Turn, agent: str) -> AsyncIterator[Said]:
    request = RunAgentRequest(
        agent=agent,
        run=turn.task_id,
        session=turn.context_id,
        message=from_a2a(turn.message),
        history=[from_a2a(message) for message in turn.history],
        state_json=json.dumps(turn.state),
    )
    artifacts = 0
    async with streaming(agents.RunAgent(request)) as events:
        async for event in events:
            kind = event.WhichOneof("event")
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
            elif kind == "require_input":
                yield input_required(event.require_input)
                return


async def _asked_by_a2a(agents: "a2a.A2AServiceStub", turn: Turn, agent: str) -> AsyncIterator[Said]:
    message = a2a.Message()
    message.CopyFrom(turn.message)
    message.ClearField("task_id")  # ours, which it does not know
    asked = agents.SendStreamingMessage(a2a.SendMessageRequest(tenant=agent, message=message))
    async with streaming(asked) as events:
        async for event in events:
            kind = event.WhichOneof("payload")
            if kind == "message":
                for part in event.message.parts:
                    yield part
            elif kind == "task":
                for artifact in event.task.artifacts:
                    yield artifact
            elif kind == "artifact_update":
                yield event.artifact_update
            elif kind == "status_update" and event.status_update.status.state in (
                *ENDS,
                a2a.TASK_STATE_WORKING,
            ):
                status = a2a.TaskStatusUpdateEvent(metadata=event.status_update.metadata)
                status.status.state = event.status_update.status.state
                if event.status_update.status.HasField("message"):
                    status.status.message.parts.extend(event.status_update.status.message.parts)
                    status.status.message.role = a2a.ROLE_AGENT
                    status.status.message.message_id = event.status_update.status.message.message_id
                yield status


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
