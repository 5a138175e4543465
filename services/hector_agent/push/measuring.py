"""What is counted of push notifications."""

from collections.abc import Callable

from hector_mesh.metrics import ERRORS, SHORT, Counter, Gauge, Histogram

DELIVERIES = Counter(
    "hector_push_deliveries_total", "Attempts to deliver a notification, by outcome.", ("agent", "outcome")
)
FAILED = Counter("hector_push_failures_total", "Attempts that failed, by reason.", ("error_type",))
DELIVERY_S = Histogram(
    "hector_push_delivery_duration_seconds", "From sending to the answer.", ("agent",), bounds=SHORT
)
DEAD = Gauge("hector_push_dead", "Webhooks that were given up.")
OLDEST_S = Gauge("hector_push_oldest_seconds", "For how long the notification that waits longest has.")


def attempted(agent: str, begun: float, reason: str) -> None:
    """Take note of one attempt; an empty reason: it was confirmed."""
    DELIVERIES.add(agent, "failed" if reason else "delivered")
    DELIVERY_S.since(begun, agent)
    if reason:
        FAILED.add(reason)
        ERRORS.add("push", reason)


def watch(oldest_s: Callable[[], float]) -> None:
    """Show how far behind deliveries are."""
    OLDEST_S.follow(oldest_s)
