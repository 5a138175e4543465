"""The keys of `observability:`: where spans of every call go, and what is counted."""

from typing import Annotated

from pydantic import Field

from hector_config import OneOf, Section

from .metrics_config import MetricsConfig


class TracingConfig(Section):
    """Spans of every call between roles, over OTLP. Needs `pip install "hector[tracing]"`."""

    enabled: bool = False
    """Trace at all (--tracing-endpoint)."""
    exporter: Annotated[str, OneOf("otlp", later=["jaeger", "zipkin", "stdout"])] = "otlp"
    """How spans travel: OTLP over gRPC."""
    endpoint: Annotated[str, Field(min_length=1)] = "localhost:4317"
    """Where the collector is: host:port, or a URL (--tracing-endpoint)."""
    insecure: bool = True
    """Speak without TLS."""
    sampling_rate: Annotated[float, Field(ge=0, le=1)] = 1.0
    """The share of traces to record; a caller that has decided already is followed."""
    service_name: Annotated[str, Field(min_length=1)] = "hector"
    """What this process is called in traces."""

    later = {
        "service_version": "spans say Hector's own version",
        "headers": "set OTEL_EXPORTER_OTLP_HEADERS in the environment",
        "timeout": "set OTEL_EXPORTER_OTLP_TIMEOUT in the environment",
        "capture_payloads": "prompts and answers are in no span",
        "debug_exporter": "",
    }


class ObservabilityConfig(Section):
    """How Hector can be watched."""

    tracing: TracingConfig = TracingConfig()
    """Spans of every call."""
    metrics: MetricsConfig = MetricsConfig()
    """Counters and measurements for Prometheus."""


class ObservabilitySection(Section):
    """What the runtime reads of a configuration to be watched."""

    observability: ObservabilityConfig = ObservabilityConfig()
    """How Hector can be watched."""
