"""A custom agent's turn: its handler is asked, and what it says becomes the answer."""

import asyncio
import inspect
import logging
from collections.abc import Sequence
from contextlib import aclosing

import hector_a2a as a2a
from hector.agent.v1 import RunEvent
from hector_agent.agent import Agent
from hector_agent.ledger import task_of
from hector_agent.run import Run
from hector_agent.sessions.reading import Session
from hector_agent.view import SHOWN
from hector_agent.work import Work
from hector_store import RunLog

from .answer import Answer
from .errors import HandlerFailed
from .history import messages_said
from .loading import Handler
from .turn import Turn

log = logging.getLogger(__name__)


async def answer(
    agent: Agent, run: Run, work: Work, session: Session, own: Sequence[RunEvent], runs: RunLog
) -> None:
    """Let an agent's handler answer.

    Args:
        agent: The agent.
        run: The run, open.
        work: What is done for it: its call, what was said beside its message, what woke it.
        session: What was said in its session, and the state.
        own: What happened in the run so far; empty for a new one.
        runs: Where other tasks are.

    Raises:
        HectorError: HandlerFailed, or what it said cannot be taken.
    """
    call = work.call

    async def find(task_id: str) -> "a2a.Task | None":
        found = await runs.story(call.app, call.principal.id, task_id, SHOWN)
        return task_of(*found) if found is not None and found[0].is_task else None

    turn = Turn(
        run,
        call,
        find,
        beside=work.beside,
        history=messages_said(session.events) if session.events else (),
        state=session.state,
        resumes=bool(own),
        wake_json=work.wake_json,
    )
    assert agent.handler is not None
    said = Answer(run, turn, agent.config.max_answer_size)
    await _listen(agent.handler, turn, said, run)
    await said.finish()


async def _listen(handler: Handler, turn: Turn, said: Answer, run: Run) -> None:
    """Take what the handler says until it ends, or says how it ends."""
    is_inside = True
    try:
        answers = handler(turn)
        if inspect.isasyncgen(answers):
            async with aclosing(answers):
                async for one in answers:
                    is_inside = False
                    if await said.take(one):
                        is_inside = True
                        break
                    is_inside = True
        else:
            only = await answers
            is_inside = False
            if only is not None:
                await said.take(only)
    except asyncio.CancelledError:
        if run.stopping or not is_inside or _is_stopped():
            raise
        raise _failed(run, None) from None
    # The border of code that is not ours: whatever it raises ends its run, and is nobody else's business.
    except (Exception, SystemExit) as error:
        if not is_inside:
            raise
        raise _failed(run, error) from None


def _is_stopped() -> bool:
    """Say whether somebody wants this task to end; in a variable, it would keep its frame and the run."""
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _failed(run: Run, error: BaseException | None) -> HandlerFailed:
    place = run.place
    log.error("agent's code failed", exc_info=error, extra={"run": place.run, "agent": place.agent})
    return HandlerFailed(place.agent, place.run)
