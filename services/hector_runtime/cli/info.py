"""`hector info`: what a running server offers, or a config file would."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .running import run

if TYPE_CHECKING:
    from hector_config import Loaded
    from hector_runtime.config import Config

Facts = dict[str, Any]


@click.command(
    "info",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector info", "The server at the default address: its health, version and agents."),
        ("hector info writer", "One agent, with its skills and where it is reached."),
        ("hector info --config hector.yaml -f json", "What a file offers: agents, models, tools, documents."),
    ),
)
@click.argument("agent", required=False, default="")
@flag("-a", "--agent", "named", metavar="NAME", help="The same as AGENT.")
@flag(
    "-c",
    "--config",
    "config_file",
    metavar="FILE",
    type=click.Path(path_type=Path, readable=False),
    help="Tell of this config file, and ask no server.",
)
@format_option("text", "json")
@server_options
def command(agent: str, named: str | None, form: str, **options: Any) -> None:
    """Say what a running server offers, or with --config what a file would.

    Of a server it is what the caller may see: health, version, agents with their cards and, for the admin,
    the revision of its config. Of a file it is all of it: agents, models, tools and document stores.
    """
    source = source_of(options)
    if source.config_file and source.url_is_said:
        raise click.UsageError("--url tells of a server, --config of a file: leave one of them out")
    facts = run(_facts(source, named or agent))
    if form == "json":
        click.echo(json.dumps(facts, indent=2, ensure_ascii=False))
        return
    for line in lines(facts):
        click.echo(line)


async def _facts(source: Source, agent: str) -> Facts:
    from .names import NoSuchAgent

    facts = await (_of_file(source) if source.config_file else _of_server(source, agent))
    if agent:
        known = {entry["name"]: entry for entry in facts["agents"]}
        if agent not in known:
            raise NoSuchAgent(agent, known)
        return dict(known[agent])
    return facts


async def _of_server(source: Source, agent: str) -> Facts:
    from hector_mesh import HectorError

    from .server import client

    async with client(source) as found:
        health = await found.page("/health")
        agents: list[Facts] = []
        for entry in await found.agents():
            shown: Facts = {"name": entry.name, "title": entry.title, "type": entry.type}
            shown |= {"description": entry.description, "streaming": entry.streaming, "url": entry.url}
            shown["default"] = entry.default
            if entry.name == agent:
                shown["card"] = await found.page(f"/agents/{entry.name}/.well-known/agent-card.json")
            agents.append(shown)
        facts: Facts = {"server": found.url, **health, "agents": agents}
        try:
            shown = await found.page("/api/config")
        except HectorError:
            return facts  # for the admin only, and not of every server
    told = {name: shown[name] for name in ("revision", "number", "source") if name in shown}
    config = shown.get("config", {})
    for one in agents:
        one |= _beside(one["name"], config)
    return facts | told | _offers(config)


async def _of_file(source: Source) -> Facts:
    from hector_config.version import VERSION
    from hector_runtime.revision import revision_id

    from .settings import read_config, whole_config

    loaded: Loaded[Config] = read_config(source.config_file, source.flags)
    config, notes = await whole_config(loaded, {})
    shown = config.model_dump(mode="json", by_alias=True)
    for name, llm in config.llms.items():
        shown["llms"][name]["model"] = llm.model_name
    first = next(iter(config.agents))
    agents = [
        {
            "name": name,
            "title": agent.name or name,
            "type": agent.type,
            "description": agent.description,
            "streaming": agent.streaming,
            "default": name == first,
            **_beside(name, shown),
        }
        for name, agent in config.agents.items()
    ]
    facts = {"file": loaded.file, "version": VERSION, "revision": revision_id(loaded), "notes": notes}
    return {**facts, "agents": agents, **_offers(shown)}


def _beside(agent: str, config: Mapping[str, Any]) -> Facts:
    """Return what the config says of an agent and its card does not."""
    found = config.get("agents", {}).get(agent, {})
    tools = found.get("tools")
    every = [name for name, tool in (config.get("tools") or {}).items() if tool.get("enabled", True)]
    return {
        "visibility": found.get("visibility", ""),
        "llm": found.get("llm", ""),
        "tools": every if tools is None else tools,
    }


def _offers(config: Mapping[str, Any]) -> Facts:
    """Return the models, tools and document stores of a config."""
    return {
        "llms": [
            {"name": name, "provider": llm["provider"], "model": llm["model"]}
            for name, llm in config.get("llms", {}).items()
        ],
        "tools": [
            {"name": name, "type": tool["type"], "enabled": tool["enabled"]}
            for name, tool in (config.get("tools") or {}).items()
        ],
        "document_stores": [
            {"name": name, "type": store["source"]["type"], "path": store["source"].get("path", "")}
            for name, store in config.get("document_stores", {}).items()
        ],
    }


def lines(facts: Mapping[str, Any]) -> Iterator[str]:
    """Give facts as people read them: a line each, lists of things below."""
    width = max((len(name) for name, value in facts.items() if not _is_things(value)), default=0)
    for name, value in facts.items():
        if not _is_things(value) and value not in ("", [], None):
            yield f"{_title(name):<{width}}  {_told(value)}"
    for name, value in facts.items():
        if _is_things(value):
            yield ""
            yield _title(name)
            yield from (f"  {_thing(thing)}" for thing in value)


def _is_things(value: object) -> bool:
    return isinstance(value, list) and bool(value) and isinstance(value[0], dict)


def _title(name: str) -> str:
    return name.replace("_", " ")


def _told(value: object) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, dict):
        return ", ".join(
            f"{name} {_told(inner)}" for name, inner in value.items() if inner not in ("", [], None)
        )
    if isinstance(value, list):
        return ", ".join(map(_told, value))
    return str(value)


def _thing(thing: Mapping[str, Any]) -> str:
    """Return an agent, a model, a tool, a worker on one line."""
    mark = " (default)" if thing.get("default") else ""
    beside = [
        _told(value)
        if name in ("description", "path", "url", "model", "provider")
        else f"{_title(name)} {_told(value)}"
        for name, value in thing.items()
        if name not in ("name", "number", "title", "default", "card", "streaming")
        and value not in ("", [], None)
    ]
    name = thing["name"] if "name" in thing else thing["number"]
    return f"{name}{mark}: {'; '.join(beside)}"
