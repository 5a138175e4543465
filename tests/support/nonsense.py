"""Values where others belong: what every reader of foreign JSON has to survive."""

import copy
from collections.abc import Iterator
from typing import Any

NONSENSE = [None, True, -1, 1.5, 2**80, "", "x", [], ["x"], {}, {"x": 1}, [None], [[]], {"error": {}}]


def places(value: object, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Return the way to every value inside a JSON value."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield (*path, key)
        yield from places(inner, (*path, key))


def spoiled(value: Any, path: tuple[Any, ...], nonsense: object) -> Any:
    """Return a copy of a JSON value with nonsense at one place."""
    value = copy.deepcopy(value)
    inside = value
    for key in path[:-1]:
        inside = inside[key]
    inside[path[-1]] = nonsense
    return value
