"""What is counted and measured: instruments stand beside the code they watch, and do nothing until enabled.

A module declares its instruments once, at its top; `enable` gives each of them a place to keep its values.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, ClassVar, Protocol

from . import metric_sources

OTHER = "other"
"""Stands in for a label's value where there would be too many, or nobody knows it."""

MOST_SERIES = 500
"""Most sets of label values of one instrument, in case a label is less bounded than it should be."""

SHORT: Sequence[float] = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)
"""Upper bounds, in seconds, for what should be quick."""
LONG: Sequence[float] = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800)
"""Upper bounds, in seconds, for what models and people take their time with."""
SIZES: Sequence[float] = (1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000)
"""Upper bounds for numbers of things."""


class Backend(Protocol):
    """Keeps the values: Prometheus's client, say."""

    def family(self, instrument: "Instrument") -> Callable[[tuple[str, ...]], Any]:
        """Return what makes the keeper of one set of label values, as prometheus_client has them."""

    def page(self, accept: str) -> tuple[bytes, bytes]:
        """Return content type and body of all values, in the format that an Accept header prefers."""


class Instrument:
    """One series for every set of label values."""

    kind: ClassVar[str]

    def __init__(
        self, name: str, about: str, labels: Sequence[str] = (), *, bounds: Sequence[float] = ()
    ) -> None:
        """Declare an instrument.

        Args:
            name: As Prometheus has it: unit and `_total` at the end.
            about: What it says, in a sentence.
            labels: Names of the labels. Their values must come from the configuration, or from a short list.
            bounds: For histograms: upper bounds of the buckets.
        """
        self.name, self.about, self.labels, self.bounds = name, about, tuple(labels), tuple(bounds)
        self._family: Callable[[tuple[str, ...]], Any] | None = None
        self._kept: dict[tuple[str, ...], Any] = {}
        if name in _declared:
            raise ValueError(f"{name} is declared twice")
        _declared[name] = self
        self.bind(_enabled.backend)

    def bind(self, backend: Backend | None) -> None:
        """Keep values there from now on, and forget those of before."""
        self._family = backend.family(self) if backend else None
        self._kept = {}

    def _at(self, labels: tuple[str, ...]) -> Any:
        kept = self._kept.get(labels)
        if kept is None:
            assert self._family is not None
            if len(self._kept) >= MOST_SERIES:
                labels = (OTHER,) * len(self.labels)
            kept = self._kept[labels] = self._kept.get(labels) or self._family(labels)
        return kept


class Counter(Instrument):
    """A number that grows."""

    kind = "counter"

    def add(self, *labels: str, amount: float = 1) -> None:
        """Count `amount` more."""
        if self._family is not None:
            self._at(labels).inc(amount)


class Gauge(Instrument):
    """A number that comes and goes."""

    kind = "gauge"

    def bind(self, backend: Backend | None) -> None:
        super().bind(backend)
        self._followed: dict[tuple[str, ...], list[Callable[[], float]]] = {}

    def add(self, *labels: str, amount: float = 1) -> None:
        """Make it more, or with a negative amount less."""
        if self._family is not None:
            self._at(labels).inc(amount)

    def set(self, *labels: str, value: float) -> None:
        """Say what it is."""
        if self._family is not None:
            self._at(labels).set(value)

    def follow(self, function: Callable[[], float], *labels: str) -> None:
        """Ask `function` whenever somebody wants to know, and add what others say of the same labels."""
        if self._family is not None:
            at = self._at(labels)
            every = self._followed.setdefault(labels, [])
            every.append(function)
            at.set_function(lambda: sum(one() for one in every))


class Histogram(Instrument):
    """How large something was, each time."""

    kind = "histogram"

    def observe(self, *labels: str, value: float) -> None:
        """Take note of one more."""
        if self._family is not None:
            self._at(labels).observe(value)

    def since(self, begun: float, *labels: str) -> None:
        """Take note of the seconds since `begun`, a value of `time.perf_counter`."""
        if self._family is not None:
            self._at(labels).observe(perf_counter() - begun)


class _Enabled:
    """Whether anybody wants to know, and what the configuration says of its entries."""

    backend: Backend | None = None
    entries: Mapping[str, tuple[str, ...]] = {}
    prices: Mapping[str, tuple[float, float, float]] = {}
    path: str = ""
    gather: "Gather | None" = None


Gather = Callable[[str], Awaitable[tuple[bytes, bytes]]]
"""Makes one page of the values of several processes; gets the Accept header."""

_declared: dict[str, Instrument] = {}
_enabled = _Enabled()

ERRORS = Counter(
    "hector_errors_total",
    "Failures, by the part of the system that met them and their reason.",
    ("component", "error_type"),
)


def enable(
    backend: Backend,
    entries: Mapping[str, tuple[str, ...]] | None = None,
    *,
    prices: Mapping[str, tuple[float, float, float]] | None = None,
    path: str = "",
) -> None:
    """Keep values from now on, those of instruments that are declared later included.

    Args:
        backend: Where.
        entries: What labels say of configured entries, as {"llms.fast": ("openai", "gpt-4o")}.
        prices: What a prompt's token, a cached one of these, and a token of the answer cost by entry, in USD.
        path: Where the public port shows them; empty if it does not.
    """
    _enabled.backend, _enabled.entries = backend, entries or {}
    _enabled.prices, _enabled.path = prices or {}, path
    for instrument in _declared.values():
        instrument.bind(backend)


def disable() -> None:
    """Keep nothing from now on."""
    _enabled.backend, _enabled.entries, _enabled.prices, _enabled.path = None, {}, {}, ""
    _enabled.gather = None
    for instrument in _declared.values():
        instrument.bind(None)


def enabled() -> bool:
    """Say whether values are kept; for what would cost something to find out."""
    return _enabled.backend is not None


def entry(instance: str, size: int = 2) -> tuple[str, ...]:
    """Return what labels say of a configured entry; `size` times OTHER if it is not known."""
    return _enabled.entries.get(instance) or (OTHER,) * size


def price(instance: str) -> tuple[float, float, float] | None:
    """Return what a configured entry's tokens cost; None if nobody said."""
    return _enabled.prices.get(instance)


def path() -> str:
    """Return where the public port shows all values; empty if it does not."""
    return _enabled.path


def page(accept: str = "") -> tuple[bytes, bytes] | None:
    """Return content type and body of all values; None while nothing is kept."""
    return _enabled.backend.page(accept) if _enabled.backend else None


def gather(function: Gather) -> None:
    """From now on, show the values of other processes too, as a function gathers them; `disable` ends it."""
    _enabled.gather = function


async def whole_page(accept: str = "") -> tuple[bytes, bytes] | None:
    """Return content type and body of all values, those of processes beside this one included.

    None while nothing is kept.
    """
    if _enabled.backend is not None:
        await metric_sources.refresh()
    if _enabled.backend is not None and _enabled.gather is not None:
        return await _enabled.gather(accept)
    return page(accept)


def declared() -> Mapping[str, Instrument]:
    """Return every instrument of the modules loaded so far, by name."""
    return _declared
