"""What a check finds wrong with a database."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be."""

    kind: str
    """"damaged", "schema", "log", "projection", "blob", "unreachable", "usage" or "artifact"."""
    subject: str
    """What it is about: a table, a run."""
    problem: str
    """What is wrong, and what it means."""
    repairable: bool = False
    """`hector db check --repair` puts it right, from the log and without losing anything."""
