"""The metrics that plugins keep themselves, with their plugin's name, for the host's page.

Every name gets the prefix `plugin_`, so that none is one of ours: most have process_cpu_seconds_total.
"""

import asyncio
import logging
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from weakref import WeakSet

from grpc import StatusCode
from grpc.aio import AioRpcError

from hector.plugin.v1 import CollectMetricsRequest, PluginStub

from .clock import Clock
from .closing import ConnectionClosed, connected
from .generation import Generation

log = logging.getLogger(__name__)

PREFIX = "plugin_"
ANSWER_S = 2.0
"""How long a page waits for plugins."""
FRESH_S = 1.0
MOST_BYTES = 1024 * 1024
MOST_SAMPLES = 2_000
"""Of one process. Who tells more tells nothing: it would be the host's memory."""

Lives = Callable[[], Iterable[tuple[str, Generation]]]


@dataclass(slots=True)
class _Kept:
    asked_at: float = float("-inf")
    families: tuple[Any, ...] = ()


class PluginMetrics:
    """As `hector_mesh.metric_sources.MetricSource`."""

    def __init__(self, lives: Lives, clock: Clock) -> None:
        """Ask nobody yet.

        Args:
            lives: Returns the processes that there are, by plugin.
            clock: Tells the time.
        """
        self._lives, self._clock = lives, clock
        self._kept = _Kept()
        self._have_none = WeakSet[Generation]()
        self._asking = asyncio.Lock()

    async def refresh(self) -> None:
        async with self._asking:
            if self._clock.now() - self._kept.asked_at < FRESH_S:
                return
            asked = [(name, life) for name, life in self._lives() if life not in self._have_none]
            texts = await asyncio.gather(*(self._ask(name, life) for name, life in asked))
            found: dict[str, Any] = {}
            for (name, life), text in zip(asked, texts, strict=True):
                if text:
                    _add(found, name, life.place, text)
            self._kept = _Kept(self._clock.now(), tuple(found.values()))

    def families(self) -> Iterable[Any]:
        return self._kept.families

    async def _ask(self, name: str, life: Generation) -> str:
        process = life.process
        if process is None:
            return ""
        carried: Any = process.metadata
        asking = PluginStub(process.channel).CollectMetrics(
            CollectMetricsRequest(), metadata=carried, timeout=ANSWER_S
        )
        try:
            with connected():
                answer = await asking
        except ConnectionClosed:
            return ""
        except AioRpcError as error:
            if error.code() is StatusCode.UNIMPLEMENTED:
                self._have_none.add(life)
            return ""
        if len(answer.prometheus_text) > MOST_BYTES:
            log.warning("plugin told more metrics than there is room for", extra={"plugin": name})
            return ""
        return answer.prometheus_text.decode("utf-8", "replace")


def _add(found: dict[str, Any], plugin: str, place: int, text: str) -> None:
    """Add what one process tells to the families that there are."""
    from prometheus_client import Metric  # only where metrics are on
    from prometheus_client.parser import text_string_to_metric_families

    told = {"plugin": plugin, "replica": str(place)}
    try:
        families = list(text_string_to_metric_families(text))
        if sum(len(family.samples) for family in families) > MOST_SAMPLES:
            raise ValueError("more samples than there is room for")
    except ValueError as error:
        facts = {"plugin": plugin, "error": str(error)}
        log.warning("plugin told metrics that cannot be read", extra=facts)
        return
    for family in families:
        name = PREFIX + family.name
        known = found.get(name)
        if known is None:
            known = found[name] = Metric(name, family.documentation, family.type, family.unit)
        if known.type != family.type:
            continue  # two plugins mean different things by one name: the first one has it
        for sample in family.samples:
            labels = {key: value for key, value in sample.labels.items() if key not in told}
            known.add_sample(PREFIX + sample.name, {**labels, **told}, sample.value)
