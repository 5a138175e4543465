"""Whether values fit their columns, asked before they are queued: SQLite would take anything."""

from collections.abc import Iterable, Sequence

from .errors import InvalidValue
from .schema import APP, CONTEXT_ID, HASH, NAME, OWNER, RUN_ID, TARGET, WORD
from .values import NEW_RUN_ALIKE, Effect, NewEvent, NewRun, RunChanges


def fit(name: str, value: str, longest: int, *, empty: bool = True) -> None:
    """Check one text.

    Raises:
        InvalidValue: It is too long, empty though it must not be, holds NUL (PostgreSQL has none) or ends
            with a space (MySQL ignores that when it compares).
    """
    if not value:
        if empty:
            return
        raise InvalidValue(name, "empty", "1 character or more")
    if len(value) > longest:
        raise InvalidValue(name, f"{len(value)} characters long", f"at most {longest}")
    if "\0" in value or value[-1] == " ":
        raise InvalidValue(name, repr(value), "no NUL, no space at the end")


_LONGEST = {
    "app": APP,
    "owner": OWNER,
    "agent": NAME,
    "kind": WORD,
    "parent": RUN_ID,
    "state": WORD,
    "revision": HASH,
    "worker": NAME,
    "worker_target": TARGET,
    "strategy_name": NAME,
}
"""The texts of a run that are the same in most runs of an agent. Those that another run has otherwise are its
ids, and the key of idempotency with its hash."""
_NEEDED = frozenset({"app", "kind", "state"})

_MOST_ALIKE = 256
"""Agents, apps and owners whose texts are known to fit."""
_alike: dict[tuple[object, ...], None] = {}


def fit_run(run: NewRun, run_id: str) -> int:
    """Check a new run and return the size of its parts without a limit."""
    # Every answer goes through here: a text that fits, or is not there, is not worth a call.
    if not run_id or len(run_id) > RUN_ID or "\0" in run_id or run_id[-1] == " ":
        fit("run id", run_id, RUN_ID, empty=False)
    context_id = run.context_id
    if context_id and (len(context_id) > CONTEXT_ID or "\0" in context_id or context_id[-1] == " "):
        fit("context id", context_id, CONTEXT_ID)
    if run.idempotency_key or run.idempotency_hash:
        fit("idempotency key", run.idempotency_key, CONTEXT_ID)
        fit("idempotency hash", run.idempotency_hash, HASH)
    alike = run[:NEW_RUN_ALIKE]
    if alike not in _alike:
        for field, longest in _LONGEST.items():
            fit(field.replace("_", " "), getattr(run, field), longest, empty=field not in _NEEDED)
        if len(_alike) >= _MOST_ALIKE:
            del _alike[next(iter(_alike))]
        _alike[alike] = None
    return len(run.view) + len(run.strategy_state)


_fitting: set[str] = set()
_MOST_KINDS = 256
"""Kinds of events that fit; there are a few dozen."""


def fit_events(events: Sequence[NewEvent]) -> int:
    """Check new events and return the size of their payloads."""
    if not events:
        return 0
    kinds, payloads, _ = zip(*events, strict=True)
    if not _fitting.issuperset(kinds):
        for kind in kinds:
            fit("event kind", kind, WORD)
            if len(_fitting) < _MOST_KINDS:
                _fitting.add(kind)
    return sum(map(len, payloads))


def fit_changes(changes: RunChanges) -> int:
    """Check what changes in a run and return the size of its parts without a limit."""
    if changes.state is not None:
        fit("state", changes.state, WORD, empty=False)
    if changes.worker is not None:
        fit("worker", changes.worker, NAME)
    if changes.strategy_name is not None:
        fit("strategy name", changes.strategy_name, NAME)
    return len(changes.view or b"") + len(changes.strategy_state or b"")


def fit_effects(effects: Iterable[Effect]) -> int:
    """Check effects; they are small."""
    for effect in effects:
        fit("effect id", effect.effect_id, NAME, empty=False)
        fit("call id", effect.call_id, NAME)
        fit("tool", effect.tool, NAME)
        fit("policy", effect.policy, NAME)
        fit("effect state", effect.state, WORD, empty=False)
        fit("result reference", effect.result_ref, CONTEXT_ID)
    return 0
