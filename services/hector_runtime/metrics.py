"""Keeps the values of instruments with Prometheus's client; imports nothing of it when that is off."""

import platform
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

from hector_config.version import VERSION
from hector_mesh import metric_sources, metrics
from hector_mesh.metrics import Gauge, Instrument

from .config import Config
from .metrics_config import MetricsConfig

BUILD = Gauge("hector_build_info", "Always 1; the labels say what is running.", ("version", "python"))


class Prometheus:
    """Prometheus's client with a registry of its own, the process's own figures included."""

    def __init__(self) -> None:
        import prometheus_client

        prometheus_client.disable_created_metrics()  # type: ignore[no-untyped-call]
        self._client = prometheus_client
        self._registry = prometheus_client.CollectorRegistry()
        prometheus_client.ProcessCollector(registry=self._registry)
        prometheus_client.GCCollector(registry=self._registry)
        self._registry.register(_Sources())

    def family(self, instrument: Instrument) -> Callable[[tuple[str, ...]], Any]:
        kinds: dict[str, Any] = {
            "counter": self._client.Counter,
            "gauge": self._client.Gauge,
            "histogram": self._client.Histogram,
        }
        more = {"buckets": instrument.bounds} if instrument.bounds else {}
        kind, labels = kinds[instrument.kind], instrument.labels
        made: Any = None

        def at(values: tuple[str, ...]) -> Any:
            nonlocal made
            if made is None:  # not before: what this process never does need not be shown as zero
                made = kind(instrument.name, instrument.about, labels, registry=self._registry, **more)
            return made.labels(*values) if values else made

        return at

    def page(self, accept: str) -> tuple[bytes, bytes]:
        from prometheus_client.exposition import choose_encoder

        encode, kind = choose_encoder(accept)
        return kind.encode(), encode(self._registry)


class _Sources:
    """What others keep, as prometheus_client collects."""

    collect = staticmethod(metric_sources.families)

    def describe(self) -> list[Any]:
        return []  # their names are not known before they are asked


@asynccontextmanager
async def measured(config: Config) -> AsyncIterator[None]:
    """Count and measure what happens inside the block, if metrics are on."""
    wanted: MetricsConfig = config.observability.metrics
    if not wanted.enabled:
        yield
        return
    models = {f"llms.{name}": (entry.provider, entry.model_name) for name, entry in config.llms.items()}
    prices = {
        f"llms.{name}": entry.price.each() for name, entry in config.llms.items() if entry.price is not None
    }
    metrics.enable(Prometheus(), models, prices=prices, path="" if wanted.listen else wanted.endpoint)
    BUILD.set(VERSION, platform.python_version(), value=1)
    try:
        yield
    finally:
        metrics.disable()
