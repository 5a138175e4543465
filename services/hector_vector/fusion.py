"""Reciprocal rank fusion: two rankings become one, whatever their scores mean."""

from collections.abc import Sequence

_CUSHION = 60
"""How little the first places are ahead of the next; 60 is what everybody uses since Cormack et al., 2009."""


def fused(near: Sequence[int], worded: Sequence[int], alpha: float) -> list[tuple[int, float]]:
    """Return the members of two rankings, best first.

    Args:
        near: Records by nearness, best first.
        worded: Records by words, best first.
        alpha: Weight of `near`, 0 to 1.

    Returns:
        Records with scores in (0, 1]; 1 is first in every ranking that has a weight.
    """
    scores: dict[int, float] = {}
    for ranking, weight in ((near, alpha), (worded, 1.0 - alpha)):
        for place, record in enumerate(ranking):
            share = weight * (_CUSHION + 1) / (_CUSHION + 1 + place)
            scores[record] = scores.get(record, 0.0) + share
    ranked = ((record, score) for record, score in scores.items() if score > 0)
    return sorted(ranked, key=lambda found: -found[1])
