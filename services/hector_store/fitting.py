"""Whether values fit their columns, asked before they are queued: SQLite would take anything."""

from collections.abc import Iterable
from operator import attrgetter

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


_RUN = (
    ("app", "app", APP),
    ("owner", "owner", OWNER),
    ("agent", "agent", NAME),
    ("context id", "context_id", CONTEXT_ID),
    ("kind", "kind", WORD),
    ("parent", "parent", RUN_ID),
    ("state", "state", WORD),
    ("revision", "revision", HASH),
    ("worker", "worker", NAME),
    ("worker target", "worker_target", TARGET),
    ("idempotency key", "idempotency_key", CONTEXT_ID),
    ("idempotency hash", "idempotency_hash", HASH),
    ("strategy name", "strategy_name", NAME),
)
"""The texts of a run: what messages call them, the fields, and their longest."""
_OWN = frozenset({"context_id", "idempotency_key", "idempotency_hash"})
"""Texts that another run has otherwise. The others are the same in most runs of an agent."""
_NEEDED = frozenset({"app", "kind", "state"})


class _Texts:
    """Some of a run's texts: what messages call them, their longest, and whether they must be there."""

    def __init__(self, wanted: Iterable[str]) -> None:
        rows = [row for row in _RUN if row[1] in wanted]
        self._limits = tuple((name, longest, field in _NEEDED) for name, field, longest in rows)
        self.of = attrgetter(*(field for _, field, _ in rows))
        """Reads them."""

    def fit(self, texts: Iterable[str]) -> None:
        """Check them."""
        for (name, longest, needed), text in zip(self._limits, texts, strict=True):
            # Every answer goes through here: a text that fits, or is not there, is not worth a call.
            if needed or (text and (len(text) > longest or "\0" in text or text[-1] == " ")):
                fit(name, text, longest, empty=not needed)


_own_texts = _Texts(_OWN)
_same_texts = _Texts({field for _, field, _ in _RUN} - _OWN)
_MOST_ALIKE = 256
"""Agents, apps and owners whose texts are known to fit."""
_alike: dict[tuple[str, ...], None] = {}


def fit_run(run: NewRun, run_id: str) -> int:
    """Check a new run and return the size of its parts without a limit."""
    fit("run id", run_id, RUN_ID, empty=False)
    _own_texts.fit(_own_texts.of(run))
    same = _same_texts.of(run)
    if same not in _alike:
        _same_texts.fit(same)
        if len(_alike) >= _MOST_ALIKE:
            del _alike[next(iter(_alike))]
        _alike[same] = None
    return len(run.view) + len(run.strategy_state)


_fitting: set[str] = set()
_MOST_KINDS = 256
"""Kinds of events that fit; there are a few dozen."""


def fit_events(events: Iterable[NewEvent]) -> int:
    """Check new events and return the size of their payloads."""
    size_bytes = 0
    for kind, payload, _ in events:
        if kind not in _fitting:
            fit("event kind", kind, WORD)
            if len(_fitting) < _MOST_KINDS:
                _fitting.add(kind)
        size_bytes += len(payload)
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
