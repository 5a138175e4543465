"""A turn that a person must answer: what it asks, how it is kept, and what the answer makes of it."""

import json
import uuid
from collections.abc import Iterable, Sequence
from typing import Any

from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.json_format import ParseDict

import hector_a2a as a2a
from hector.agent.v1 import ToolFinished, TurnParked
from hector.common.v1 import Message
from hector.reasoning.v1 import Observation, ProcessIterationRequest, ProcessIterationResponse
from hector.tool.v1 import ExecuteToolResponse, RequireInput

from .conversation import result_of
from .packing import packed

SCHEMA, DETAILS = "hector.schema", "hector.details"
"""Where a question's message has the JSON Schema of its answer, and what a user interface may show."""


def asked_for(questions: Sequence[RequireInput]) -> AnyMessage:
    """Return the message that asks a person."""
    message = a2a.Message(message_id=str(uuid.uuid4()), role=a2a.ROLE_AGENT)
    for question in questions:
        message.parts.add(text=question.prompt or "The agent needs an answer to go on.")
        for key, written in ((SCHEMA, question.schema_json), (DETAILS, question.details_json)):
            found = _object(written)
            if found:
                ParseDict({key: found}, message.metadata)
    return packed(message)


def parking(
    decision: ProcessIterationResponse,
    iteration: int,
    asked: int,
    seen: Iterable[Observation],
    calls: Sequence[str],
    in_doubt: Sequence[str] = (),
) -> TurnParked:
    """Return what the log keeps of a turn that waits."""
    parked = TurnParked(iteration=iteration, asked=asked, calls=calls, in_doubt=in_doubt)
    parked.decision.Pack(decision)
    parked.seen.Pack(ProcessIterationRequest(observations=seen))
    return parked


def decision_of(parked: TurnParked) -> ProcessIterationResponse:
    """Return the decision of which some actions wait."""
    decision = ProcessIterationResponse()
    parked.decision.Unpack(decision)
    return decision


def observed(parked: TurnParked) -> list[Observation]:
    """Return what was seen already when the turn came to wait."""
    request = ProcessIterationRequest()
    parked.seen.Unpack(request)
    return list(request.observations)


def answered(parked: TurnParked, said: Message) -> list[ToolFinished]:
    """Return how the calls ended that waited: with what the person said."""
    tools = {one.tool_call.id: one.tool_call.name for one in decision_of(parked).actions}
    text = "".join(part.text for part in said.parts)
    return [
        ToolFinished(
            call_id=call,
            tool=tools.get(call, ""),
            result=ExecuteToolResponse(success=True, result=text, parts=said.parts),
        )
        for call in parked.calls
    ]


def observations_after(parked: TurnParked, said: Message) -> list[Observation]:
    """Return what came of all actions of the decision that waited, in their order."""
    seen = {observation.action_id: observation for observation in observed(parked)}
    ends = {end.call_id: result_of(end) for end in answered(parked, said)}
    for action in decision_of(parked).actions:
        if action.id not in seen and action.tool_call.id in ends:
            result = ends[action.tool_call.id]
            seen[action.id] = Observation(action_id=action.id, tool_result=result)
        elif action.id not in seen:
            seen[action.id] = Observation(action_id=action.id, message=said)
    return [seen[action.id] for action in decision_of(parked).actions]


def _object(written: str) -> dict[str, Any]:
    try:
        found = json.loads(written or "{}")
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
