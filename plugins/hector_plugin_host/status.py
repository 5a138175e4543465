"""How a plugin is, for people and programs."""

from dataclasses import asdict, dataclass
from typing import Any, Literal, get_args

from hector.plugin.v1 import GetInfoResponse, PluginKind

State = Literal[
    "stopped",
    "starting",
    "configuring",
    "ready",
    "degraded",
    "draining",
    "crashed",
    "backoff",
    "failed",
]
STATES: tuple[State, ...] = get_args(State)


@dataclass(frozen=True, slots=True)
class ReplicaStatus:
    """One of a plugin's processes."""

    state: State
    reason: str = ""
    """Why it is not well, in a sentence."""
    generation: int = 0
    """How many there were in this place, it included."""
    pid: int | None = None
    target: str = ""
    tier: str = ""
    """What confines it."""
    in_flight: int = 0
    restarts: int = 0
    ready_s: float = 0.0
    """How long it took to get ready."""
    since_s: float = 0.0
    """How long it has been in this state."""


@dataclass(frozen=True, slots=True)
class PluginStatus:
    """One plugin."""

    name: str
    kinds: tuple["PluginKind.ValueType", ...]
    state: State
    reason: str = ""
    """Why it is not well, in a sentence without secrets; empty when it is."""
    version: str = ""
    generation: int = 0
    in_flight: int = 0
    queued: int = 0
    restarts: int = 0
    """How often one of its processes ended without being asked to."""
    circuits_open: tuple[str, ...] = ()
    """Methods of which no calls are made for a while."""
    replicas: tuple[ReplicaStatus, ...] = ()
    info: GetInfoResponse | None = None
    """What it says of itself; None before it did, and for one that says nothing."""
    tail: tuple[str, ...] = ()
    """What it printed last."""
    origin: str = ""
    """Where the configuration names it."""

    def asdict(self) -> dict[str, Any]:
        """Return it as JSON has it; `info` is left out but for what stands beside it."""
        return {
            "name": self.name,
            "kinds": [_kind_name(kind) for kind in self.kinds],
            "state": self.state,
            "reason": self.reason,
            "version": self.version,
            "generation": self.generation,
            "in_flight": self.in_flight,
            "queued": self.queued,
            "restarts": self.restarts,
            "circuits_open": list(self.circuits_open),
            "replicas": [asdict(one) for one in self.replicas],
            "features": list(self.info.features) if self.info else [],
            "vendor": self.info.vendor if self.info else "",
            "origin": self.origin,
        }


def worst(states: list[State]) -> State:
    """Return the state of a whole with such parts."""
    if not states:
        return "stopped"
    if all(state == "ready" for state in states):
        return "ready"
    if any(state in ("ready", "degraded") for state in states):
        return "degraded"
    order: tuple[State, ...] = ("configuring", "starting", "draining", "crashed", "backoff", "failed")
    return next((state for state in order if state in states), "stopped")


def _kind_name(kind: "PluginKind.ValueType") -> str:
    return PluginKind.Name(kind).removeprefix("PLUGIN_KIND_").lower()
