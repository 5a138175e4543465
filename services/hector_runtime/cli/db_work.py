"""What `hector db` does, and what it says of it."""

import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from .exits import Exit

if TYPE_CHECKING:
    from hector_runtime.config import Config
    from hector_store import Database
    from hector_store.care.finding import Finding
    from hector_store.history.receipts import Receipt
    from hector_store.server_url import ServerPlace
    from hector_store.url import Place

SECOND_US = 1_000_000


class Where(NamedTuple):
    """Which database is meant, as the options say."""

    config_file: Path | None
    database: str | None


@dataclass(frozen=True, slots=True)
class Report:
    """What was done: for people, and for programs."""

    lines: Sequence[str]
    facts: Mapping[str, Any]
    exit: Exit = Exit.DONE


@dataclass(slots=True)
class _Meant:
    config: "Config"
    has_file: bool
    url: str
    place: "Place | ServerPlace" = field(init=False)

    def __post_init__(self) -> None:
        from hector_store.url import parse

        self.place = parse(self.url, Path.cwd())


async def upgraded(where: Where, dry_run: bool) -> Report:
    """Migrate, and say from where to where."""
    from hector_store import opened
    from hector_store.care.versions import schema_of
    from hector_store.errors import StorageNewer
    from hector_store.migrations import HEAD, KNOWN

    meant = _meant(where)
    name, before = meant.place.name, await schema_of(meant.place)
    if before and before not in KNOWN:
        raise StorageNewer(name, before, HEAD)
    steps = KNOWN[KNOWN.index(before) + 1 :] if before else KNOWN
    if steps and not dry_run:
        async with opened(meant.url, folder=Path.cwd()):
            pass
    facts = {"database": name, "from": before or None, "to": HEAD, "migrations": steps, "dry_run": dry_run}
    if not steps:
        return Report([f"{name} is up to date: schema {HEAD}."], facts)
    verb = "would go" if dry_run else "went"
    return Report([f"{name} {verb} from schema {before or 'none'} to {HEAD} ({', '.join(steps)})."], facts)


async def checked(where: Where, *, quick: bool, repair: bool) -> Report:
    """Say what is wrong with a database, after putting right what can be, if wanted."""
    from hector_agent.projecting import projected
    from hector_agent.sessions.rebuilding import rebuild_states
    from hector_store.artifacts import Artifacts
    from hector_store.care.checking import Check
    from hector_store.care.finding import Finding
    from hector_store.care.integrity import of_file
    from hector_store.care.versions import schema_of
    from hector_store.errors import StorageCorrupt
    from hector_store.migrations import HEAD
    from hector_store.url import Place

    meant = _meant(where)
    name, found, mended, runs, keys = meant.place.name, list[Finding](), list[Finding](), 0, 0
    _see_that_it_is_there(meant)
    if isinstance(meant.place, Place):
        found = of_file(meant.place, quick=quick)
    schema = ""
    try:
        schema = await schema_of(meant.place)
    except StorageCorrupt as error:
        found = found or [Finding("damaged", name, str(error))]
    if not found and schema != HEAD:
        advice = "hector db upgrade brings it up to date" if schema < HEAD else "upgrade hector"
        found = [
            Finding("schema", name, f"its schema is {schema or 'none'}, and this version's {HEAD}: {advice}")
        ]
    if not found:
        agents = sorted(meant.config.agents) if meant.has_file else None
        async with _open(meant) as database:
            check = Check(database, Artifacts(database), projected)
            keys = await rebuild_states(database) if repair else 0
            found = await check.findings(agents)
            if repair:
                mended = [one for one in found if one.repairable]
                await check.repair(found)
                if keys := await rebuild_states(database):
                    problem = f"{keys} keys of state were not what events say"
                    mended.append(Finding("projection", "table states", problem, True))
                check.looked_at = 0
                found = await check.findings(agents)
            runs = check.looked_at
    facts = {
        "database": name,
        "schema": schema or None,
        "runs": runs,
        "findings": [asdict(one) for one in found],
        "repaired": [asdict(one) for one in mended if one not in found],
        "state_keys_repaired": keys,
    }
    lines = [f"repaired: {_told(one)}" for one in mended if one not in found]
    if keys:
        lines.append(f"repaired: {_many(keys, 'key')} of sessions' state, made anew from events")
    lines += [_told(one) for one in found]
    if any(one.repairable for one in found):
        lines.append("hector db check --repair puts right what is marked with a star.")
    if not found:
        lines.append(f"{name} is sound: schema {schema}, {_many(runs, 'run')}.")
    return Report(lines, facts, Exit.UNSOUND if found else Exit.DONE)


async def pruned(where: Where, ages: Mapping[str, str | None], *, dry_run: bool) -> Report:
    """Delete what is old enough, and count it."""
    from hector_agent.compacting import compacted
    from hector_store.artifacts import Artifacts
    from hector_store.history.passing import Pass
    from hector_store.history.policy import FOREVER

    meant = _meant(where)
    _see_that_it_is_there(meant)
    retention = _retention(meant.config, ages)
    async with _open(meant) as database:
        done = await Pass(database, retention.policy(), compacted, dry=dry_run, gently=False).run()
        if not dry_run:
            done.add("contents", await Artifacts(database).sweep())
    name, verb = meant.place.name, "would go" if dry_run else "went"
    facts = {"database": name, "dry_run": dry_run, "looked_at": done.looked_at, "removed": dict(done.counts)}
    lines = [_went(kind, number, dry_run) for kind, number in sorted(done.counts.items())]
    if not lines:
        lines = [f"Nothing {verb}: nothing in {name} is old enough."]
    if retention.policy().usual.runs_s == retention.policy().usual.sessions_s == FOREVER:
        lines.append(
            "Runs are kept for ever, as storage.retention.runs and .sessions say; --runs AGE is for once."
        )
    return Report(lines, facts)


async def backed_up(where: Where, file: Path | None, print_command: bool) -> Report:
    """Back a database up, or say how."""
    from hector_store.care import backup, dumping
    from hector_store.server_url import POSTGRESQL, ServerPlace

    place = _meant(where).place
    end = "db" if not isinstance(place, ServerPlace) else "dump" if place.kind == POSTGRESQL else "sql"
    target = (file or Path(time.strftime(f"hector-%Y%m%dT%H%M%SZ.{end}", time.gmtime()))).absolute()
    if not isinstance(place, ServerPlace):
        if print_command:
            raise click.UsageError(
                "--print-command is for databases on servers: a file is copied by this command"
            )
        taken = await backup.back_up(place, target)
        held = f"{_many(taken.runs, 'run')}, schema {taken.schema}, {taken.size_bytes} bytes"
        return Report([f"{taken.file}: {held}; read through."], {"database": place.name, **asdict(taken)})
    command = dumping.dump_command(place, str(target))
    if print_command:
        return Report([command], {"database": place.name, "command": command})
    size = await dumping.dump(place, target)
    back = dumping.restore_command(place, str(target))
    facts = {"database": place.name, "file": str(target), "size_bytes": size, "restore": back}
    return Report([f"{target}: {size} bytes; read through.", f"To put it back: {back}"], facts)


async def restored(where: Where, file: Path) -> Report:
    """Put a backup back."""
    from hector_store.care import backup, dumping
    from hector_store.care.errors import NotInAFile
    from hector_store.server_url import ServerPlace

    place = _meant(where).place
    if isinstance(place, ServerPlace):
        raise NotInAFile(
            place.name, f"stop every hector, and run: {dumping.restore_command(place, str(file))}"
        )
    aside = await backup.restore(place, file)
    kept = f"; what was there is now {aside}" if aside else ""
    facts = {"database": place.name, "file": str(file), "kept": str(aside) if aside else None}
    return Report([f"{place.name} is as {file} has it{kept}."], facts)


async def erased(where: Where, user: str, app: str) -> Report:
    """Erase a user, and show the receipt."""
    from hector_store.artifacts import Artifacts
    from hector_store.history.erasing import Erasure

    meant = _meant(where)
    _see_that_it_is_there(meant)
    async with _open(meant) as database:
        receipt = await Erasure(database).erase(user, app)
        await Artifacts(database).sweep()
    gone = ", ".join(
        f"{number} {table.replace('_', ' ')}" for table, number in sorted(receipt.counts.items())
    )
    lines = [f"Erased: {gone or 'there was nothing'}.", f"Receipt {receipt.id}, hash {receipt.hash}"]
    return Report(lines, _receipt_facts(receipt))


async def receipts(where: Where, user: str) -> Report:
    """Show receipts."""
    from hector_store.history.erasing import Erasure

    meant = _meant(where)
    _see_that_it_is_there(meant)
    async with _open(meant) as database:
        found = await Erasure(database).receipts()
    shown = [receipt for receipt in found if not user or receipt.is_about(user)]
    lines = []
    for one in shown:
        when = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(one.begun_time_us / SECOND_US))
        how = "done" if one.is_whole else "changed since it was written" if one.hash else "not done"
        lines.append(f"{one.id}  {when}  {one.app or 'all apps'}  {sum(one.counts.values())} rows  {how}")
    return Report(lines or ["No receipts."], {"receipts": [_receipt_facts(one) for one in shown]})


def _meant(where: Where) -> _Meant:
    from hector_runtime.flags import Flags

    from .settings import read_config, usual_file

    file = where.config_file or usual_file()
    loaded = read_config(where.config_file, Flags())
    return _Meant(loaded.config, file is not None, where.database or loaded.config.storage.database)


def _see_that_it_is_there(meant: _Meant) -> None:
    """Refuse to look after a file that would only be made by that."""
    from hector_store.care.errors import NoDatabase, NotInAFile
    from hector_store.url import Place

    if isinstance(meant.place, Place):
        if meant.place.file is None:
            raise NotInAFile(meant.place.name, "it is gone with the process that has it")
        if not meant.place.file.exists():
            raise NoDatabase(meant.place.name)


@asynccontextmanager
async def _open(meant: _Meant) -> "AsyncIterator[Database]":
    from hector_store import blobs_of, opened

    async with opened(meant.url, folder=Path.cwd()) as database:
        database.blobs = blobs_of(meant.config.storage.blobs)
        yield database


def _retention(config: "Config", ages: Mapping[str, str | None]) -> Any:
    from pydantic import ValidationError

    from hector_store.retention_config import RetentionConfig

    said = {name: age for name, age in ages.items() if age is not None}
    usual = config.storage.retention
    try:
        return RetentionConfig.model_validate({**dict(usual), **said})
    except ValidationError as error:
        name = str(error.errors()[0]["loc"][0]).replace("_", "-")
        raise click.UsageError(f'--{name}: an age is needed, as 30d, 12h or "never"') from None


def _went(kind: str, number: int, dry_run: bool) -> str:
    if kind == "events_folded":
        return f"{_many(number, 'events')} {'would become' if dry_run else 'became'} part of others"
    return f"{_many(number, kind)} {'would go' if dry_run else 'went'}"


def _many(number: int, what: str) -> str:
    """Return a number of things, as people say it; tables' names are plural."""
    one = what.removesuffix("s").replace("_", " ")
    return f"{number} {one}" if number == 1 else f"{number} {one}s"


def _told(one: "Finding") -> str:
    return (
        f"{'*' if one.repairable else ' '} {one.subject}: {one.problem}"
        if one.subject
        else f"  {one.problem}"
    )


def _receipt_facts(receipt: "Receipt") -> dict[str, Any]:
    return {
        "id": receipt.id,
        "app": receipt.app or None,
        "subject": receipt.subject,
        "begun_time": receipt.begun_time_us / SECOND_US,
        "done_time": receipt.done_time_us / SECOND_US,
        "counts": dict(receipt.counts),
        "hash": receipt.hash,
        "whole": receipt.is_whole,
    }
