"""What durable runs cost: their steps, taking them up, taking them over, and having many of them."""

from collections.abc import Callable, Sequence

import runs_claiming
import runs_sizes
import runs_steps
import runs_takeover
import runs_waiting
from figures import Figure
from plan import Plan

KINDS: dict[str, Callable[[Plan, int], list[Figure]]] = {
    "steps": runs_steps.steps,
    "claims": runs_claiming.claims,
    "takeover": runs_takeover.takeover,
    "children": runs_takeover.children,
    "waiting": runs_waiting.waiting,
    "length": runs_sizes.length,
    "stored": runs_sizes.stored,
}


def runs(plan: Plan, model: int) -> tuple[list[Figure], list[Sequence[str]]]:
    """Measure all kinds, or those that were asked for."""
    figures: list[Figure] = []
    for kind, measured in KINDS.items():
        if not plan.only or kind in plan.only:
            figures += measured(plan, model)
    return figures, []
