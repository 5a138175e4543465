"""The strategies by name, and how a run finds its own."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import orjson

from hector.reasoning.v1 import Observation, ProcessIterationResponse
from hector_reasoning import default
from hector_reasoning.errors import OptionsInvalid, StrategyNotAvailable, StrategyNotFound
from hector_reasoning.state import Memory


class Conclude(Protocol):
    """Says the last sentence of a run."""

    def __call__(self, memory: Memory, agent: str, *, truncated: bool) -> str: ...


@dataclass(frozen=True, slots=True)
class Strategy:
    """Two pure functions."""

    decide: Callable[[Memory, Sequence[Observation]], tuple[Memory, ProcessIterationResponse]]
    conclude: Conclude


STRATEGIES = {default.NAME: Strategy(default.decide, default.conclusion)}
LATER = frozenset({"chain-of-thought", "chain_of_thought", "supervisor"})


def named(name: str) -> Strategy:
    """Return a strategy.

    Raises:
        StrategyNotAvailable: It is one of those to come.
        StrategyNotFound: There is none of that name.
    """
    strategy = STRATEGIES.get(name)
    if strategy is not None:
        return strategy
    if name in LATER:
        raise StrategyNotAvailable(name, STRATEGIES)
    raise StrategyNotFound(name, STRATEGIES)


def chosen(options_json: str) -> str:
    """Return the name of the strategy that an agent's options ask for: their key "strategy".

    Raises:
        OptionsInvalid: They are no JSON object, or hold what no strategy of this version knows.
    """
    if not options_json:
        return default.NAME
    try:
        options = orjson.loads(options_json)
    except orjson.JSONDecodeError as error:
        raise OptionsInvalid("the strategy's options are not JSON") from error
    if not isinstance(options, dict):
        raise OptionsInvalid("the strategy's options are no JSON object")
    name = options.pop("strategy", default.NAME)
    if not isinstance(name, str):
        raise OptionsInvalid('the option "strategy" is no string')
    named(name)
    if options:
        unknown = ", ".join(sorted(options))
        raise OptionsInvalid(
            f"strategy {name!r} has no options, found: {unknown}", strategy=name, unknown=unknown
        )
    return name
