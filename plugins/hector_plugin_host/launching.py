"""Starts one life of a plugin, or finds it, in the way that its plan says."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace

from .logs import Journal
from .modes.attach import attached
from .modes.spawn import spawned
from .modes.watch import watched
from .plan import PluginPlan
from .premises import Premises
from .process import PluginProcess
from .security_events import report


@asynccontextmanager
async def launched(
    plan: PluginPlan,
    premises: Premises,
    *,
    generation: int = 1,
    host_target: str = "",
    journal: Journal | None = None,
) -> AsyncIterator[PluginProcess]:
    """Give a plugin that says that it serves; it is ended, if it is ours, when this is left.

    Args:
        plan: The plugin.
        premises: What is the same for all of them.
        generation: Which of its lives this is.
        host_target: Where HostServices listens for it, if anything was granted.
        journal: Where its lines are kept.

    Raises:
        PluginStartFailed: It did not become ready; says why, what it printed, and what to do.
    """
    if address := premises.attach.get(plan.name):
        if plan.security.sandbox != "off":
            report("sandbox_missing", plan.name, sandbox=plan.security.sandbox, attached_to=address)
        plan = replace(plan, mode="attach", address=address, insecure=False, tls=None)
    if plan.mode == "attach":
        async with attached(plan, generation) as process:
            yield process
    elif plan.mode == "watch":
        async with watched(plan, generation) as process:
            yield process
    else:
        async with spawned(plan, premises, generation, host_target, journal) as process:
            yield process
