"""Whose runs come first: by priority, then apps in turn by their weights, then who has waited longest."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from math import inf
from typing import NamedTuple


class Candidate(NamedTuple):
    """A run that could be claimed."""

    app: str
    agent: str
    priority: int
    due: int
    run_id: str
    epoch: int
    worker: str


class Room:
    """How many more runs fit, of all and of each app and agent that has a cap."""

    def __init__(
        self,
        limit: int,
        per_app: Mapping[str, int],
        per_agent: Mapping[str, int],
        working: Iterable[tuple[str, str, int]],
    ) -> None:
        """Begin with what is worked on already, by app and agent."""
        self._left, self._per_app, self._per_agent = limit, per_app, per_agent
        self._of_app, self._of_agent = Counter[str](), Counter[tuple[str, str]]()
        for app, agent, runs in working:
            self._of_app[app] += runs
            self._of_agent[app, agent] += runs

    @property
    def is_full(self) -> bool:
        """Whether nothing fits any more."""
        return self._left <= 0

    def fits(self, app: str, agent: str) -> bool:
        """Return whether one more run of an app's agent does."""
        return (
            self._left > 0
            and self._of_app[app] < self._per_app.get(app, inf)
            and self._of_agent[app, agent] < self._per_agent.get(agent, inf)
        )

    def take(self, app: str, agent: str) -> None:
        """Give a run its room."""
        self._left -= 1
        self._of_app[app] += 1
        self._of_agent[app, agent] += 1


class Turns:
    """Whose turn it is among apps: each in proportion to its weight, also over many claims of one run each.

    Smooth weighted round robin: an app that had nothing to do saves nothing up.
    """

    def __init__(self) -> None:
        self._credit: dict[str, float] = {}

    def chosen(
        self, candidates: Iterable[Candidate], room: Room, weights: Mapping[str, float]
    ) -> list[Candidate]:
        """Return what to claim, in order."""
        classes: dict[int, dict[str, list[Candidate]]] = {}
        candidates = tuple(candidates)
        self._credit = {one.app: self._credit.get(one.app, 0.0) for one in candidates}
        for one in sorted(candidates, key=lambda one: (one.due, one.run_id), reverse=True):
            classes.setdefault(one.priority, {}).setdefault(one.app, []).append(one)
        found: list[Candidate] = []
        for priority in sorted(classes, reverse=True):
            found += self._of_class(classes[priority], room, weights)
        return found

    def _of_class(
        self, waiting: dict[str, list[Candidate]], room: Room, weights: Mapping[str, float]
    ) -> Iterator[Candidate]:
        while not room.is_full:
            for app, its in tuple(waiting.items()):
                while its and not room.fits(its[-1].app, its[-1].agent):
                    its.pop()
                if not its:
                    del waiting[app]
            if not waiting:
                return
            shares = {app: max(weights.get(app, 1.0), _LEAST) for app in waiting}
            for app, share in shares.items():
                self._credit[app] += share
            turn = max(waiting, key=lambda app: self._credit[app])
            self._credit[turn] -= sum(shares.values())
            one = waiting[turn].pop()
            room.take(one.app, one.agent)
            yield one


_LEAST = 0.001
"""Nobody waits for ever."""
