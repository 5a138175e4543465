"""The tool calls of one decision: written down, made, and what came of them. Each is made once, or in doubt.

A call whose end the log has is not made again. One that was written down and has no end is in doubt: its
tool's policy, or a person, says what becomes of it (`in_doubt.py`).
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from hector.agent.v1 import ArtifactSaved, RunEvent, StateChanged, ToolFinished, ToolStarted
from hector.common.v1 import ROLE_TOOL, Message, Part
from hector.reasoning.v1 import Action, Observation
from hector.tool.v1 import ToolContext
from hector_store import Effect

from . import retrying
from . import tools as toolbox
from .artifacts import to_a2a
from .conversation import result_of
from .errors import ActionNotSupported
from .in_doubt import (
    FAIL,
    REPLAY,
    VERIFY,
    Decision,
    EffectInDoubt,
    Verdict,
    end_of,
    policy_of,
    verdict_of,
)
from .measuring import in_doubt, tool_called
from .moment import Also
from .resuming import Known
from .state import change

if TYPE_CHECKING:
    from .turn import Turn

log = logging.getLogger(__name__)

NAME_CHARS = 128
"""How much of a name there is room for beside a run."""


@dataclass(slots=True)
class Called:
    """What came of the calls of one decision."""

    seen: dict[str, Observation] = field(default_factory=dict)
    again: list[ToolFinished] = field(default_factory=list)
    """Calls that are to be made again, a while later."""
    waiting: list[ToolFinished] = field(default_factory=list)
    """Calls that a person must answer."""
    in_doubt: list[ToolStarted] = field(default_factory=list)
    """Calls of which a person must say what becomes of them; then nothing else was done."""


async def call(turn: "Turn", actions: Sequence[Action], known: Known, *, side_by_side: bool) -> Called:
    """Make the calls that have not been made yet.

    Raises:
        EffectInDoubt: One may have been made, and nobody is to find out.
        HectorError: As `Run.commit` does.
    """
    place = turn.run.place
    called, verdicts = Called(), dict[str, Verdict]()
    of = turn.run.effects_of
    begun = [toolbox.started(of, turn.iteration, action.tool_call, turn.tools) for action in actions]
    if known.begun:
        begun = [known.begun.get(event.call.id, event) for event in begun]
        verdicts, called.in_doubt = await _settled(turn, begun, known, side_by_side=side_by_side)
        if called.in_doubt:
            return called
    else:
        await turn.may_go_on()
        effects = [effect for event in begun for effect in _effects(turn, event, "started")]
        await turn.commit(*(RunEvent(tool_started=event) for event in begun), last=True, effects=effects)
    context = ToolContext(session=place.context, run=place.run, agent=place.agent)

    async def end(event: ToolStarted) -> ToolFinished:
        made = known.ends.get(event.call.id)
        if made is not None:
            return made
        verdict = verdicts.get(event.call.id)
        if verdict is not None and verdict.decision is Decision.HAPPENED:
            return await _happened(turn, event, verdict)
        return await _made(turn, event, context)

    if side_by_side and len(begun) > 1:
        async with asyncio.TaskGroup() as group:
            running = [group.create_task(end(event)) for event in begun]
        finished = [task.result() for task in running]
    else:
        finished = [await end(event) for event in begun]
    for action, ended in zip(actions, finished, strict=True):
        if ended.result.HasField("call_again_after"):
            called.again.append(ended)
            continue
        if ended.result.HasField("require_input"):
            called.waiting.append(ended)
            continue
        result = result_of(ended)
        turn.conversation.append(Message(role=ROLE_TOOL, parts=[Part(tool_result=result)]))
        called.seen[action.id] = Observation(action_id=action.id, tool_result=result)
    return called


async def _settled(
    turn: "Turn", begun: Sequence[ToolStarted], known: Known, *, side_by_side: bool
) -> tuple[dict[str, Verdict], list[ToolStarted]]:
    """Return what becomes of calls in doubt, and those of which a person must say so."""
    verdicts, asked, again = dict(known.verdicts), list[ToolStarted](), list[ToolStarted]()
    open_calls = [event for event in begun if event.call.id not in known.ends]
    # One after the other: those behind the first that has no end were never made.
    for event in open_calls if side_by_side else open_calls[:1]:
        if not _is_dispatched(turn, event):
            continue
        policy = policy_of(event.call.name, turn.tools)
        if event.call.id in known.again:  # as its tool wanted: there is no doubt
            if policy != REPLAY:
                again.append(event)
            continue
        verdict = verdicts.get(event.call.id)
        if verdict is None and policy == REPLAY:
            verdict = Verdict(Decision.AGAIN)
        elif verdict is None and policy == FAIL:
            verdict = Verdict(Decision.GIVE_UP)
        elif verdict is None and policy.startswith(VERIFY):
            verdict = await _verified(turn, event, policy.removeprefix(VERIFY))
        outcome = "asked" if verdict is None else verdict.decision.name.lower()
        in_doubt(turn.run.place, event, policy, outcome)
        if verdict is None:
            asked.append(event)
            continue
        if verdict.decision is Decision.GIVE_UP:
            await turn.run.commit((), also=Also(effects=_effects(turn, event, "given up")))
            given_up = event.call.id in known.verdicts
            raise EffectInDoubt(event.call.name, event.effect_id, given_up=given_up)
        if verdict.decision is Decision.AGAIN and policy != REPLAY:
            again.append(event)
        verdicts[event.call.id] = verdict
    if again and not asked:
        # Written down once more: if this process dies too, nobody knows again.
        await turn.commit(*(RunEvent(tool_started=event) for event in again))
    return verdicts, asked


async def _verified(turn: "Turn", event: ToolStarted, name: str) -> Verdict | None:
    """Ask a tool whether an effect took place; None: it does not know."""
    tool = next((tool for tool in await turn.agent.toolbox.listed(None) if tool.name == name), None)
    if tool is None:
        facts = {"run": turn.run.place.run, "tool": event.call.name, "verify_with": name}
        log.warning("tool that verifies an effect was not found", extra=facts)
        return None
    place = turn.run.place
    context = ToolContext(session=place.context, run=place.run, agent=place.agent)
    request = toolbox.verification(event, context, name)
    asking = ToolStarted(call=event.call, effect_id=event.effect_id, instance=tool.instance)
    answer = await turn.agent.toolbox.run(asking, request)
    return None if answer.HasField("error") else verdict_of(answer.result)


async def _happened(turn: "Turn", event: ToolStarted, verdict: Verdict) -> ToolFinished:
    finished = end_of(event, verdict)
    await turn.commit(RunEvent(tool_finished=finished), effects=_effects(turn, event, "confirmed"))
    return finished


async def _made(turn: "Turn", event: ToolStarted, context: ToolContext) -> ToolFinished:
    """Make a call, and write down what came of it."""
    if toolbox.needs_approval(event.call, turn.tools):
        finished = toolbox.not_approved(event.call)
    elif event.instance:
        stores = turn.agent.config.document_stores
        request = toolbox.request(event, context, turn.state, stores, turn.tools)
        may_repeat = policy_of(event.call.name, turn.tools) == REPLAY

        async def make() -> ToolFinished:
            await turn.run.still_here()
            return await turn.agent.toolbox.run(event, request)

        finished = await retrying.called(turn, event, make, may_repeat=may_repeat)
    else:
        finished = toolbox.unknown(event.call, turn.tools)
    tool_called(turn.run.place, finished, event.instance)
    if finished.result.HasField("transfer"):
        raise ActionNotSupported("transfer")
    result = finished.result
    # A call that a person must answer, or that is to be made again, has not ended.
    is_open = result.HasField("require_input") or result.HasField("call_again_after")
    events = [] if is_open else [RunEvent(tool_finished=finished)]
    if result.state_delta_json:
        change(turn.state, result.state_delta_json)
        events.append(RunEvent(state_changed=StateChanged(delta_json=result.state_delta_json)))
    for number, artifact in enumerate(result.artifacts):
        saved = ArtifactSaved(artifact=to_a2a(artifact, f"{event.effect_id}-{number}"), last=True)
        events.append(RunEvent(artifact_saved=saved))
    if events:
        ended = "failed" if finished.HasField("error") else "done"
        effects = [] if is_open else _effects(turn, event, ended)
        await turn.commit(*events, effects=effects)
    return finished


def answered_effects(turn: "Turn", begun: Sequence[ToolStarted]) -> list[Effect]:
    """Return the ends of effects that a person's answer has ended."""
    return [effect for event in begun for effect in _effects(turn, event, "done")]


def _is_dispatched(turn: "Turn", event: ToolStarted) -> bool:
    return bool(event.instance) and not toolbox.needs_approval(event.call, turn.tools)


def _effects(turn: "Turn", event: ToolStarted, state: str) -> list[Effect]:
    """Return what is kept of a call's effect beside the log: nothing where it may simply be made again."""
    policy = policy_of(event.call.name, turn.tools)
    if policy == REPLAY or not _is_dispatched(turn, event):
        return []
    effect = Effect(
        effect_id=event.effect_id,
        call_id=event.call.id[:NAME_CHARS].strip(),
        tool=event.call.name[:NAME_CHARS].strip(),
        policy=policy[:NAME_CHARS],
        state=state,
    )
    return [effect]
