"""A custom agent's run: its handler is asked once, and each thing that it yields becomes an event."""

from collections.abc import AsyncIterator

import hector_a2a as a2a
from hector.agent.v1 import (
    RUN_STATE_COMPLETED,
    ArtifactSaved,
    RunEvent,
    StatusChanged,
)
from hector_agent.ledger import packed
from hector_agent.run import Run

from .loading import Handler
from .turn import Turn

ANSWER = "answer-1"


async def work(handler: Handler, turn: Turn, run: Run) -> None:
    """Let the handler answer, and commit what it says.

    Raises:
        InvalidAgentResponse: It said what nobody could make sense of.
    """
    async for said in _said(handler, turn):
        if isinstance(said, str):
            run.show(ANSWER, said)
        elif isinstance(said, a2a.Part):
            artifact = a2a.Artifact(artifact_id=ANSWER, name="answer", parts=[said])
            saved = ArtifactSaved(artifact=packed(artifact), append=True)
            await run.commit([RunEvent(artifact_saved=saved)])
        elif isinstance(said, a2a.Artifact):
            await run.commit([RunEvent(artifact_saved=ArtifactSaved(artifact=packed(said), last=True))])
        else:
            raise a2a.InvalidAgentResponse("the agent answered with something that is no answer")
    await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_COMPLETED))], last=True)


async def _said(handler: Handler, turn: Turn) -> AsyncIterator[object]:
    answers = handler(turn)
    if hasattr(answers, "__aiter__"):
        async for said in answers:
            yield said
    elif (only := await answers) is not None:
        yield only
