"""Takes a run's turn: with a model, or with code of the operator's own."""

from collections.abc import Sequence
from itertools import takewhile

import grpc.aio

from hector.agent.v1 import RUN_STATE_SUBMITTED, RUN_STATE_WORKING, RunEvent, StatusChanged
from hector_mesh import Call, info_of, scope
from hector_store import RunLog, RunRow

from . import memory
from .agent import Agent
from .beside import Beside
from .conversation import messages_of
from .in_doubt import REPLAY, EffectInDoubt, policy_of
from .ledger import events_of
from .resuming import counted, has_progress, in_doubt, without
from .run import Run
from .state import state_of_session
from .turn import Turn
from .view import INTERRUPTED

UNREADABLE = "STATE_UNREADABLE"
"""Why a strategy cannot go on with what it remembered: it begins anew with the conversation."""


async def take_turn(
    log: RunLog,
    agent: Agent,
    run: Run,
    call: Call,
    beside: Beside,
    own: Sequence[RunEvent],
    wake_json: str,
    row: RunRow | None = None,
) -> None:
    """Work until the run is over, or waits for somebody.

    Args:
        log: Where the session's other runs are.
        agent: Who answers.
        run: The run, opened or taken up again.
        call: The call that it is.
        beside: What the client said beside its message.
        own: What happened in the run so far; empty for a new one.
        wake_json: What it was woken with, in place of a message.
        row: The run as it was taken up; None for a new one.
    """
    if run.state == RUN_STATE_SUBMITTED:
        await run.commit([RunEvent(status_changed=StatusChanged(state=RUN_STATE_WORKING))])
    session = await _session(log, run, is_new=not own)
    state = state_of_session(session, run.place.run)
    with scope(call):
        if agent.handler is not None:
            from .custom.work import answer

            others = [event for event in session if event.run != run.place.run]
            await answer(agent, run, call, beside, others, state, log, wake_json, resumes=bool(own))
        else:
            await _ask_model(log, agent, run, session, own, state, row)


async def _session(log: RunLog, run: Run, *, is_new: bool) -> list[RunEvent]:
    """Return what happened in the session: before this run, or in all of it where the run has waited."""
    place = run.place
    if is_new and place.position == 1:
        return []
    before = place.position if is_new else None
    rows = await log.conversation(place.app, place.owner, place.context, before_position=before)
    return events_of(rows)


async def _ask_model(
    log: RunLog,
    agent: Agent,
    run: Run,
    session: Sequence[RunEvent],
    own: Sequence[RunEvent],
    state: dict[str, object],
    row: RunRow | None,
) -> None:
    before = list(takewhile(lambda event: event.run != run.place.run, session)) if own else session
    turn = Turn(agent, run, [], state)
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
