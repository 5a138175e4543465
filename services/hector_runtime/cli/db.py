"""`hector db`: bring a database up to date, check it, prune it, back it up, and erase a user from it.

These work on the database itself, with or without servers beside them.
"""

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from .db_work import Where
from .documented import Documented, flag, together
from .exits import USUAL, Exit
from .options import config_option, format_option
from .running import run

if TYPE_CHECKING:
    from .db_work import Report

CHECKING = {
    **USUAL,
    Exit.DONE: "the database is sound, or is now",
    Exit.FAILED: "it could not be checked, and the message says why",
    Exit.UNSOUND: "something is wrong with it, and is listed",
}
FILE = click.Path(path_type=Path, dir_okay=False, readable=False)


def where_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options that say which database is meant."""
    return together(
        config_option,
        flag(
            "--database",
            metavar="URL",
            show_default="as the config says",
            help='The database: "sqlite://FILE", or a server\'s URL.',
        ),
        format_option("text", "json"),
    )(command)


@click.group("db")
def command() -> None:
    """Look after the database: upgrade, check, prune, back up, restore, erase."""


@command.command(
    "upgrade",
    cls=Documented,
    examples=(
        (
            "hector db upgrade",
            "The database of hector.yaml, before the first server of a new version starts.",
        ),
        ("hector db upgrade --dry-run", "Say which migrations that would be."),
    ),
)
@where_options
@flag("--dry-run", is_flag=True, help="Only say what would be done.")
def upgrade(config_file: Path | None, database: str | None, form: str, dry_run: bool) -> None:
    """Bring the tables up to date, and say from which schema to which.

    A start does so, too. Servers of the version before go on working meanwhile, and afterwards.
    """
    from . import db_work

    _show(run(db_work.upgraded(Where(config_file, database), dry_run)), form)


@command.command(
    "check",
    cls=Documented,
    exits=CHECKING,
    examples=(
        ("hector db check", "Everything, beside servers that go on working."),
        ("hector db check --quick", "Without comparing a SQLite file's indexes with its tables."),
        ("hector db check --repair", "Put right what the runs' logs tell."),
    ),
)
@where_options
@flag("--quick", is_flag=True, help="Leave out what takes most of the time.")
@flag("--repair", is_flag=True, help="Put right what can be; then check again.")
def check(config_file: Path | None, database: str | None, form: str, quick: bool, repair: bool) -> None:
    """Say whether the database is sound.

    Looked at: the file's pages or the server's tables, the schema and its indexes, every run's row against
    its log, contents that are gone or belong to nothing, and runs that nobody would ever take up.
    """
    from . import db_work

    _show(run(db_work.checked(Where(config_file, database), quick=quick, repair=repair)), form)


@command.command(
    "prune",
    cls=Documented,
    examples=(
        ("hector db prune --dry-run", "What storage.retention of hector.yaml would delete by now."),
        ("hector db prune --runs 30d", "Runs that have been over for 30 days, this once."),
    ),
)
@where_options
@flag("--runs", metavar="AGE", help="Delete runs that have been over for so long, whatever the config says.")
@flag("--sessions", metavar="AGE", help="Delete sessions in which nothing has happened for so long.")
@flag("--compact-after", metavar="AGE", help="Make events of runs fewer that have been over for so long.")
@flag("--dry-run", is_flag=True, help="Only count what would go.")
def prune(
    config_file: Path | None, database: str | None, form: str, dry_run: bool, **ages: str | None
) -> None:
    """Delete what is older than storage.retention says, now.

    Running servers do that by themselves. What is not over, or pinned, stays in any case.
    """
    from . import db_work

    _show(run(db_work.pruned(Where(config_file, database), ages, dry_run=dry_run)), form)


@command.command(
    "backup",
    cls=Documented,
    examples=(
        ("hector db backup", "Into a new file in this folder, while the server runs."),
        ("hector db backup nightly.db", "Into this one; one that is there is not written over."),
        ("hector db backup --print-command", "Say how the server's own program does it."),
    ),
)
@click.argument("file", metavar="[FILE]", required=False, type=FILE)
@where_options
@flag("--print-command", is_flag=True, help="Of a server: print the command, and run nothing.")
def backup(
    file: Path | None, config_file: Path | None, database: str | None, form: str, print_command: bool
) -> None:
    """Write the database as it is at this moment into a file, and read that through.

    A SQLite file is copied while it is written. PostgreSQL and MariaDB are asked by pg_dump and mariadb-dump,
    which must be installed here.
    """
    from . import db_work

    _show(run(db_work.backed_up(Where(config_file, database), file, print_command)), form)


@command.command(
    "restore",
    cls=Documented,
    examples=(
        ("hector db restore nightly.db", "Stop all servers before; what was there is kept beside it."),
    ),
)
@click.argument("file", metavar="FILE", type=FILE)
@where_options
def restore(file: Path, config_file: Path | None, database: str | None, form: str) -> None:
    """Put a backup of a SQLite file in its place.

    Nothing may have it open. Of a server, the command is said that restores it.
    """
    from . import db_work

    _show(run(db_work.restored(Where(config_file, database), file)), form)


@command.command(
    "erase",
    cls=Documented,
    examples=(
        ("hector db erase --user ada", "All that ada said and got, in all apps; asks before."),
        (
            "hector db erase --user ada --app acme --yes -f json",
            "In one app, for a script; prints the receipt.",
        ),
    ),
)
@flag("--user", required=True, metavar="ID", help="The user, as runs have it for their owner.")
@flag("--app", default="", metavar="APP", help="Only in this app.")
@flag("--yes", is_flag=True, help="Do not ask.")
@where_options
def erase(user: str, app: str, yes: bool, config_file: Path | None, database: str | None, form: str) -> None:
    """Delete everything of a user, at work or not, and print a receipt.

    Runs, events, sessions, state, artifacts, webhooks, keys, signals, effects, pins. Backups that were taken
    before still hold it.
    """
    from . import db_work

    where = Where(config_file, database)
    if not yes:
        click.confirm(
            f"Erase everything of user {user!r}{f' in app {app!r}' if app else ''}?", abort=True, err=True
        )
    _show(run(db_work.erased(where, user, app)), form)


@command.command(
    "receipts",
    cls=Documented,
    examples=(
        ("hector db receipts", "What was erased so far, the latest first."),
        ("hector db receipts --user ada", "Those about ada: receipts tell only those who know the name."),
    ),
)
@flag("--user", default="", metavar="ID", help="Only those about this user.")
@where_options
def receipts(user: str, config_file: Path | None, database: str | None, form: str) -> None:
    """List receipts of what was erased, and whether each is as it was written."""
    from . import db_work

    _show(run(db_work.receipts(Where(config_file, database), user)), form)


def _show(report: "Report", form: str) -> None:
    import json
    import sys

    if form == "json":
        click.echo(json.dumps(report.facts, ensure_ascii=False, indent=2))
    else:
        for line in report.lines:
            click.echo(line)
    if report.exit:
        sys.exit(report.exit)
