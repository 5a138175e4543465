"""An agent of its own: it greets who talks to it, and knows how often they have met."""

import json
from collections.abc import AsyncIterator

from hector.agent.v1 import (
    Agent,
    AgentProviderServicer,
    DescribeAgentsRequest,
    DescribeAgentsResponse,
    RunAgentRequest,
    RunAgentResponse,
)
from hector_plugin import serve, text_of
from hector_plugin.errors import InvalidArgument, NotFound


class AgentNotFound(NotFound):
    reason = "AGENT_NOT_FOUND"


class Greeter(AgentProviderServicer):
    async def DescribeAgents(self, request: DescribeAgentsRequest, context: object) -> DescribeAgentsResponse:
        return DescribeAgentsResponse(
            agents=[Agent(name="greeter", description="Greets, and counts.", streaming=True)]
        )

    async def RunAgent(self, request: RunAgentRequest, context: object) -> AsyncIterator[RunAgentResponse]:
        if request.agent != "greeter":
            raise AgentNotFound(f"there is no agent {request.agent!r}; there is: greeter")
        said = text_of(request.message).strip()
        if not said:
            yield RunAgentResponse(require_input="What shall I call you?")
            return
        met = met_in(request.state_json) + 1
        yield RunAgentResponse(status="greeting")
        yield RunAgentResponse(text=f"Hello! You said: {said}\n")
        yield RunAgentResponse(text=f"We have met {met} time{'s' if met > 1 else ''}.")
        yield RunAgentResponse(state_delta_json=json.dumps({"met": met}))


def met_in(state_json: str) -> int:
    try:
        met = json.loads(state_json or "{}").get("met", 0)
    except (ValueError, AttributeError):
        raise InvalidArgument("the session's state is no JSON object") from None
    return met if isinstance(met, int) else 0


if __name__ == "__main__":
    serve(Greeter(), name="example-agent", version="1.0.0")
