"""Whom agents hand work to: names that there are not, and circles in which nobody ever answers."""

from collections.abc import Iterator, Mapping

from hector_config import Data, Misfit
from hector_config.problem import listed, quoted
from hector_config.words import did_you_mean, nearest

_COMPARISONS = 20_000  # about a quarter of a second
_LONGEST = 10  # names of a circle that are shown
KEYS = ("sub_agents", "agent_tools")
Edge = tuple[str, str, int]
"""An agent, the key under which it names another, and at which position."""


def circles(data: Mapping[str, Data]) -> Iterator[Misfit]:
    """Find agents that name an agent that there is not, or that end up at themselves."""
    agents = data.get("agents")
    if not isinstance(agents, dict):
        return
    names, patience = list(agents), _COMPARISONS
    graph: dict[str, dict[str, Edge]] = {name: {} for name in names}
    for name, agent in agents.items():
        for key in KEYS:
            called = agent.get(key) if isinstance(agent, dict) else None
            for position, other in enumerate(called if isinstance(called, list) else []):
                if not isinstance(other, str):
                    continue
                if other in graph:
                    graph[name].setdefault(other, (name, key, position))
                    continue
                patience -= len(names)
                near = nearest(other, names) if patience > 0 else ""
                hint = did_you_mean(near) or f"agents: {listed(names)}"
                message = f"{quoted(other)} is not declared under agents:"
                yield Misfit(message, at=("agents", name, key, position), hint=hint)
    yield from _closed(graph)


def _closed(graph: Mapping[str, Mapping[str, Edge]]) -> Iterator[Misfit]:
    """Walk depth first, without recursion; each edge back to the way that leads to it closes a circle."""
    done: set[str] = set()
    for start in graph:
        way: list[tuple[str, Iterator[str]]] = [(start, iter(graph[start]))] if start not in done else []
        under_way = {name for name, _ in way}
        done.add(start)
        while way:
            here, others = way[-1]
            other = next(others, None)
            if other is None:
                under_way.discard(way.pop()[0])
                continue
            if other in under_way:
                name, key, position = graph[here][other]
                names = [name for name, _ in way]
                circle = [*names[names.index(other) :], other]
                shown = circle if len(circle) <= _LONGEST else [*circle[: _LONGEST - 2], "…", other]
                yield Misfit(
                    f"agents call each other in a circle: {' → '.join(shown)}",
                    at=("agents", name, key, position),
                    hint="take one of them out",
                )
            elif other not in done:
                done.add(other)
                under_way.add(other)
                way.append((other, iter(graph[other])))
