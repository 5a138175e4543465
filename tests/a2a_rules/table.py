"""The table of A2A's rules (`rules.txt`), and the mark by which a test says which one it holds Hector to."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from support.doors import DOORS, Door, GrpcV03, GrpcV1, RestV03, RestV1, RpcV03, RpcV1

NAMES: dict[str, tuple[type[Door], ...]] = {
    "all": DOORS,
    "none": (),
    "1.0": (RpcV1, RestV1, GrpcV1),
    "0.3": (RpcV03, RestV03, GrpcV03),
    "http": (RpcV1, RpcV03, RestV1, RestV03),
    "rpc": (RpcV1, RpcV03),
    "rest": (RestV1, RestV03),
    "grpc": (GrpcV1, GrpcV03),
    **{
        f"{door.binding.replace('JSONRPC', 'rpc').replace('HTTP+JSON', 'rest').lower()}-{door.version}": (
            door,
        )
        for door in DOORS
    },
}
"""What the table calls doors, and sets of them."""


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise of A2A's."""

    id: str
    """Section of the reference, and a name: "1.10-blocking-waits"."""
    doors: tuple[type[Door], ...]
    """Where it holds; empty: it is not about doors."""
    promise: str
    why: str
    """Why it holds at no other door; empty where it holds at all."""

    @property
    def section(self) -> str:
        return self.id.partition("-")[0]


def read(text: str) -> dict[str, Rule]:
    """Return the rules of a table by id."""
    found: dict[str, Rule] = {}
    for line in text.splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        cells = [cell.strip() for cell in line.split("|")]
        assert len(cells) in (3, 4), f"a rule is `id | doors | promise | why not elsewhere`: {line}"
        name, where, promise, why = (*cells, "")[:4]
        assert re.fullmatch(r"1\.\d{1,2}-[a-z0-9.-]+", name), name
        assert name not in found, f"{name} stands twice in the table"
        chosen = {door for word in where.split() for door in NAMES[word]}
        doors = tuple(door for door in DOORS if door in chosen)
        assert bool(why) == (doors != DOORS), (
            f"{name}: say why where it is not about all doors, and only there"
        )
        found[name] = Rule(name, doors, promise, why)
    return found


RULES = read(Path(__file__).with_name("rules.txt").read_text(encoding="utf-8"))

KEPT: dict[str, set[str]] = {}
"""Tests by the rule that they hold us to; complete when all modules of tests are loaded."""


def keeps(*rules: str) -> Callable[[Any], Any]:
    """Mark a test with the rules that it tests; it gets their doors, one after the other, as `door`."""
    doors = {RULES[rule].doors for rule in rules}
    assert len(doors) == 1, f"rules of one test have the same doors: {rules}"

    def mark(test: Any) -> Any:
        where = f"{Path(test.__code__.co_filename).name}::{test.__name__}"
        for rule in rules:
            KEPT.setdefault(rule, set()).add(where)
        for chosen in doors:
            if chosen:
                test = pytest.mark.parametrize("door", chosen, ids=_name, indirect=True)(test)
        return pytest.mark.asyncio(loop_scope="session")(test)

    return mark


def _name(door: type[Door]) -> str:
    return door.__name__
