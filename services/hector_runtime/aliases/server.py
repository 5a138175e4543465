"""Older spellings of `server`, `storage`, `observability`, `rate_limiting` and `global`."""

from hector_config import Alias, Spelling

SERVER: tuple[Spelling, ...] = (
    Alias("global.a2a_server.host", "server.host"),
    Alias("global.a2a_server.port", "server.port"),
    Alias("global.a2a_server.grpc_port", "server.grpc_port"),
    Alias("global.a2a_server.base_url", "server.public_url"),
    Alias("global.a2a_server.preferred_transport", "server.a2a.preferred_transport"),
    Alias("global.a2a_server.tls", "server.tls"),
    Alias("global.auth", "server.auth"),
    Alias("server.a2a_errors", "server.a2a.errors"),
    Alias("server.transport", "server.a2a.preferred_transport"),
    Alias("server.auth.cache_duration", "server.auth.refresh_interval"),
    Alias("global.performance.max_concurrency", "", "nothing ever read it"),
    Alias("global.logging", "logger"),
    Alias("global.observability", "observability"),
    Alias("server.observability", "observability"),
    Alias("observability.enable_metrics", "observability.metrics.enabled"),
    Alias("observability.enabled", "observability.metrics.enabled"),
    Alias("observability.metrics_endpoint", "observability.metrics.endpoint"),
    Alias("observability.tracing.endpoint_url", "observability.tracing.endpoint"),
    Alias("observability.tracing.exporter_type", "observability.tracing.exporter"),
    Alias("logger.format", "logger.format", values={"simple": "text", "verbose": "text", "custom": "text"}),
    Alias("server.storage", "storage"),
    Alias("server.tasks", "storage.tasks"),
    Alias("server.sessions", "storage.sessions"),
    Alias("server.memory", "storage.memory"),
    Alias("server.checkpoint", "storage.checkpoint"),
    Alias("storage.index", "storage.memory"),
    Alias("storage.memory.type", "storage.memory.backend"),
    Alias("session_stores.*.rate_limit", "rate_limiting"),
)
