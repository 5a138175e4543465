"""`hector plugin inspect`: start a plugin, and show what it says of itself."""

import json
from typing import TYPE_CHECKING, Any

import click

from .options import format_option
from .plugin_subject import BEHIND, AboutPlugin, Subject, at_work, plan_of, subject_options
from .running import run

if TYPE_CHECKING:
    from hector_plugin_host.plan import PluginPlan
    from hector_plugin_host.status import PluginStatus


@click.command(
    "inspect",
    cls=AboutPlugin,
    examples=(
        (
            "hector plugin inspect search",
            "One that the config declares, or discovery finds, with its settings.",
        ),
        ("hector plugin inspect", "The plugin of this folder's plugin.yaml."),
        ("hector plugin inspect -- ./my-plugin", "Any program."),
        ("hector plugin inspect --endpoint unix:/tmp/plugin.sock", "One that runs already."),
        ("hector plugin inspect -f json -- ./my-plugin", "For a script."),
    ),
)
@click.argument("name", required=False)
@format_option("text", "json")
@subject_options
@click.pass_context
def command(ctx: click.Context, /, name: str | None, form: str, **told: Any) -> None:
    """Start a plugin, and show what it says of itself: kinds, services, settings, limits."""
    behind = ctx.meta[BEHIND]
    if not (name or behind or told["endpoint"] or told["config_file"]):
        from .plugin_here import command_here

        behind = command_here()
    subject = Subject(name or "", behind, **told)
    found = run(_inspected(plan_of(subject)))
    click.echo(json.dumps(found, indent=2, ensure_ascii=False) if form == "json" else _text(found))


async def _inspected(plan: "PluginPlan") -> dict[str, Any]:
    async with at_work(plan) as (_, status):
        return _facts(plan, status)


def _facts(plan: "PluginPlan", status: "PluginStatus") -> dict[str, Any]:
    from google.protobuf.json_format import MessageToDict

    (replica,) = status.replicas
    found: dict[str, Any] = {
        "mode": plan.mode,
        "target": replica.target,
        "sandbox": replica.tier or "none",
        "ready_s": round(replica.ready_s, 3),
        "state": status.state,
    }
    if status.reason:
        found["reason"] = status.reason
    if status.info is None:
        return {"name": plan.name, "bare": True, **found}
    info = MessageToDict(status.info, preserving_proto_field_name=True)
    schema = info.pop("config_schema_json", "")
    if schema:
        info["config_schema"] = json.loads(schema)
    return {**info, **found}


def _text(found: dict[str, Any]) -> str:
    rows = [(found.get("name", "?"), found.get("version", ""))]
    if found.get("bare"):
        rows = [(found["name"], "says nothing of itself: it is used as what the config says that it is")]
    rows += [
        (word, _shown(found[key]))
        for word, key in (
            ("vendor", "vendor"),
            ("licence", "license"),
            ("documentation", "documentation_url"),
            ("features", "features"),
            ("calls at once", "max_concurrency"),
            ("largest message", "max_message_bytes"),
            ("reconfigurable", "reconfigurable"),
            ("mode", "mode"),
            ("listens at", "target"),
            ("sandbox", "sandbox"),
            ("ready after", "ready_s"),
            ("state", "state"),
            ("because", "reason"),
        )
        if found.get(key) not in (None, "", [])
    ]
    for component in found.get("components", ()):
        kind = component.get("kind", "").removeprefix("PLUGIN_KIND_").lower()
        rows.append((kind, f"{component.get('service', '')}: {', '.join(component.get('rpcs', ()))}"))
    width = max(len(word) for word, _ in rows)
    lines = [f"{word:<{width}}  {said}".rstrip() for word, said in rows]
    properties = found.get("config_schema", {}).get("properties", {})
    required = found.get("config_schema", {}).get("required", [])
    if properties:
        lines += ["", "Its settings, as `config:` under its name:"]
        width = max(map(len, properties))
        lines += [
            f"  {name:<{width}}  {_setting(schema, is_required=name in required)}".rstrip()
            for name, schema in properties.items()
        ]
    return "\n".join(lines)


def _setting(schema: Any, *, is_required: bool) -> str:
    if not isinstance(schema, dict):
        return ""
    said = [str(schema.get("type", "")), *(["required"] if is_required else [])]
    said += ["secret"] if schema.get("writeOnly") else []
    said += [f"default {json.dumps(schema['default'], ensure_ascii=False)}"] if "default" in schema else []
    return ", ".join(filter(None, said)) + (f": {schema['description']}" if schema.get("description") else "")


def _shown(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return ", ".join(map(str, value))
    return f"{value} s" if isinstance(value, float) else str(value)
