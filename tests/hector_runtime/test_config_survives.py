"""Whatever a file says, old forms included, the answer is a config or a ConfigInvalid with places in it."""

import random
from pathlib import Path

import pytest
from support.documented_keys import rows

from hector_config import ConfigInvalid, Problem, load
from hector_runtime.aliases import ALIASES
from hector_runtime.circles import circles
from hector_runtime.config import Config, known_names
from hector_runtime.plugins.references import checked_in
from hector_tool.config import LATER

ODD = [
    "[]",
    "{}",
    "null",
    "5",
    "text",
    "[[x]]",
    "{name: [x]}",
    "[{name: x}]",
    "{name: {}}",
    "plugin:a:b:c",
    "'${V}'",
    "''",
]
ROWS = rows()
PLACES = sorted(
    {tuple(row.path.split(".")[: depth + 1]) for row in ROWS for depth in range(row.path.count(".") + 1)}
)
"""Documented keys and what they stand below, each once."""


def survives(text: str) -> None:
    problems = problems_of(text)
    assert all(problem.message and "\n" not in str(problem) for problem in problems)


def problems_of(text: str) -> tuple[Problem, ...]:
    try:
        load(
            text,
            Config,
            environment={"V": "v"},
            aliases=ALIASES,
            known=known_names(),
            later={"tools": LATER},
            checks=(circles, checked_in(Path("/nonexistent"))),
        )
    except ConfigInvalid as error:
        return error.problems
    return ()


@pytest.mark.parametrize("odd", ODD)
def test_any_key_may_hold_any_shape(odd: str) -> None:
    for steps in PLACES:
        survives("\n".join(f"{'  ' * at}{step}:" for at, step in enumerate(steps)) + f" {odd}\n")


@pytest.mark.parametrize("seed", range(20))
def test_any_documented_keys_may_stand_together(seed: int) -> None:
    chance = random.Random(seed)
    for _ in range(15):
        tree: dict[str, object] = {}
        for row in chance.sample(ROWS, 12):
            place = tree
            *above, last = row.path.split(".")
            for step in above:
                below = place.setdefault(step, {})
                place = below if isinstance(below, dict) else {}
            place[last] = row.value
        survives(written(tree))


def written(tree: dict[str, object], depth: int = 0) -> str:
    lines = []
    for key, value in tree.items():
        inner = f"\n{written(value, depth + 1)}" if isinstance(value, dict) else f" {value}\n"
        lines.append(f"{'  ' * depth}{key}:{inner}")
    return "".join(lines)


@pytest.mark.parametrize("seed", range(10))
def test_a_documented_key_may_be_written_wrong_in_any_way(seed: int) -> None:
    chance = random.Random(seed)
    for row in chance.sample(ROWS, 40):
        text = list(row.text)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(text))
            text[at : at + chance.randint(0, 3)] = chance.choice(
                ["{", "}", "[", "]", ":", "- ", "\n", "*", "&a ", "${", "'", "x", ""]
            )
        survives("".join(text))
