"""Names of agents that mean something else at the root of the HTTP port, or nothing at all."""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from hector_config import Loaded, Problem
from hector_config.problem import problem_at
from hector_config.words import did_you_mean, nearest
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


def undeclared(loaded: "Loaded[Config]") -> Iterator[Problem]:
    """Yield a warning for each setting by agent that no agent of this config has.

    Not an error: what is kept of an agent outlives its entry in the config.
    """
    config, storage = loaded.config, loaded.config.storage
    ages = storage.retention
    named: list[tuple[Mapping[str, object], tuple[str, ...]]] = [
        (storage.queue.per_agent, ("storage", "queue", "per_agent")),
        (ages.agents, ("storage", "retention", "agents")),
        *((of.agents, ("storage", "retention", "apps", app, "agents")) for app, of in ages.apps.items()),
    ]
    for settings, where in named:
        for name in settings:
            if name not in config.agents:
                path = (*where, name)
                message = f"no agent is called {name}: this is only about runs that an earlier one left"
                hint = did_you_mean(nearest(name, [*config.agents]))
                yield problem_at(loaded.marks[path], path, message, hint=hint)
