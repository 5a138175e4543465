"""Takes a run's turn: with a model, or with code of the operator's own."""

from collections.abc import Awaitable, Callable, Sequence
from functools import cache

import grpc.aio

from hector.agent.v1 import RUN_STATE_SUBMITTED, RUN_STATE_WORKING, RunEvent, StatusChanged
from hector_mesh import current_call, info_of
from hector_store import RunLog, RunRow

from . import memory
from .agent import Agent
from .conversation import messages_of
from .elsewhere import Elsewhere
from .in_doubt import REPLAY, EffectInDoubt, policy_of
from .ledger import events_of
from .resuming import counted, has_progress, in_doubt, without
from .retrying import attempts_in
from .run import Run
from .sessions.reading import Session, new_session, session_of
from .turn import Turn
from .view import INTERRUPTED
from .work import Work

Answers = Callable[[Agent, Run, Work, Session, Sequence[RunEvent], RunLog], Awaitable[None]]
"""Takes a turn by an agent's own code."""
UNREADABLE = "STATE_UNREADABLE"
"""Why a strategy cannot go on with what it remembered: it begins anew with the conversation."""


async def take_turn(
    log: RunLog,
    agent: Agent,
    run: Run,
    work: Work,
    own: Sequence[RunEvent],
    row: RunRow | None,
    elsewhere: Elsewhere,
) -> None:
    """Work until the run is over, or waits for somebody.

    Args:
        log: Where the session's other runs are.
        agent: Who answers.
        run: The run, opened or taken up again.
        work: What is done for it: its call, what was said beside its message, its place in the session.
        own: What happened in the run so far; empty for a new one.
        row: The run as it was taken up; None for a new one.
        elsewhere: What tells of runs of the session that others are at work on.
    """
    if run.state == RUN_STATE_SUBMITTED:
        await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))])
    session = None if own else new_session(log, run)
    if session is None:
        session = await session_of(log, agent, run, is_new=not own)
    while session.ahead:  # in other processes: those here are over by now
        assert work.seat is not None
        await work.seat.aside(elsewhere.settled(session.ahead[0]))
        session = await session_of(log, agent, run, is_new=not own)
    current_call.set(work.call)  # the task is the run's own: there is nothing to reset
    try:
        if agent.handler is not None:
            await _answer()(agent, run, work, session, own, log)
        else:
            await _ask_model(log, agent, run, session, own, row)
    finally:
        work.call.end()


@cache
def _answer() -> Answers:
    from .custom.work import answer  # where an agent is such, and once: each import looks for it again

    return answer


async def _ask_model(
    log: RunLog,
    agent: Agent,
    run: Run,
    session: Session,
    own: Sequence[RunEvent],
    row: RunRow | None,
) -> None:
    before, state = session.events, session.state
    turn = Turn(agent, run, [], state, failed_before=attempts_in(own))
    of_same = row is not None and row.strategy_name == agent.config.reasoning.strategy
    hand = memory.read(row.strategy_state) if row is not None and of_same else None
    if _waits_for_answer(own) and (hand is None or hand.parked):
        await turn.go_on(before, own)
        return
    if hand is not None and not hand.parked:
        try:
            await turn.resume(before, own, hand)
        except grpc.aio.AioRpcError as error:
            if info_of(error).reason != UNREADABLE:
                raise
            turn = Turn(agent, run, [], state)
            own = events_of(await log.events(run.place.app, run.place.run))
        else:
            return
    await _begin(log, turn, before, own)


async def _begin(log: RunLog, turn: Turn, before: Sequence[RunEvent], own: Sequence[RunEvent]) -> None:
    """Begin with the conversation: a new run, or one of which nobody can tell how far it was."""
    run, agent = turn.run, turn.agent
    anew = has_progress(own)
    for call in in_doubt(own) if anew else ():
        tools = await agent.toolbox.listed(agent.config.tools)
        if policy_of(call.call.name, tools) != REPLAY:
            raise EffectInDoubt(call.call.name, call.effect_id, given_up=True)
    # Of what waited under code of the operator's own, a model has been told nothing yet.
    waited = any(
        event.HasField("status_changed") and event.status_changed.state in INTERRUPTED for event in own
    )
    history = messages_of([*before, *(without(own, run.void) if waited or anew else ())])
    said = run.said()[-1:] if waited and not anew else run.said()
    if any(message.reference_task_ids for message in run.task.history):
        from .references import referred_to

        said = [*await referred_to(log, run.place, run.task.history), *said]
    if not anew:
        turn.conversation = [*history, *said]
        await turn.work(said, len(history))
        return
    turn.conversation = history
    turn.asked, iteration = counted(own)
    await turn.work(said, len(messages_of(before)), max(iteration, 1))


def _waits_for_answer(own: Sequence[RunEvent]) -> bool:
    """Return whether the last thing that a turn did was to wait for a person, who has answered since."""
    for event in reversed(own):
        kind = event.WhichOneof("event")
        if kind == "turn_parked":
            return True
        if kind in ("model_answered", "tool_started", "tool_finished"):
            return False
    return False
