"""An answer in quotations: the best units, in an order that reads well, each with its citation."""

import re
from collections.abc import Sequence
from itertools import groupby

from hector_llm.local.passages import Passage
from hector_llm.local.ranking import Ranked, ranked
from hector_llm.local.units import Unit, units_of

MOST = 3
"""Units quoted at most."""
CLOSE = 0.85
"""A further unit must be this good, compared with the best,"""
ADDS = 0.6
"""or this good if it has a word of the question that none before it has."""
CODE_LINES = 40


def quoted(question: str, passages: Sequence[Passage], context: str = "") -> str:
    """Return an answer made of quotations; empty if nothing in the passages fits the question."""
    passages = list(passages)
    chosen = _chosen(ranked(question, units_of(passages), context))
    if not chosen:
        return ""
    best = chosen[0].passage
    # Passages in the order of their best unit; within one, as its author put it.
    first = {unit.passage: place for place, unit in reversed(list(enumerate(chosen)))}
    ordered = sorted(chosen, key=lambda unit: (unit.passage != best, first[unit.passage], unit.place))
    return "\n\n".join(
        _cited(list(units), passages[number].citation)
        for number, units in groupby(ordered, key=lambda unit: unit.passage)
    )


def _chosen(found: Sequence[Ranked]) -> list[Unit]:
    chosen: list[Ranked] = []
    seen: set[str] = set()
    covered: frozenset[str] = frozenset()
    for each in found:
        same = re.sub(r"\W+", "", each.unit.text.lower())
        if len(chosen) == MOST:
            break
        if chosen and each.score < (ADDS if each.covers - covered else CLOSE) * chosen[0].score:
            continue
        if same in seen or any(same in other or other in same for other in seen):
            continue  # neighbouring passages overlap
        seen.add(same)
        chosen.append(each)
        covered |= each.covers
    units = [each.unit for each in chosen]
    # A sentence that only introduces a block is said with the block.
    leads = {unit.lead for unit in units if unit.lead}
    return [unit for unit in units if unit.text not in leads]


def _cited(units: list[Unit], citation: str) -> str:
    mark = f" [{citation}]" if citation else ""
    written: list[str] = []
    for quotable, together in groupby(units, key=lambda unit: unit.kind in ("sentence", "item")):
        if quotable:
            written.append(" ".join(_finished(unit.text) for unit in together) + mark)
            continue
        for unit in together:
            lead, block = unit.lead or unit.caption, _shortened(unit.text)
            written.append(f"{lead}{mark}\n\n{block}" if lead else f"{block}\n{mark.strip()}".rstrip())
    return "\n\n".join(written)


def _finished(text: str) -> str:
    text = text.removesuffix(":").rstrip() if text.endswith(":") else text
    return text if text.endswith((".", "!", "?", "…", "`", ")")) else text + "."


def _shortened(block: str) -> str:
    lines = block.splitlines()
    if len(lines) <= CODE_LINES:
        return block
    fence = [lines[-1]] if lines[-1].lstrip().startswith(("```", "~~~")) else []
    return "\n".join([*lines[:CODE_LINES], "…", *fence])
