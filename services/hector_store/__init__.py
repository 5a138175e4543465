"""SQL: one database, one writer with group commit, and the run log. Knows no agents: payloads are bytes.

Names are imported when they are first used, so that reading a config does not load SQLAlchemy.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .artifacts import Artifacts
    from .blobs import Blobs, blobs_of
    from .config import StorageConfig, StorageSection
    from .database import Database
    from .dead_letters import Dead, DeadLetter, DeadLetters, DeadPage
    from .documents import DocumentIndex, DocumentRow
    from .errors import IdempotencyMismatch
    from .file_lock import FileLock, Held
    from .hints import DUE, EVENTS, GONE, SIGNAL, Flag, Hints
    from .ids import new_id
    from .kept import NOTHING_KEPT, ArtifactPage, ArtifactRow, Kept, NewArtifact, Scopes, StateChange
    from .opening import opened
    from .plugin_values import PluginValues
    from .push_configs import PushConfigs
    from .push_values import NewPush, PendingPush, PushKey, PushPage, PushProgress, PushRow
    from .queue import AgentQueue, Depth, Queue, QueueStats
    from .revisions import Revision, Revisions
    from .run_log import RunLog
    from .skipping import EVENT_FORMAT, readable
    from .standings import Standing
    from .states import States
    from .values import (
        NEVER,
        NOW,
        TERMINAL_STATES,
        Appended,
        ContextPage,
        ContextRow,
        Created,
        Effect,
        EventRow,
        NewEvent,
        NewRun,
        RunChanges,
        RunPage,
        RunRow,
        SignalRow,
    )
    from .worker_values import Claim, Claimed, Worker, WorkerRow
    from .workers import Workers

__all__ = [
    "DUE",
    "EVENTS",
    "EVENT_FORMAT",
    "GONE",
    "NEVER",
    "NOTHING_KEPT",
    "NOW",
    "SIGNAL",
    "TERMINAL_STATES",
    "AgentQueue",
    "Appended",
    "ArtifactPage",
    "ArtifactRow",
    "Artifacts",
    "Blobs",
    "Claim",
    "Claimed",
    "ContextPage",
    "ContextRow",
    "Created",
    "Database",
    "Dead",
    "DeadLetter",
    "DeadLetters",
    "DeadPage",
    "Depth",
    "DocumentIndex",
    "DocumentRow",
    "Effect",
    "EventRow",
    "FileLock",
    "Flag",
    "Held",
    "Hints",
    "IdempotencyMismatch",
    "Kept",
    "NewArtifact",
    "NewEvent",
    "NewPush",
    "NewRun",
    "PendingPush",
    "PluginValues",
    "PushConfigs",
    "PushKey",
    "PushPage",
    "PushProgress",
    "PushRow",
    "Queue",
    "QueueStats",
    "Revision",
    "Revisions",
    "RunChanges",
    "RunLog",
    "RunPage",
    "RunRow",
    "Scopes",
    "SignalRow",
    "Standing",
    "StateChange",
    "States",
    "StorageConfig",
    "StorageSection",
    "Worker",
    "WorkerRow",
    "Workers",
    "blobs_of",
    "new_id",
    "opened",
    "readable",
]

_ELSEWHERE = {
    "Artifacts": "artifacts",
    "Blobs": "blobs",
    "blobs_of": "blobs",
    "States": "states",
    **dict.fromkeys(
        ("NOTHING_KEPT", "ArtifactPage", "ArtifactRow", "Kept", "NewArtifact", "Scopes", "StateChange"),
        "kept",
    ),
    "StorageConfig": "config",
    "StorageSection": "config",
    "Database": "database",
    **dict.fromkeys(("Dead", "DeadLetter", "DeadLetters", "DeadPage"), "dead_letters"),
    **dict.fromkeys(("AgentQueue", "Depth", "Queue", "QueueStats"), "queue"),
    "DocumentIndex": "documents",
    "DocumentRow": "documents",
    "IdempotencyMismatch": "errors",
    "FileLock": "file_lock",
    "Held": "file_lock",
    **dict.fromkeys(("DUE", "EVENTS", "GONE", "SIGNAL", "Flag", "Hints"), "hints"),
    "new_id": "ids",
    "opened": "opening",
    "PluginValues": "plugin_values",
    "PushConfigs": "push_configs",
    **dict.fromkeys(
        ("NewPush", "PendingPush", "PushKey", "PushPage", "PushProgress", "PushRow"), "push_values"
    ),
    "Revision": "revisions",
    "Revisions": "revisions",
    "RunLog": "run_log",
    "EVENT_FORMAT": "skipping",
    "readable": "skipping",
    **dict.fromkeys(("Claim", "Claimed", "Worker", "WorkerRow"), "worker_values"),
    "Workers": "workers",
    "Standing": "standings",
}


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f".{_ELSEWHERE.get(name, 'values')}", __name__), name)
    globals()[name] = found
    return found
