"""`hector plugin doctor`: what this machine can confine plugins with, and what those of a config get."""

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import Exit
from .options import format_option
from .running import run

if TYPE_CHECKING:
    from hector_plugin_host.plan import PluginPlan
    from hector_plugin_host.sandbox import Machine


@click.command(
    "doctor",
    cls=Documented,
    examples=(
        ("hector plugin doctor", "Which sandboxes work on this machine, and why others do not."),
        ("hector plugin doctor -c hector.yaml", "And what confines each plugin of a config."),
    ),
    exits={
        Exit.DONE: "plugins can be confined, as the config wants it",
        Exit.FAILED: "they cannot, or one of them cannot, and the message says why",
        Exit.USAGE: "the command was not understood",
    },
)
@format_option("text", "json")
@flag(
    "-c",
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Say also what confines each plugin of this config.",
)
def command(form: str, config_file: Path | None) -> None:
    """Say what this machine can confine plugins with, and try it."""

    async def work() -> dict[str, Any]:
        from hector_plugin_host.sandbox import survey

        machine = survey()
        found = _facts(machine)
        if config_file is not None:
            found["plugins"] = [_plugin(plan, machine) for plan in _plans(config_file)]
        return found

    found = run(work())
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if form == "json" else _text(found))
    if "plugins" in found:
        sys.exit(Exit.FAILED if any(one["refused"] for one in found["plugins"]) else Exit.DONE)
    sys.exit(Exit.FAILED if found["plugins_get"] == "none" else Exit.DONE)


def _facts(machine: "Machine") -> dict[str, Any]:
    from hector_plugin_host.sandbox import cgroup

    delegated = machine.linux and cgroup.is_delegated()
    return {
        "system": f"{machine.system} {machine.kernel}",
        "bubblewrap": machine.bubblewrap_missing or f"works ({machine.bubblewrap})",
        "landlock": machine.landlock_missing or f"works (version {machine.landlock})",
        "plugins_get": machine.best,
        "max_memory": _or_none(machine, "cgroup2" if delegated else "rlimit+watchdog"),
        "max_cpu": _or_none(machine, "cgroup2" if delegated else "affinity+watchdog"),
        "max_processes": _or_none(machine, "asked before each one" if machine.asks else "watchdog"),
    }


def _or_none(machine: "Machine", how: str) -> str:
    return how if machine.linux else "none (it needs Linux)"


def _plans(file: Path) -> "tuple[PluginPlan, ...]":
    from hector_runtime.config import load_config
    from hector_runtime.plugins.plans import planned

    plans, _ = planned(load_config(file).config)
    return plans


def _plugin(plan: "PluginPlan", machine: "Machine") -> dict[str, Any]:
    from hector_plugin_host.sandbox import refusal, tier_for, warning

    why = refusal(plan, machine)
    tier = "none" if why or not plan.starts_a_process else tier_for(plan.name, plan.security, machine)
    return {
        "name": plan.name,
        "sandbox": plan.security.sandbox,
        "gets": tier,
        "refused": bool(why),
        "why": why or warning(plan, machine),
    }


def _text(found: dict[str, Any]) -> str:
    rows = [(key.replace("_", " "), str(value)) for key, value in found.items() if key != "plugins"]
    lines = [f"{name:<15}{value}" for name, value in rows]
    for one in found.get("plugins", ()):
        lines.append(f"{one['name']}: sandbox {one['sandbox']}, gets {one['gets']}")
        lines += [f"  {line}" for line in one["why"].splitlines()]
    return "\n".join(lines)
