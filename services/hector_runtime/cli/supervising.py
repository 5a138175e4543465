"""`hector serve --workers N`: what the supervisor's workers are, and what it says."""

import asyncio
import gc
import logging
import secrets
import shutil
import socket
import tempfile
import time
from collections.abc import Mapping
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, NoReturn

import click

from hector_mesh import HectorError
from hector_mesh.lines import always
from hector_runtime.config import Config, load_config
from hector_runtime.roles import ROLES
from hector_runtime.workers.member import Member
from hector_runtime.workers.refusing import check
from hector_runtime.workers.reserving import Reserved, reserved
from hector_runtime.workers.supervisor import Supervisor

from .banner import say
from .proposing import Proposal, problems_of, proposed
from .rereading import stamps
from .running import leave, run
from .serving import Start, completed_config, roles_here, show_secret
from .settings import overridden
from .working import work

log = logging.getLogger(__name__)

ENDING_S = 20.0
"""What a worker may take to end beyond the time that answers have: the ends of runs are written, say."""

LATER = (
    *("uvloop", "uvicorn.config", "uvicorn.protocols.http.httptools_impl"),
    *("hector_runtime.logs", "hector_store", "hector_store.sqlite_backend", "sqlalchemy.dialects.sqlite"),
)
"""What every worker imports, besides its roles."""


def supervise(start: Start) -> int:
    """Run several workers until they are told to stop; return the exit code.

    Raises:
        WorkersCannot: Several workers cannot be what is asked of them.
        HectorError: Something is in the way of all of them.
    """
    config, notes = asyncio.run(completed_config(start))
    here = roles_here(config, start)
    check(config, start.roles, start.listen)
    kept = reserved(config, here, start.listen)
    if "gateway" in here:
        show_secret(config)
    overrides = _joined(start.overrides, kept.overrides)
    start = replace(start, overrides=overrides, listen=kept.listen)
    fleet = Fleet(start, overridden(config, kept.overrides), notes, kept)
    _import(here)
    folder = Path(tempfile.mkdtemp(prefix="hector-"))
    try:
        supervisor = Supervisor(
            fleet, config.server.workers, f"supervisor-{secrets.token_hex(4)}", folder, limit_s=fleet.limit_s
        )
        return supervisor.run()
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class Fleet:
    """What the supervisor knows of a server's config, and what its workers are."""

    def __init__(self, start: Start, config: Config, notes: list[str], kept: Reserved) -> None:
        self._start, self._config, self._notes, self._kept = start, config, notes, kept
        self._said = overridden(start.loaded.config, start.overrides)
        self._seen = stamps(start.loaded) if start.watch else []
        server = config.server
        self._drain_s = server.shutdown_delay + server.shutdown_timeout
        self.limit_s = self._drain_s + ENDING_S
        """How long workers may take to stop."""

    def begin(self, member: Member, line: socket.socket, lifeline: int) -> NoReturn:
        """Be a worker."""
        self._kept.close()
        always["worker_number"] = member.number
        code = 1
        try:
            run(work(self._start, self._config, self._notes, member, line, lifeline, self.limit_s))
            code = 0
        except SystemExit as ended:
            code = ended.code if isinstance(ended.code, int) else 1
        except click.ClickException as error:
            error.show()
            code = error.exit_code
        finally:  # in no case be the supervisor, whose stack this is
            leave(code)

    def reread(self) -> Proposal | None:
        """Return what the config file says now."""
        loaded = self._start.loaded
        if not loaded.is_file:
            log.warning("nothing to read again, this server runs without a config file")
            return None
        try:
            found = load_config(Path(loaded.file))
            return asyncio.run(proposed(found, self._said, self._config, self._start.overrides))
        except HectorError as error:
            for problem in problems_of(error):
                log.error("config refused, nothing was changed", extra={"problem": problem})
            return None

    def taken(self, proposal: object) -> None:
        """Begin workers with this config from now on."""
        assert isinstance(proposal, Proposal)
        self._start = replace(self._start, loaded=proposal.found)
        self._said, self._config = proposal.said, proposal.config

    def looked(self) -> bool:
        """Say whether a watched file has changed."""
        if not self._start.watch:
            return False
        now = stamps(self._start.loaded)
        changed, self._seen = now != self._seen, now
        return changed

    def all_up(self) -> None:
        """Say that everybody is ready."""
        count, took_s = self._config.server.workers, time.monotonic() - self._start.begun
        say(f"Ready in {took_s:.2f} s, {count} workers. Ctrl-C stops.")

    def stopping(self) -> None:
        """Say that it ends."""
        say("Stopping …")


def _joined(first: Mapping[str, Any], second: Mapping[str, Any]) -> dict[str, Any]:
    """Return both, the second on top, key by key."""
    joined = dict(first)
    for key, value in second.items():
        before = joined.get(key)
        both = isinstance(value, dict) and isinstance(before, dict)
        joined[key] = _joined(before or {}, value) if both else value
    return joined


def _import(roles: list[str]) -> None:
    """Import what workers will need, so that they have it in common."""
    for name in LATER:
        import_module(name)
    for role in roles:
        getattr(import_module(ROLES[role].package), "build")  # noqa: B009  # it is what imports the rest
    threads = len(list(Path("/proc/self/task").iterdir()))
    if threads > 1:  # a lock that one of them holds would be held in every worker, for ever
        log.warning("the supervisor has more than one thread", extra={"threads": threads})
    gc.collect()
    gc.freeze()
