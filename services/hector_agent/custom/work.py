"""A custom agent's turn: its handler is asked, and what it says becomes the answer."""

import asyncio
import inspect
import json
import logging
from collections.abc import Mapping, Sequence

from hector.agent.v1 import RUN_STATE_INPUT_REQUIRED, RunEvent, StatusChanged, TurnParked
from hector_agent.agent import Agent
from hector_agent.asking import asked_for
from hector_agent.ends import goes_on
from hector_agent.in_doubt import EffectInDoubt, question_of
from hector_agent.run import Run
from hector_agent.sessions.reading import Session
from hector_agent.state import change
from hector_agent.work import Work
from hector_mesh import HectorError
from hector_store import RunLog

from .answer import Answer
from .errors import HandlerFailed
from .history import messages_said
from .legs import leg_of
from .loading import Handler
from .once import StepInDoubt, as_call
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
    leg = None
    if own:
        leg = leg_of(run, own)
        if leg.unanswered:
            await _ask_about(run, leg.unanswered, leg.begun, misunderstood=True)
            return
        if leg.takes_back:
            await run.commit(leg.takes_back)
            for key, value in leg.taken_back.items():
                change(session.state, json.dumps({key: value}))
    history = messages_said(session.events) if session.events else ()
    turn = Turn(run, work.call, runs, work.beside, history, session.state, leg, work.wake_json)
    assert agent.handler is not None
    said = Answer(run, turn, agent.config.max_answer_size, leg)
    turn._commit, turn._own = said.commit, own
    try:
        await _listen(agent.handler, turn, said, run)
    except StepInDoubt as doubt:
        await said.commit()
        await _ask_about(run, [doubt.name], {doubt.name: doubt.effect_id})
        return
    except BaseException:
        said.break_off()
        raise
    finally:
        turn._ends()
    await said.finish()


async def _ask_about(
    run: Run, steps: Sequence[str], effects: Mapping[str, str], *, misunderstood: bool = False
) -> None:
    """Have a person say what becomes of steps in doubt, and wait."""
    asked = question_of([as_call(name, effects.get(name, "")) for name in steps], misunderstood=misunderstood)
    parked = RunEvent(turn_parked=TurnParked(in_doubt=steps))
    waits = StatusChanged(state=RUN_STATE_INPUT_REQUIRED, message=asked_for(asked))
    await run.commit([parked, RunEvent(status_changed=waits)], last=True)


async def _listen(handler: Handler, turn: Turn, said: Answer, run: Run) -> None:
    """Take what the handler says until it ends, or says how it ends."""
    is_inside = True
    try:
        answers = handler(turn)
        if inspect.isasyncgen(answers):
            try:
                async for one in answers:
                    try:
                        if said.take(one) and not await said.goes_on():
                            break
                    except BaseException:
                        is_inside = False
                        raise
            finally:
                await answers.aclose()
        else:
            only = await answers
            is_inside = False
            if only is not None and said.take(only):
                await said.goes_on()
    except asyncio.CancelledError:
        if run.stopping or not is_inside or _is_stopped():
            raise
        raise _failed(run, None) from None
    except (StepInDoubt, EffectInDoubt):
        raise
    except HectorError as error:
        if goes_on(error) or not is_inside:  # not its fault: it could not be written, or read, just now
            raise
        raise _failed(run, error) from None
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
