"""What is counted and logged of requests: who asked for what, how it ended and how long it took."""

import logging
from time import perf_counter

from hector_mesh import Principal, metrics
from hector_mesh.lines import line
from hector_mesh.metrics import ERRORS, LONG, Counter, Gauge, Histogram

from .exchange import Exchange

log = logging.getLogger(__name__)

REQUESTS = Counter(
    "hector_requests_total",
    "Requests from outside. code is the HTTP status, or gRPC's code.",
    ("protocol", "method", "code"),
)
REQUEST_S = Histogram(
    "hector_request_duration_seconds",
    "Requests from outside, streams to their end.",
    ("protocol", "method"),
    bounds=LONG,
)
STREAMS = Gauge("hector_open_streams", "Answers that are being streamed to clients.")
CONNECTIONS = Gauge("hector_http_connections_open", "Open HTTP connections.")

QUIET = frozenset({"live", "ready", "health", "metrics"})
"""What is asked so often that it is worth a line at debug level only."""


def http_served(exchange: Exchange, begun: float) -> None:
    """Take note of a request over HTTP."""
    what, status = exchange.what or "unknown", exchange.status or 499
    if metrics.enabled():
        _served("http", what, str(status), exchange.reason, begun)
    facts: dict[str, object] = {
        "protocol": "http",
        "method": what,
        "status": status,
        "duration_ms": _ms(begun),
        "request_id": exchange.request_id,
    }
    _add(facts, exchange.principal, exchange.agent, exchange.reason, exchange.traceparent)
    line(log, logging.DEBUG if what in QUIET else logging.INFO, "request served", facts)


def grpc_served(
    method: str,
    code: str,
    reason: str,
    begun: float,
    request_id: str,
    traceparent: str,
    principal: Principal,
    agent: str = "",
) -> None:
    """Take note of a request over gRPC."""
    if metrics.enabled():
        _served("grpc", method, code, reason, begun)
    if log.isEnabledFor(logging.INFO):
        facts: dict[str, object] = {
            "protocol": "grpc",
            "method": method,
            "status": code,
            "duration_ms": _ms(begun),
            "request_id": request_id,
        }
        _add(facts, principal, agent, reason, traceparent)
        line(log, logging.INFO, "request served", facts)


def _add(facts: dict[str, object], principal: Principal, agent: str, reason: str, traceparent: str) -> None:
    if principal.id:
        facts["principal"] = principal.id
    if agent:
        facts["agent"] = agent
    if reason:
        facts["reason"] = reason
    if traceparent:
        facts["trace_id"] = traceparent[3:35]


def _served(protocol: str, method: str, code: str, reason: str, begun: float) -> None:
    REQUESTS.add(protocol, method, code)
    REQUEST_S.since(begun, protocol, method)
    if reason:
        ERRORS.add("gateway", reason)


def _ms(begun: float) -> float:
    return round((perf_counter() - begun) * 1000, 1)
