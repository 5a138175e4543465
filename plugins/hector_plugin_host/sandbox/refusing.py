"""Says before anything is started whether a plugin would be confined on this machine, and why not."""

from hector_plugin_host.plan import PluginPlan

from .errors import SandboxRefused, SandboxUnavailable
from .machine import Machine, survey
from .tiers import tier_for, unavailable
from .view import allowed_paths


def refusal(plan: PluginPlan, machine: Machine | None = None) -> str:
    """Return why a plugin would not be started here, for people; empty: it would be.

    Args:
        plan: The plugin.
        machine: Where it would run; this one if left out.
    """
    if not plan.starts_a_process:
        return ""
    try:
        if tier_for(plan.name, plan.security, machine or survey()) != "none":
            allowed_paths(plan)
    except SandboxUnavailable as error:
        return str(error)
    except SandboxRefused as error:
        return f"{error.why}; {error.fix}" if error.fix else error.why
    return ""


def warning(plan: PluginPlan, machine: Machine | None = None) -> str:
    """Return what a plugin that wants a sandbox, if there is one, has to do without; empty: nothing."""
    here = machine or survey()
    if not plan.starts_a_process or plan.security.sandbox != "best-effort":
        return ""
    if tier_for(plan.name, plan.security, here) != "none":
        return ""
    return unavailable(plan.name, plan.security, here)
