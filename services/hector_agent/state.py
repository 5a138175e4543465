"""Session state, as a view of the events that changed it."""

import json
from collections.abc import Iterable, Mapping, Sequence

from hector.agent.v1 import RunEvent

TEMPORARY = "temp:"  # keys that end with their run


def state_of_session(events: Iterable[RunEvent]) -> dict[str, object]:
    """Return the state that a session's events leave: later changes win, null removes."""
    state: dict[str, object] = {}
    run = ""
    for event in events:
        if event.run != run:
            run = event.run
            _forget_temporary(state)
        if event.WhichOneof("event") == "state_changed":
            change(state, event.state_changed.delta_json)
    _forget_temporary(state)
    return state


def is_change(delta_json: str) -> bool:
    """Say whether this is a change, as tools write them: a JSON object, or nothing."""
    try:
        return isinstance(json.loads(delta_json or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def change(state: dict[str, object], delta_json: str) -> None:
    """Apply one change, in place."""
    for key, value in json.loads(delta_json or "{}").items():
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def chosen(state: Mapping[str, object], keys: Sequence[str]) -> str:
    """Return the named keys that are there, as a JSON object; empty when there are none."""
    found = {key: state[key] for key in keys if key in state}
    return json.dumps(found, ensure_ascii=False) if found else ""


def _forget_temporary(state: dict[str, object]) -> None:
    for key in [key for key in state if key.startswith(TEMPORARY)]:
        del state[key]
