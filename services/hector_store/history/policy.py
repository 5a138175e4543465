"""How long what is kept: in general, by app, by agent, and by agent of an app."""

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

FOREVER = math.inf


class Keep(NamedTuple):
    """Seconds since a run's last change of state; infinite is for ever. What is unfinished stays anyway."""

    runs_s: float = FOREVER
    """A run with all that belongs to it."""
    sessions_s: float = FOREVER
    """All runs of a session in which nothing has happened for so long."""
    compact_after_s: float = FOREVER
    """When a run's events are made fewer, without changing what is seen of it."""
    idempotency_keys_s: float = FOREVER
    """How long a message that is sent again with its key is found to be the same."""
    signals_s: float = FOREVER
    """What was said to a run."""
    effects_s: float = FOREVER
    """Which calls of tools a run made; its events tell of them as well."""
    push_configs_s: float = FOREVER
    """To whom a run was told, once all was delivered or given up."""


@dataclass(frozen=True, slots=True)
class Policy:
    """How long what is kept. The closest word counts: agent of an app, then agent, then app, then usual."""

    usual: Keep = field(default_factory=Keep)
    apps: Mapping[str, Keep] = field(default_factory=dict)
    agents: Mapping[str, Keep] = field(default_factory=dict)
    agents_of_apps: Mapping[tuple[str, str], Keep] = field(default_factory=dict)
    held_by: Collection[str] = ()
    """Kinds of events that the rest of a session still needs: a run that has one goes with its session."""

    def keep(self, app: str, agent: str) -> Keep:
        """Return how long what is kept of an agent's runs in an app."""
        for found in (self.agents_of_apps.get((app, agent)), self.agents.get(agent), self.apps.get(app)):
            if found is not None:
                return found
        return self.usual

    @property
    def youngest_s(self) -> float:
        """The age below which nothing is ever done to a run."""
        every = (self.usual, *self.apps.values(), *self.agents.values(), *self.agents_of_apps.values())
        return min(min(keep) for keep in every)
