"""The keys of `observability.metrics:`: whether to count, and where to show it."""

from pydantic import field_validator

from hector_config import Misfit, Section

TAKEN = ("/live", "/ready", "/health", "/agents", "/", "/api", "/v1", "/.well-known")


class MetricsConfig(Section):
    """Counters and measurements for Prometheus."""

    enabled: bool = False
    """Count at all (--metrics)."""
    endpoint: str = "/metrics"
    """The path to scrape. On the public port it needs the admin's credential where credentials are needed."""
    listen: str = ""
    """An address for probes and metrics alone, as "127.0.0.1:9464": plain HTTP without credentials, so keep
    it off public networks. Left out: the gateway's port shows them; a process without one shows none."""

    later = dict.fromkeys(
        ("namespace", "subsystem", "const_labels"), "names begin with hector_; relabel where they are scraped"
    )

    @field_validator("endpoint")
    @classmethod
    def _is_free(cls, path: str) -> str:
        if not path.startswith("/") or path != path.strip() or "?" in path:
            raise Misfit('a path is needed, as "/metrics"')
        if path in TAKEN or path.startswith(("/agents/", "/v1/", "/api/", "/.well-known/")):
            raise Misfit(f"{path} is something else already", hint='as "/metrics"')
        return path

    @field_validator("listen")
    @classmethod
    def _is_address(cls, address: str) -> str:
        host, _, port = address.rpartition(":")
        if address and not (host and port.isdigit() and int(port) < 65536):
            raise Misfit('host:port is needed, as "127.0.0.1:9464" or "[::]:9464"')
        return address
