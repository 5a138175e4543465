"""Which kind of sandbox a plugin gets: the better one that is there and can do what is asked, or none."""

from typing import Literal

from hector_plugin_host.plan import Security

from .errors import SandboxRefused, SandboxUnavailable
from .machine import Machine
from .networks import NotANetwork, Policy, policy

Tier = Literal["bubblewrap", "landlock", "none"]
"""Namespaces made by bubblewrap; rules and filters of the kernel; or nothing."""

PAGE = "docs/plugins/security.md"


def tier_for(plugin: str, security: Security, machine: Machine) -> Tier:
    """Return what is to confine a plugin.

    Raises:
        SandboxUnavailable: The machine cannot do what is asked for, and nothing less may take its place.
        SandboxRefused: What may be connected to cannot be enforced here.
    """
    if security.sandbox == "off":
        return "none"
    networks = networks_of(plugin, security)
    if machine.bubblewrap and security.sandbox != "landlock":
        return "bubblewrap"
    if machine.landlock and security.sandbox != "bubblewrap":
        why = _why_not_by_landlock(networks, security, machine)
        if not why:
            return "landlock"
        if security.sandbox != "best-effort":
            missing = machine.bubblewrap_missing or "the configuration rules it out"
            fix = f"let bubblewrap work here ({missing}; {PAGE}#docker), list no networks, "
            raise SandboxRefused(
                plugin, why, fix + "or run the plugin as its own container and use `address:`"
            )
    if security.sandbox == "best-effort":
        return "none"
    raise SandboxUnavailable(plugin, unavailable(plugin, security, machine))


def networks_of(plugin: str, security: Security) -> Policy:
    """Return where a confined plugin may connect.

    Raises:
        SandboxRefused: An entry cannot be understood.
    """
    try:
        return policy(security.allowed_networks)
    except NotANetwork as error:
        raise SandboxRefused(plugin, f"security.allowed_networks: {error}") from None


def unavailable(plugin: str, security: Security, machine: Machine) -> str:
    """Return what is to be said of a machine that cannot confine a plugin."""
    wanted = {"required": "is required", "best-effort": "is wanted"}.get(
        security.sandbox, f"must be {security.sandbox}"
    )
    bubblewrap = machine.bubblewrap_missing or "works, but security.sandbox asks for landlock"
    landlock = machine.landlock_missing or "works, but security.sandbox asks for bubblewrap"
    if not machine.linux:
        fix = "run Hector on Linux · run the plugin as its own container and use `address:`"
    else:
        fix = (
            f"install bubblewrap and allow user namespaces ({PAGE}#docker) · kernel ≥ 5.13 · "
            "run the plugin as its own container and use `address:`"
        )
    accepted = "" if security.sandbox != "best-effort" else "is accepted: it "
    return (
        f'plugin "{plugin}": security.sandbox {wanted} but this machine cannot confine it\n'
        f"  bubblewrap  : {bubblewrap}\n"
        f"  landlock    : {landlock}\n"
        f"  Fix one of  : {fix}\n"
        f"  or accept it: security.sandbox: best-effort   ({accepted}runs WITHOUT isolation)"
    )


def _why_not_by_landlock(networks: Policy, security: Security, machine: Machine) -> str:
    """Return why rules and filters cannot keep a plugin to its networks; empty: they can."""
    if networks.nowhere or networks.anywhere:
        return ""
    if not security.proxy_only:
        return "security.allowed_networks lists hosts, which only bubblewrap can enforce for every program"
    if not machine.asks:
        return "security.proxy_only needs a kernel whose filters can ask the host (user_notif)"
    return ""
