"""Makes the state of sessions, users and apps anew from the events that tell of it."""

import json
import logging

from hector.agent.v1 import RunEvent
from hector_store import Database, States
from hector_store.states import Origin

from .scopes import changes_of, complaint

log = logging.getLogger(__name__)

Key = tuple[object, ...]


async def rebuild_states(database: Database) -> int:
    """Make the state what events say, and return how many keys were wrong.

    Turns may go on meanwhile: what they change is newer. What runs said that are not kept any more stays.
    """
    states = States(database)
    since_us = await states.time()
    found: dict[Key, tuple[bytes, Origin]] = {}
    async for events, places in states.changes("state_changed"):
        for row in events:
            event = RunEvent.FromString(row.payload)
            owner, context = map(str, places[row.run_id])
            origin = Origin(row.time_us, row.run_id, row.seq)
            for change in changes_of(_fitting(event, row.run_id), owner, context):
                key = (row.app, change.owner, change.context_id, change.scope, change.name)
                if key not in found or found[key][1] < origin:
                    found[key] = change.value, origin
    wrong = await states.replace(found, since_us)
    if wrong:
        log.info("state was made anew from events", extra={"database": database.name, "keys": wrong})
    return wrong


async def build_states_once(database: Database) -> None:
    """Take what events of an older version say of the state, unless that was done."""
    if not await States(database).is_built():
        await rebuild_states(database)


def _fitting(event: RunEvent, run: str) -> dict[str, object]:
    """Return what an event sets, without what an older version took and this one cannot keep."""
    delta: dict[str, object] = json.loads(event.state_changed.delta_json or "{}")
    fitting = {key: value for key, value in delta.items() if not complaint({key: value})}
    if len(fitting) < len(delta):
        log.warning("keys of the state cannot be kept", extra={"run": run, "keys": len(delta) - len(fitting)})
    return fitting
