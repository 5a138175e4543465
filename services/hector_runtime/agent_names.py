"""Names of agents that mean something else at the root of the HTTP port."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from hector_config import Loaded, Problem
from hector_config.problem import problem_at
from hector_gateway.reserved import RESERVED

if TYPE_CHECKING:
    from .config import Config


def shadowed(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each agent whose name leads elsewhere where a path begins with the tenant."""
    for name in loaded.config.agents:
        if name in RESERVED:
            message = f"/{name} leads elsewhere: this agent is called at /agents/{name} only"
            path = ("agents", name)
            yield problem_at(loaded.marks[path], path, message, hint="or give it another name")
