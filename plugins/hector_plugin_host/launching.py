"""Starts one life of a plugin, or finds it, in the way that its plan says."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

from .logs import Journal
from .modes.attach import attached
from .modes.spawn import spawned
from .modes.watch import watched
from .plan import PluginPlan
from .premises import Premises
from .process import PluginProcess
from .security_events import report
from .start_failed import PluginStartFailed


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
    if plan.data_dir is not None:
        await asyncio.to_thread(_make, plan.data_dir, plan)
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


def _make(data_dir: Path, plan: PluginPlan) -> None:
    try:
        data_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        why = f"its data folder {data_dir} cannot be made: {error.strerror or error}"
        fix = "let Hector write there, or name another place with plugins.folder"
        raise PluginStartFailed(plan.name, why, fix) from error
