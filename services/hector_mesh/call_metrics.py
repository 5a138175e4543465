"""Calls to roles in other processes, counted where they are made."""

from time import perf_counter
from typing import Any

from .metrics import LONG, OTHER, Counter, Histogram

CALLS = Counter(
    "hector_mesh_calls_total",
    "Calls to roles in other processes, as their callers saw them end.",
    ("service", "method", "code"),
)
CALL_S = Histogram(
    "hector_mesh_call_duration_seconds",
    "Calls to roles in other processes, streams to their end.",
    ("service", "method"),
    bounds=LONG,
)


def measure(rpc: Any, path: str) -> None:
    """Take note of a call of grpc.aio's when it ends; `path` is "/package.Service/Method"."""
    begun = perf_counter()
    _, service, method = path.split("/", 2)

    def ended(_: Any) -> None:
        CALLS.add(service, method, _code_of(rpc))
        CALL_S.since(begun, service, method)

    rpc.add_done_callback(ended)


def _code_of(rpc: Any) -> str:
    """Return the code of a call that has ended, for which there is nothing to wait any more."""
    asking = rpc.code()
    try:
        asking.send(None)
    except StopIteration as answer:
        name: str = answer.value.name
        return name
    asking.close()
    return OTHER
