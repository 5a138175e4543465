"""What a plugin's decorators have declared, for a `serve()` that is told nothing."""

from typing import TypeVar

declared: list[object] = []
"""Parts to be served, in the order of the file: tools, models, embedders, strategies, parsers."""
configs: list[object] = []
"""What `config` was called with."""

Part = TypeVar("Part")


def declare(part: Part) -> Part:
    """Remember a part, and give it back."""
    declared.append(part)
    return part
