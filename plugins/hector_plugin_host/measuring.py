"""What is counted and measured of plugins."""

from hector_mesh.metrics import LONG, SHORT, Counter, Gauge, Histogram

CALLS = Counter(
    "hector_plugin_calls_total",
    "Calls of plugins, as their callers saw them end.",
    ("plugin", "method", "code"),
)
CALL_S = Histogram(
    "hector_plugin_call_duration_seconds",
    "Calls of plugins, streams to their end, without the time that they waited for a place.",
    ("plugin", "method"),
    bounds=LONG,
)
QUEUE_S = Histogram(
    "hector_plugin_queue_seconds",
    "How long calls waited for a plugin's place, those that found one at once left out.",
    ("plugin",),
    bounds=SHORT,
)
IN_FLIGHT = Gauge("hector_plugin_in_flight", "Calls that plugins are at work on.", ("plugin",))
RESTARTS = Counter(
    "hector_plugin_restarts_total",
    "Plugin processes that ended without being asked to, or could not be started.",
    ("plugin", "reason"),
)
STATE = Gauge("hector_plugin_state", "1 for the state that a plugin is in.", ("plugin", "state"))
SWAPS = Counter(
    "hector_plugin_swaps_total",
    "Replacements of running plugins by new processes.",
    ("plugin", "outcome"),
)
CIRCUIT_OPEN = Gauge(
    "hector_plugin_circuit_open", "1 while calls of a method are refused.", ("plugin", "method")
)
SANDBOX_TIER = Gauge(
    "hector_plugin_sandbox_tier", "1 for what confines a plugin's processes.", ("plugin", "tier")
)
READY_S = Histogram(
    "hector_plugin_start_seconds", "How long plugins took to get ready.", ("plugin",), bounds=SHORT
)
SECURITY_EVENTS = Counter(
    "hector_plugin_security_events_total",
    "Refused calls, limits hit, checksums that differ and crashes.",
    ("plugin", "event"),
)
