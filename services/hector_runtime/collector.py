"""Python's garbage collector, set up for a server that is long-lived and whose answers leave no garbage."""

import gc

STARTING = 1_000_000
"""Imports make 120,000 containers that stay, and next to no garbage."""

YOUNG = 10_000
"""New containers before the collector looks at them. By default it is 700: a few answers at once."""


def wait() -> None:
    """Keep out of the way of the imports, which would take a tenth longer."""
    gc.set_threshold(STARTING)


def settle() -> None:
    """Look no more at what the start has left, and less often at what comes after it.

    Modules, models and descriptors stay as long as the process: looking through them again and again took
    a tenth of the time of an answer. What answers leave behind is freed without the collector.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, 20, 20)
