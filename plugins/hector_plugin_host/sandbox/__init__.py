"""Keeps plugins to what their configuration allows: files, networks, memory, processors, processes."""

from .confining import Confined, confine
from .errors import SandboxNotHeld, SandboxRefused, SandboxUnavailable
from .machine import Machine, survey
from .refusing import refusal, warning
from .tiers import Tier, tier_for, unavailable
from .watchdog import LimitHit

__all__ = [
    "Confined",
    "LimitHit",
    "Machine",
    "SandboxNotHeld",
    "SandboxRefused",
    "SandboxUnavailable",
    "Tier",
    "confine",
    "refusal",
    "survey",
    "tier_for",
    "unavailable",
    "warning",
]
