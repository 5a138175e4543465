"""Whether values fit their columns, asked before they are queued: SQLite would take anything."""

from collections.abc import Iterable

from .errors import InvalidValue
from .schema import APP, CONTEXT_ID, HASH, NAME, OWNER, RUN_ID, TARGET, WORD
from .values import Effect, NewEvent, NewRun, RunChanges


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


def fit_run(run: NewRun, run_id: str) -> int:
    """Check a new run and return the size of its parts without a limit."""
    fit("run id", run_id, RUN_ID, empty=False)
    fit("app", run.app, APP, empty=False)
    fit("owner", run.owner, OWNER)
    fit("agent", run.agent, NAME)
    fit("context id", run.context_id, CONTEXT_ID)
    fit("kind", run.kind, WORD, empty=False)
    fit("parent", run.parent, RUN_ID)
    fit("state", run.state, WORD, empty=False)
    fit("revision", run.revision, HASH)
    fit("worker", run.worker, NAME)
    fit("worker target", run.worker_target, TARGET)
    fit("idempotency key", run.idempotency_key, CONTEXT_ID)
    fit("idempotency hash", run.idempotency_hash, HASH)
    fit("strategy name", run.strategy_name, NAME)
    return len(run.view) + len(run.strategy_state)


def fit_events(events: Iterable[NewEvent]) -> int:
    """Check new events and return the size of their payloads."""
    size_bytes = 0
    for event in events:
        fit("event kind", event.kind, WORD)
        size_bytes += len(event.payload)
    return size_bytes


def fit_changes(changes: RunChanges | None) -> int:
    """Check what changes in a run and return the size of its parts without a limit."""
    if changes is None:
        return 0
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
