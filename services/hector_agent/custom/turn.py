"""What a handler gets: one message, and what it belongs to."""

import copy
import json
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, cast

import hector_a2a as a2a
from hector.agent.v1 import RunEvent
from hector_a2a.json_out import to_json
from hector_agent.beside import NOTHING, Beside
from hector_agent.ledger import task_of
from hector_agent.run import Run
from hector_agent.sessions.scopes import complaint
from hector_agent.view import SHOWN
from hector_mesh import Call, Principal
from hector_store import RunLog

from .legs import Leg, last_said
from .once import Commit, Policy, Steps
from .rests import Rests


class Turn:
    """One turn of a conversation: the message that is to be answered, and everything it belongs to."""

    # As it is at first, in most turns also at last: in the class, since every answer makes one of these.
    history: Sequence["a2a.Message"] = ()
    """What users and agents said in other turns of the session, oldest first."""
    state: dict[str, Any]
    """The session's state, for this turn and later ones: change it in place, with what JSON knows."""
    attempt = 1
    """How often the handler is called for this message, this time included: more than 1 where its process
    died, or was stopped, in the middle of it. What it said is void then, and `state` is as it was."""
    resumes = False
    """The task waited for somebody, and goes on: `task` has what was said before."""
    wake_json = ""
    """The JSON that woke a task which waited, where it was no message; else empty. `message` is the
    last one then."""
    _leg: Leg | None = None
    _message: "a2a.Message | None" = None
    _before: Mapping[str, Any] = MappingProxyType({})
    _commit: Commit | None = None
    """Writes what is done beside saying something; None: nothing is, the turn is over."""
    _own: Sequence[RunEvent] = ()
    _steps_of: Steps | None = None
    _rests_of: Rests | None = None

    def __init__(
        self,
        run: Run,
        call: Call,
        runs: RunLog,
        beside: Beside = NOTHING,
        history: Sequence["a2a.Message"] = (),
        state: dict[str, Any] | None = None,
        leg: Leg | None = None,
        wake_json: str = "",
    ) -> None:
        self._run, self._call, self._runs, self._beside = run, call, runs, beside
        if history:
            self.history = history
        if state:
            self.state, self._before = state, copy.deepcopy(state)
        else:
            self.state = {}
        if leg is None:
            self._source = run.task.history[0]
        else:
            self._source = leg.message or last_said(run)
            self._leg, self.attempt, self.resumes = leg, leg.attempt, leg.resumes
        if wake_json:
            self.wake_json = wake_json

    @property
    def agent(self) -> str:
        """The agent's name, as the config has it."""
        return self._run.place.agent

    @property
    def message(self) -> "a2a.Message":
        """What was said: parts, metadata, extensions, references. The handler's own."""
        message = self._message
        if message is None:
            self._message = message = a2a.Message()
            message.CopyFrom(self._source)
        return message

    @property
    def text(self) -> str:
        """The message's text, all parts of it."""
        parts = (self._message or self._source).parts
        return parts[0].text if len(parts) == 1 else "".join([part.text for part in parts])

    @property
    def data(self) -> list[Any]:
        """The message's JSON, a value for each part of that kind."""
        return [to_json(part.data) for part in self.message.parts if part.HasField("data")]

    @property
    def message_id(self) -> str:
        """The id that the client gave its message."""
        return self.message.message_id

    @property
    def metadata(self) -> Mapping[str, Any]:
        """The message's metadata."""
        return cast("dict[str, Any]", to_json(self.message.metadata))

    @property
    def request_metadata(self) -> Mapping[str, Any]:
        """The metadata of the request that brought the message."""
        return self._beside.metadata

    @property
    def reference_task_ids(self) -> Sequence[str]:
        """Tasks that the message is about; `find_task` has them."""
        return self.message.reference_task_ids

    @property
    def extensions(self) -> Sequence[str]:
        """URIs of the extensions that the client wants (A2A-Extensions)."""
        return self._beside.extensions

    @property
    def accepted_output_modes(self) -> Sequence[str]:
        """Media types that the client can take; empty: any."""
        return self._beside.output_modes

    @property
    def task_id(self) -> str:
        """The task that the answer becomes, unless it is a plain message."""
        return self._run.place.run

    @property
    def context_id(self) -> str:
        """The session."""
        return self._run.place.context

    @property
    def task(self) -> "a2a.Task":
        """The task as it is: its messages, and the artifacts that there are by now. A copy."""
        return self._run.snapshot()[0]

    @property
    def principal(self) -> Principal:
        """Who asks: `id` and `roles`. An empty id is nobody in particular."""
        return self._call.principal

    @property
    def app(self) -> str:
        """The app (tenant) that the caller belongs to."""
        return self._call.app

    @property
    def revision(self) -> str:
        """The revision of the config by which the turn is taken."""
        return self._call.revision

    @property
    def remaining_s(self) -> float | None:
        """Seconds that are left for the turn."""
        return self._call.remaining()

    @property
    def cancelled(self) -> bool:
        """The turn is to stop. What awaits gets a CancelledError; this is for threads to look at."""
        return self._run.stopping

    async def find_task(self, task_id: str) -> "a2a.Task | None":
        """Return another task of the caller's, whole; None: there is none of that id, or it is not theirs."""
        call = self._call
        found = await self._runs.story(call.app, call.principal.id, task_id, SHOWN)
        return task_of(*found) if found is not None and found[0].is_task else None

    async def once(
        self, name: str, function: Callable[..., Any], *args: object, after_crash: Policy = "ask"
    ) -> Any:
        """Call a function, and return what it gives; if it was called before, return what it gave then.

        That is written down before and after, so it also holds where the handler is called again: after its
        process died, and where the task has waited.

        Args:
            name: What the step is called; unique in the task.
            function: What to call: an async function, or one that may wait, which is called in a thread.
            args: What to call it with.
            after_crash: What happens if the process died in the middle of it, and nobody knows whether it was
                done: "ask" raises StepInDoubt, and the task waits for its user's word unless that is caught;
                "replay" calls it again; "fail" fails the task.

        Raises:
            StepInDoubt: See `after_crash`.
            StepUnusable: What the function gave is no JSON.
            Exception: What the function raised; it has not been done then, and is in doubt later.
        """
        await self._rests().may_go_on()
        return await self._steps().once(name, function, args, after_crash)

    async def sleep(self, delay_s: float, *, name: str = "") -> None:
        """Wait for so long, and hold nothing meanwhile: no process, no memory, no place in the session.

        The handler ends here, and is called again when the time is over, by whatever process; then this
        returns at once. What it had said is void until it says it again, so what must happen once belongs
        into `once`.

        Args:
            delay_s: Seconds, counted from the first time that this is called, by the database's clock.
            name: Tells this wait from others of the task; left out, they are counted.
        """
        await self._rests().sleep(delay_s, name)

    async def sleep_until(self, moment: datetime, *, name: str = "") -> None:
        """Wait until a moment, by the database's clock, as `sleep` does.

        Raises:
            ValueError: The moment has no zone.
        """
        await self._rests().sleep_until(moment, name)

    async def wait(self, timeout_s: float | None = None, *, name: str = "") -> Any:
        """Wait for a signal to the task (`hector task signal`), as `sleep` does, and return its JSON object.

        Signals that came before wait in their order. None: the time was over first.
        """
        said = await self._rests().wait(timeout_s, name)
        return None if said is None else json.loads(said)

    def effect_id(self, name: str) -> str:
        """Return what a step of `once` may be known by to others: an idempotency key that never changes."""
        return self._steps().effect_id(name)

    def _known(self) -> frozenset[str]:
        return self._steps().known

    def _kept(self, name: str) -> Any:
        return self._steps().kept(name)

    async def _keep(self, name: str, value: object) -> None:
        await self._steps().keep(name, value)

    def _ends(self) -> None:
        """Let the handler do no more; what it might have done it with knows the turn: a circle."""
        self._commit = self._steps_of = self._rests_of = None

    def _steps(self) -> Steps:
        if self._steps_of is None:
            assert self._commit is not None
            run = self._run
            self._steps_of = Steps(run.effects_of, self._leg or Leg(), self._commit, run.still_here)
        return self._steps_of

    def _rests(self) -> Rests:
        if self._rests_of is None:
            assert self._commit is not None
            self._rests_of = Rests(self._run, self._own, self._commit)
        return self._rests_of

    def _changes(self) -> tuple[str, str]:
        """Return what changed in the state since this was asked last, and how that was; "" for nothing.

        Raises:
            TypeError: There is something in it that JSON does not know.
            ValueError: Likewise.
        """
        state, before = self.state, self._before
        if state == before:
            return "", ""
        delta = {key: value for key, value in state.items() if key not in before or before[key] != value}
        delta |= dict.fromkeys(before.keys() - state.keys())
        if wrong := complaint(delta):
            raise ValueError(wrong)
        written = json.dumps(delta, ensure_ascii=False, allow_nan=False)
        self._before = copy.deepcopy(state)
        return written, json.dumps({key: before.get(key) for key in delta}, ensure_ascii=False)
