"""`hector sessions`: conversations that a server keeps, with their state and their artifacts."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import click

from .documented import Documented, flag
from .exits import ASKING
from .options import Source, format_option, server_options, source_of
from .output import columns, cut
from .running import run

if TYPE_CHECKING:
    from hector_a2a.client import Client

Found = dict[str, Any]
PAGE = 100


@click.group("sessions")
def command() -> None:
    """Look at conversations of a running server, add to them, and remove them.

    Everybody sees only their own: a session of somebody else's is not found.
    """


@command.command(
    "list",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector sessions list", "The latest conversations."),
        ("hector sessions list --agent writer -f json", "Those in which one agent spoke last, for a script."),
    ),
)
@flag("-a", "--agent", metavar="NAME", default="", help="Only those in which this agent spoke last.")
@flag("--limit", type=click.IntRange(1, 100), default=20, help="At most this many.")
@flag("--page", metavar="TOKEN", default="", help="Go on where the last page ended.")
@format_option("text", "json")
@server_options
def list_(agent: str, limit: int, page: str, form: str, **options: Any) -> None:
    """List sessions, the latest change first."""
    query = {"agent": agent, "pageSize": limit, "pageToken": page}
    found = _asked(source_of(options), "GET", f"?{urlencode({k: v for k, v in query.items() if v})}")
    if form == "json":
        _print(found)
        return
    sessions = found.get("sessions", [])
    for line in _table(sessions):
        click.echo(line)
    if not sessions:
        click.echo("No sessions.", err=True)
    if found.get("nextPageToken"):
        click.echo(f"More with --page {found['nextPageToken']}", err=True)


@command.command(
    "show",
    cls=Documented,
    exits=ASKING,
    examples=(("hector sessions show 0198f3a1 --last 10", "The last ten messages, and the state."),),
)
@click.argument("session", metavar="SESSION_ID")
@flag("--last", type=click.IntRange(0), default=None, show_default="all", help="At most so many messages.")
@format_option("text", "json")
@server_options
def show(session: str, last: int | None, form: str, **options: Any) -> None:
    """Print what was said in a session, and its state."""
    query = "" if last is None else f"?historyLength={last}"
    found = _asked(source_of(options), "GET", f"/{quote(session, safe='')}{query}")
    if form == "json":
        _print(found)
        return
    click.echo(f"session  {found['name']}")
    click.echo(f"agent    {found.get('agent', '')}")
    click.echo(f"turns    {found['runs']}")
    click.echo(f"changed  {found.get('updateTime', '')}")
    for message in found["messages"]:
        mark = "> " if message.get("role") == "ROLE_USER" else ""
        for part in message.get("parts", ()):
            if text := part.get("text", "").strip():
                click.echo(f"\n{mark}{text}")
    for key, value in sorted(found["state"].items()):
        click.echo(f"\n{key} = {json.dumps(value, ensure_ascii=False)}")


@command.command(
    "create",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector sessions create", "A new conversation; its id is printed."),
        ('hector sessions create --state \'{"user:name": "Ann"}\'', "One that begins with a state."),
    ),
)
@click.argument("session", metavar="[SESSION_ID]", default="")
@flag("-a", "--agent", metavar="NAME", default="", help="Whose it is to be; else the default agent's.")
@flag("--state", metavar="JSON", default="", help="What its state begins with, as an object.")
@format_option("text", "json")
@server_options
def create(session: str, agent: str, state: str, form: str, **options: Any) -> None:
    """Begin a session, and print its id."""
    wanted: Found = {"session": session, "agent": agent}
    if state:
        wanted["state"] = _object("--state", state)
    found = _asked(source_of(options), "POST", "", {key: value for key, value in wanted.items() if value})
    _print(found) if form == "json" else click.echo(found["name"])


@command.command(
    "append",
    cls=Documented,
    exits=ASKING,
    examples=(
        ('hector sessions append 0198f3a1 "I moved to Rome."', "Something that the next turn knows."),
        ('hector sessions append 0198f3a1 --state \'{"city": "Rome"}\'', "A change of its state alone."),
    ),
)
@click.argument("session", metavar="SESSION_ID")
@click.argument("text", metavar="[TEXT]", default="")
@flag("--role", type=click.Choice(["user", "assistant"]), default="user", help="Who says it.")
@flag("--state", metavar="JSON", default="", help="Keys to set, and null for those to remove.")
@flag("--key", metavar="KEY", default="", help="However often it is sent with this key, it is added once.")
@format_option("text", "json")
@server_options
def append(session: str, text: str, role: str, state: str, key: str, form: str, **options: Any) -> None:
    """Add a message, a change of the state, or both; those at work do not see it, the next turn does."""
    if not (text or state):
        raise click.UsageError("say what to append: TEXT, --state, or both")
    wanted: Found = {"messages": [{"role": role, "text": text}] if text else []}
    if state:
        wanted["state"] = _object("--state", state)
    if key:
        wanted["idempotencyKey"] = key
    found = _asked(source_of(options), "POST", f"/{quote(session, safe='')}/append", wanted)
    _print(found) if form == "json" else click.echo(f"Session {session} has it.")


@command.command(
    "delete",
    cls=Documented,
    exits=ASKING,
    examples=(
        ("hector sessions delete 0198f3a1", "With its tasks, its state and its artifacts."),
        ("hector sessions delete 0198f3a1 --cancel", "Although something is at work in it."),
    ),
)
@click.argument("session", metavar="SESSION_ID")
@flag("--cancel", is_flag=True, help="Cancel what is at work in it first. Else it is refused then.")
@format_option("text", "json")
@server_options
def delete(session: str, cancel: bool, form: str, **options: Any) -> None:
    """Remove a session with all that belongs to it."""
    query = "?cancel=true" if cancel else ""
    found = _asked(source_of(options), "DELETE", f"/{quote(session, safe='')}{query}")
    _print(found) if form == "json" else click.echo(f"Session {session} is gone, with {found['runs']} runs.")


@command.command(
    "export",
    cls=Documented,
    exits=ASKING,
    examples=(("hector sessions export 0198f3a1 --to ann.json", "All of it, in a file."),),
)
@click.argument("session", metavar="SESSION_ID")
@flag("--to", metavar="FILE", type=click.Path(path_type=Path), show_default="stdout", help="The file.")
@server_options
def export(session: str, to: Path | None, **options: Any) -> None:
    """Write a session as JSON: messages, state, and which artifacts it has in which versions."""
    text = json.dumps(run(_exported(source_of(options), session)), ensure_ascii=False, indent=2)
    if to is None:
        click.echo(text)
        return
    try:
        to.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{to} cannot be written ({error.strerror})") from None
    click.echo(f"Session {session} is in {to}.", err=True)


def _asked(source: Source, verb: str, path: str, body: Found | None = None) -> Found:
    async def work() -> Found:
        from .server import client

        async with client(source) as server:
            return await server.page(f"/api/sessions{path}", verb=verb, body=body)

    return run(work())


async def _exported(source: Source, session: str) -> Found:
    from .server import client

    place = f"/api/sessions/{quote(session, safe='')}"
    async with client(source) as server:
        found = await server.page(place)
        newest = await _artifacts(server, place, {})
        found["artifacts"] = [
            version for one in newest for version in await _artifacts(server, place, {"name": one["name"]})
        ]
    return found


async def _artifacts(server: "Client", place: str, query: dict[str, str]) -> list[Found]:
    found: list[Found] = []
    token = ""
    while True:
        asked = {**query, "pageSize": PAGE, **({"pageToken": token} if token else {})}
        page = await server.page(f"{place}/artifacts?{urlencode(asked)}")
        found += page["artifacts"]
        token = page["nextPageToken"]
        if not token:
            return found


def _object(what: str, text: str) -> Found:
    try:
        found = json.loads(text)
    except ValueError as error:
        raise click.UsageError(f"{what} is no JSON: {error}") from None
    if not isinstance(found, dict):
        raise click.UsageError(f'{what} must be a JSON object, as {{"city": "Rome"}}')
    return found


def _print(found: Found) -> None:
    click.echo(json.dumps(found, ensure_ascii=False, indent=2))


def _table(sessions: list[Found]) -> list[str]:
    if not sessions:
        return []
    lines = [("SESSION", "AGENT", "TURNS", "CHANGED")]
    for one in sessions:
        changed = one.get("updateTime", "").replace("T", " ").partition(".")[0]
        lines.append((one["name"], one.get("agent", ""), str(one["runs"]), changed))
    widths = [max(len(row[at]) for row in lines) for at in range(4)]
    room = max(columns(), sum(widths) + 6)
    return [
        cut("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip(), room)
        for row in lines
    ]
