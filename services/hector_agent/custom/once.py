"""What a handler does once: written down before and after, so that it is not done when it is called again."""

import asyncio
import hashlib
import inspect
import json
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Literal, Protocol

from grpc import StatusCode

from hector.agent.v1 import RunEvent, StepFinished, StepStarted, ToolStarted
from hector.common.v1 import ToolCall
from hector_agent.in_doubt import Decision, EffectInDoubt, Verdict
from hector_agent.moment import Also
from hector_mesh import HectorError
from hector_store import Effect

from .legs import Leg

Policy = Literal["ask", "replay", "fail"]
"""What becomes of a step that had begun when its process died."""


class Commit(Protocol):
    """Writes what a handler has said so far, and events behind that."""

    def __call__(self, *events: RunEvent, also: Also | None = None) -> Awaitable[None]: ...


class StepInDoubt(HectorError):
    """A step had begun when its process died, and nobody knows whether it was done.

    A handler that can find out catches this; else the task waits until its user has said.
    """

    code, reason = StatusCode.ABORTED, "STEP_IN_DOUBT"

    def __init__(self, name: str, effect_id: str) -> None:
        super().__init__(
            f"the server stopped in the middle of step {name!r}, and nobody knows whether it was done",
            step=name,
            effect_id=effect_id,
        )
        self.name = name
        """The step."""
        self.effect_id = effect_id
        """What it was known by to others, if they were told."""


class StepUnusable(HectorError):
    """A step's result is nothing that can be kept. The message says what it is."""

    code, reason = StatusCode.INTERNAL, "STEP_UNUSABLE"


class Steps:
    """The steps of one call of a handler."""

    def __init__(self, run: str, leg: Leg, commit: Commit, still_here: Callable[[], Awaitable[None]]) -> None:
        self._run, self._leg, self._commit, self._still_here = run, leg, commit, still_here

    def effect_id(self, name: str) -> str:
        """Return what a step is known by, the same at each attempt."""
        return hashlib.sha256(f"{self._run}/once/{name}".encode()).hexdigest()[:32]

    async def once(
        self, name: str, function: Callable[..., Any], args: Sequence[object], after_crash: Policy
    ) -> Any:
        """Return what a function gives, from the log if it was called before."""
        leg = self._leg
        if name in leg.done:
            return json.loads(leg.done[name])
        if name in leg.begun:
            verdict = self._verdict(name, after_crash)
            if verdict.decision is Decision.HAPPENED:
                return await self._finish(name, verdict.result or None, "confirmed")
        effect = self._effect(name, "started", after_crash)
        started = RunEvent(step_started=StepStarted(name=name, effect_id=effect.effect_id))
        await self._commit(started, also=Also(effects=[effect]))
        await self._still_here()
        if inspect.iscoroutinefunction(function):
            result = await function(*args)
        else:
            result = await asyncio.to_thread(function, *args)
        return await self._finish(name, result, "done")

    @property
    def known(self) -> frozenset[str]:
        """The artifacts that stand, whatever is said from here on."""
        return self._leg.known

    def kept(self, name: str) -> Any:
        """Return what was kept last under a name in this run; None: nothing was."""
        written = self._leg.done.get(name)
        return None if written is None else json.loads(written)

    async def keep(self, name: str, value: object) -> None:
        """Write down what is to be known when the handler is called again, with what was said before it."""
        written = json.dumps(value, ensure_ascii=False, allow_nan=False)
        await self._commit(RunEvent(step_finished=StepFinished(name=name, result_json=written)))
        self._leg.done[name] = written

    def _verdict(self, name: str, after_crash: Policy) -> Verdict:
        verdict = self._leg.verdicts.get(name)
        effect_id = self.effect_id(name)
        if verdict is not None and verdict.decision is Decision.GIVE_UP:
            raise EffectInDoubt(name, effect_id, given_up=True)
        if verdict is not None:
            return verdict
        if after_crash == "fail":
            raise EffectInDoubt(name, effect_id, given_up=True)
        if after_crash == "ask":
            raise StepInDoubt(name, effect_id)
        return Verdict(Decision.AGAIN)

    async def _finish(self, name: str, result: object, state: str) -> Any:
        try:
            written = json.dumps(result, ensure_ascii=False, allow_nan=False)
        except (TypeError, ValueError) as error:
            raise StepUnusable(f"step {name!r} gave what is no JSON ({error}); return plain values") from None
        finished = RunEvent(step_finished=StepFinished(name=name, result_json=written))
        await self._commit(finished, also=Also(effects=[self._effect(name, state, "")]))
        self._leg.done[name] = written
        self._leg.begun.pop(name, None)
        return json.loads(written)

    def _effect(self, name: str, state: str, policy: str) -> Effect:
        return Effect(effect_id=self.effect_id(name), tool=name[:128].strip(), policy=policy, state=state)


def as_call(name: str, effect_id: str) -> ToolStarted:
    """Return a step as people are asked about it."""
    return ToolStarted(call=ToolCall(id=name, name=name), effect_id=effect_id)
