"""Which sandbox a plugin gets on which machine, and what is said where it gets none."""

from dataclasses import replace

import pytest

from hector_plugin_host.plan import Sandbox, Security
from hector_plugin_host.sandbox import Machine, SandboxRefused, SandboxUnavailable, tier_for

DOCKER = "bwrap: No permissions to create new namespace"
HINT = "  (Docker's default seccomp profile, or kernel.apparmor_restrict_unprivileged_userns=1)"
BOTH = Machine("linux", "6.1.0", bubblewrap="/usr/bin/bwrap", landlock=4, filters=True, asks=True)
NO_NAMESPACES = Machine("linux", "6.1.0", bubblewrap_missing=DOCKER, landlock=4, filters=True, asks=True)
OLD = Machine(
    "linux",
    "5.10.0",
    bubblewrap_missing=DOCKER + HINT,
    landlock_missing="unavailable (kernel 5.10 < 5.13)",
)
MAC = Machine(
    "darwin",
    "23.1",
    bubblewrap_missing="unavailable (Darwin: it needs Linux)",
    landlock_missing="unavailable (Darwin: it needs Linux)",
)


@pytest.mark.parametrize(
    ("asked", "machine", "tier"),
    [
        ("off", BOTH, "none"),
        ("off", OLD, "none"),
        ("required", BOTH, "bubblewrap"),
        ("required", NO_NAMESPACES, "landlock"),
        ("bubblewrap", BOTH, "bubblewrap"),
        ("landlock", BOTH, "landlock"),
        ("best-effort", BOTH, "bubblewrap"),
        ("best-effort", NO_NAMESPACES, "landlock"),
        ("best-effort", OLD, "none"),
        ("best-effort", MAC, "none"),
    ],
)
def test_a_plugin_gets_the_best_that_is_here_and_asked_for(
    asked: Sandbox, machine: Machine, tier: str
) -> None:
    assert tier_for("p", Security(sandbox=asked), machine) == tier


@pytest.mark.parametrize(
    ("asked", "machine"),
    [
        ("required", OLD),
        ("required", MAC),
        ("bubblewrap", NO_NAMESPACES),
        ("bubblewrap", OLD),
        ("landlock", OLD),
        ("landlock", MAC),
    ],
)
def test_nothing_less_takes_the_place_of_what_is_required(asked: Sandbox, machine: Machine) -> None:
    with pytest.raises(SandboxUnavailable) as refused:
        tier_for("p", Security(sandbox=asked), machine)
    assert refused.value.final


def test_a_machine_that_cannot_confine_says_why_and_what_to_do() -> None:
    with pytest.raises(SandboxUnavailable) as refused:
        tier_for("pdf-tools", Security(sandbox="required"), OLD)
    assert str(refused.value) == (
        'plugin "pdf-tools": security.sandbox is required but this machine cannot confine it\n'
        "  bubblewrap  : bwrap: No permissions to create new namespace  "
        "(Docker's default seccomp profile, or kernel.apparmor_restrict_unprivileged_userns=1)\n"
        "  landlock    : unavailable (kernel 5.10 < 5.13)\n"
        "  Fix one of  : install bubblewrap and allow user namespaces (docs/plugins/security.md#docker) · "
        "kernel ≥ 5.13 · run the plugin as its own container and use `address:`\n"
        "  or accept it: security.sandbox: best-effort   (runs WITHOUT isolation)"
    )


def test_another_system_is_told_to_use_linux() -> None:
    with pytest.raises(SandboxUnavailable, match="run Hector on Linux · run the plugin as its own container"):
        tier_for("p", Security(sandbox="required"), MAC)


@pytest.mark.parametrize("networks", [None, (), ("*",)])
def test_landlock_keeps_a_plugin_to_no_network_or_any(networks: tuple[str, ...] | None) -> None:
    security = Security(sandbox="required", allowed_networks=networks)
    assert tier_for("p", security, NO_NAMESPACES) == "landlock"


def test_landlock_cannot_keep_a_plugin_to_a_list_of_hosts() -> None:
    security = Security(sandbox="required", allowed_networks=("api.example.com",))
    with pytest.raises(SandboxRefused, match="only bubblewrap can enforce") as refused:
        tier_for("p", security, NO_NAMESPACES)
    assert DOCKER in str(refused.value)
    assert tier_for("p", security, BOTH) == "bubblewrap"


def test_landlock_leaves_a_list_of_hosts_to_a_proxy_only_if_that_is_said() -> None:
    security = Security(sandbox="required", allowed_networks=("api.example.com",), proxy_only=True)
    assert tier_for("p", security, NO_NAMESPACES) == "landlock"
    with pytest.raises(SandboxRefused, match="whose filters can ask the host"):
        tier_for("p", security, replace(NO_NAMESPACES, asks=False))


def test_an_entry_that_is_none_is_refused() -> None:
    security = Security(sandbox="required", allowed_networks=("https://api.example.com",))
    with pytest.raises(SandboxRefused, match=r"security.allowed_networks: 'https://api.example.com' is an"):
        tier_for("p", security, BOTH)
