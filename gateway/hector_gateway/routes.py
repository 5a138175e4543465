"""A2A's operations as paths, derived from the contract's `google.api.http` annotations."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from google.api import annotations_pb2  # type: ignore[import-untyped]  # ships no types
from google.protobuf.descriptor import ServiceDescriptor

ALSO = {"SubscribeToTask": "POST"}
"""Verbs that A2A's text gives an operation beside the one in its contract."""

_TENANT = "/{tenant}"
_VARIABLE = re.compile(r"\{(\w+)(?:=\*)?\}").fullmatch


@dataclass(frozen=True, slots=True)
class Path:
    """One path below an agent, and what its verbs do."""

    steps: tuple[str, ...]
    """As "tasks"; what a variable stands for is in `variables`."""
    variables: dict[int, str]
    """Names of the steps that are variables, by their position."""
    action: str
    """What the last step ends with, as ":cancel"; or empty."""
    rpcs: dict[str, str] = field(default_factory=dict)
    """Names of rpcs by verb."""

    def found_in(self, steps: Sequence[str]) -> dict[str, str] | None:
        """Return the variables' values if these steps are this path."""
        if len(steps) != len(self.steps) or not steps[-1].endswith(self.action):
            return None
        last = steps[-1].removesuffix(self.action) if self.action else steps[-1]
        values = {}
        for at, (wanted, step) in enumerate(zip(self.steps, (*steps[:-1], last), strict=True)):
            name = self.variables.get(at)
            if name is None and step != wanted:
                return None
            if name is not None:
                if not step:
                    return None
                values[name] = step
        return values


@dataclass(frozen=True, slots=True)
class Found:
    """A path that a request names, and what its variables are."""

    path: Path
    values: dict[str, str]


class Routes:
    """Every path of a service."""

    def __init__(self, service: ServiceDescriptor) -> None:
        paths: dict[tuple[tuple[str, ...], str], Path] = {}
        self.with_body: set[str] = set()
        """Rpcs whose message is the request's body; the others' is the query."""
        for rpc in service.methods:
            rule = rpc.GetOptions().Extensions[annotations_pb2.http]
            verb = rule.WhichOneof("pattern")
            if verb is None:
                continue
            path = _path(getattr(rule, verb))
            path = paths.setdefault((path.steps, path.action), path)
            path.rpcs[verb.upper()] = rpc.name
            if rpc.name in ALSO:
                path.rpcs[ALSO[rpc.name]] = rpc.name
            if rule.body:
                self.with_body.add(rpc.name)
        # "x:cancel" may be the id of a task for who looks at variables first.
        self._paths = sorted(paths.values(), key=lambda path: not path.action)

    def find(self, steps: Sequence[str]) -> Found | None:
        """Return what these steps lead to."""
        for path in self._paths if steps else ():
            values = path.found_in(steps)
            if values is not None:
                return Found(path, values)
        return None


def _path(template: str) -> Path:
    """Read a template, as "/tasks/{id=*}:cancel"."""
    head, _, last = template.removeprefix(_TENANT).rpartition("/")
    last, colon, action = last.partition(":")
    steps = (*head.split("/")[1:], last)
    variables = {at: match[1] for at, step in enumerate(steps) if (match := _VARIABLE(step))}
    return Path(steps, variables, colon + action)
