"""Session state, as a view of the events that changed it."""

import json
from collections.abc import Iterable, Mapping, Sequence

from hector.agent.v1 import RunEvent

from .sessions.scopes import TEMPORARY, complaint


def state_of_session(events: Iterable[RunEvent], run: str = "") -> dict[str, object]:
    """Return the state that a session's events leave: later changes win, null removes.

    A run that waited for somebody changes it after runs that stand behind it. Its temporary keys are left
    to the run itself.

    Args:
        events: Of all runs of the session, in whatever order.
        run: Whose temporary keys to return, too.
    """
    changes = [event for event in events if event.WhichOneof("event") == "state_changed"]
    state: dict[str, object] = {}
    for event in sorted(changes, key=_time):
        change(state, event.state_changed.delta_json, temporary=not run or event.run == run)
    if not run:
        for key in [key for key in state if key.startswith(TEMPORARY)]:
            del state[key]
    return state


def is_change(delta_json: str) -> bool:
    """Say whether this is a change, as tools write them: a JSON object, or nothing."""
    try:
        return isinstance(json.loads(delta_json or "{}"), dict)
    except (ValueError, RecursionError):
        return False


def wrong_with(delta_json: str) -> str:
    """Say what is wrong with a change; empty when it can be kept."""
    if not is_change(delta_json):
        return "it is no JSON object"
    return complaint(json.loads(delta_json)) if delta_json else ""


def change(state: dict[str, object], delta_json: str, *, temporary: bool = True) -> None:
    """Apply one change, in place, with or without keys that end with their run."""
    for key, value in json.loads(delta_json or "{}").items():
        if not temporary and key.startswith(TEMPORARY):
            continue
        if value is None:
            state.pop(key, None)
        else:
            state[key] = value


def chosen(state: Mapping[str, object], keys: Sequence[str]) -> str:
    """Return the named keys that are there, as a JSON object; empty when there are none."""
    found = {key: state[key] for key in keys if key in state}
    return json.dumps(found, ensure_ascii=False) if found else ""


def _time(event: RunEvent) -> tuple[int, int]:
    return event.time.seconds, event.time.nanos
