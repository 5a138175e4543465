"""Puts the files that take longest before all others, so that workers come to their end together."""

import pytest

LONGEST = (
    "plugins/test_conformance.py",
    "plugins/test_confined_examples.py",
    "house/test_bench.py",
    "hector_store/test_lease_protocol.py",
    "hector_plugin/test_conformance_rules.py",
)
"""A minute or two each, of one worker: the last of them would run while the others have nothing to do."""


def put_longest_first(items: list[pytest.Item]) -> None:
    """Sort tests in place; those of other files stay as they were found."""
    places = {name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: places.get("/".join(item.path.parts[-2:]), len(LONGEST)))
