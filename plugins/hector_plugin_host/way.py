"""What all calls of one method of one plugin have in common."""

from collections.abc import Callable
from typing import Any

from grpc import StatusCode

from hector_mesh.metrics import enabled

from .admission import Admission
from .breaker import Breaker, Circuit
from .clock import Clock
from .complaints import complaints
from .generation import Generation
from .idempotent import EXECUTE_TOOL, METHODS
from .measuring import CALL_S, CALLS
from .plan import PluginPlan
from .visits import Visits

DEFAULT_S = 600.0
"""The deadline of calls for which nobody says another."""


class Way:
    """One method: its breaker, its deadline, and the line in front of its plugin."""

    def __init__(
        self,
        plan: Callable[[], PluginPlan],
        method: str,
        coders: tuple[Any, Any],
        admission: Admission[Generation],
        breaker: Breaker,
        clock: Clock,
        visits: Visits,
    ) -> None:
        self.method, self.admission, self.breaker, self.visits = method, admission, breaker, visits
        self.encode, self.decode = coders
        self.rpc = method.rpartition("/")[2]
        self.complaints = complaints(method)
        self.may_repeat = method in METHODS or method == EXECUTE_TOOL
        self.plugin = plan().name
        self.now = clock.now
        self._plan = plan

    def limit_s(self, timeout_s: float | None) -> float:
        """Return how long a call may take."""
        limit_s = self._plan().security.timeout_s or DEFAULT_S
        return timeout_s if timeout_s is not None and timeout_s < limit_s else limit_s

    def count(self, code: StatusCode, took_s: float | None) -> None:
        """Take note of a call that has ended."""
        if not enabled():
            return
        CALLS.add(self.plugin, self.rpc, code.name)
        if took_s is not None:
            CALL_S.observe(self.plugin, self.rpc, value=took_s)

    def nonsense(self) -> None:
        """Take note of an answer that nobody can read: the process is there, and is not well."""
        now = self.now()
        if self.breaker.circuit is Circuit.CLOSED:
            ticket = self.breaker.admit(now)
            assert ticket is not None
            self.breaker.ended(ticket, now, True)
