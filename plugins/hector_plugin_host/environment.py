"""The environment that a plugin's process gets: what Hector tells it, and next to nothing else."""

import os
import re
from collections.abc import Mapping
from pathlib import Path

from .plan import PluginPlan

COOKIE = ("HECTOR_PLUGIN", "hector_plugin_v1")
APP_VERSIONS = "1"
MIN_PORT, MAX_PORT = 10_000, 25_000
"""go-plugin's own, for systems on which it listens on TCP."""

FROM_THE_SYSTEM = (
    *("PATH", "HOME", "LANG", "LC_ALL", "LC_CTYPE", "TZ", "SSL_CERT_FILE", "SSL_CERT_DIR"),
    *(
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "NO_PROXY",
        "ALL_PROXY",
        "http_proxy",
        "https_proxy",
        "no_proxy",
        "all_proxy",
    ),
)
"""What programs need to find programs, words, clocks, certificates and the way out."""
_WITH_PASSWORD = re.compile(r"^(?:[a-z0-9+.-]+://)?[^/@]*@", re.IGNORECASE)


def environment(
    plan: PluginPlan,
    scratch: Path,
    token: str,
    *,
    log_level: str,
    telemetry: Mapping[str, str],
    host_target: str = "",
    system: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """Return all variables of a plugin's process; its own come after the system's, Hector's last.

    Args:
        plan: The plugin.
        scratch: Its private folder: sockets belong there, and so does what is temporary.
        token: What its callers show.
        log_level: From which level on lines are wanted.
        telemetry: OTEL_* variables, for plugins that report by themselves.
        host_target: Where HostServices listens, if anything was granted.
        system: The host's environment.
    """
    found = os.environ if system is None else system
    wanted = {name: found[name] for name in FROM_THE_SYSTEM if name in found}
    # A proxy's password is a secret, and secrets travel in Configure.
    passed = {name: value for name, value in wanted.items() if not _names_a_password(name, value)}
    ours = {
        COOKIE[0]: COOKIE[1],
        "PLUGIN_PROTOCOL_VERSIONS": APP_VERSIONS,
        "PLUGIN_MIN_PORT": str(MIN_PORT),
        "PLUGIN_MAX_PORT": str(MAX_PORT),
        "PLUGIN_UNIX_SOCKET_DIR": str(scratch),
        "TMPDIR": str(scratch),  # go-plugin before 1.5.1 looks here only
        "HECTOR_PLUGIN_TOKEN": token,
        "HECTOR_STDIN_WATCH": "1",
        "HECTOR_LOG_LEVEL": "warn" if log_level == "warning" else log_level,
        "HECTOR_LOG_FORMAT": "hclog",
        "HECTOR_DRAIN_S": f"{plan.limits.drain_s:g}",
    }
    if host_target:
        ours["HECTOR_HOST_TARGET"] = host_target
    return passed | dict(telemetry) | dict(plan.env) | ours


def _names_a_password(name: str, value: str) -> bool:
    return name.lower().endswith("_proxy") and bool(_WITH_PASSWORD.match(value))
