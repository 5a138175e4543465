"""One of several workers of a server, in a process that was forked for it."""

import asyncio
import signal
import socket
from contextlib import suppress
from dataclasses import replace

from hector_gateway.open_files import raise_limit
from hector_mesh import HectorError
from hector_runtime.collector import settle
from hector_runtime.config import Config
from hector_runtime.logs import catch_strays
from hector_runtime.pages import Pages
from hector_runtime.process import running
from hector_runtime.revision import sealed_config
from hector_runtime.roles import chosen
from hector_runtime.workers.line import WorkerLine
from hector_runtime.workers.member import FIRST, Member
from hector_runtime.workers.worker import Commit, Hearing, Problems, Take, end_with

from .banner import KEEPERS, introduction, say
from .proposing import Proposal, problems_of
from .rereading import Rereading, Running
from .serving import Start, becoming_ready


async def work(
    start: Start,
    config: Config,
    notes: list[str],
    member: Member,
    place: socket.socket,
    lifeline: int,
    limit_s: float,
) -> None:
    """Be a worker until the supervisor, or SIGTERM, says that it is enough.

    Args:
        start: What the command line asks for.
        config: All of it, as the supervisor has completed it.
        notes: What was filled in; the first worker says so.
        member: Which worker this is.
        place: The line to the supervisor.
        lifeline: Ends when the supervisor does.
        limit_s: How long it may take to stop.
    """
    loop, stop = asyncio.get_running_loop(), asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, stop.set)
    loop.add_signal_handler(signal.SIGINT, lambda: None)  # of a terminal: the supervisor hears it too
    catch_strays(loop)
    raise_limit()
    end_with(lifeline, limit_s)
    here = member.roles(chosen(start.roles, config))
    keeps = bool(KEEPERS & set(here))
    pages = Pages(config, start.loaded, sealed_config(start.loaded), keeps=keeps)
    is_first = member.number == FIRST
    rereading = Rereading(Running(start.loaded, config, start.overrides, pages, tells=is_first))
    line = WorkerLine(place)
    async with asyncio.TaskGroup() as group:
        hearing = Hearing(member, line, stop, _taking(rereading), group)
        ear = group.create_task(line.hearing(hearing.hear))
        source = pages.source()
        async with running(config, start.roles, start.listen, source=source, member=member) as process:
            if keeps:
                await pages.record()
            rereading.started(process)
            await hearing.started(process.bereave)
            line.say("up")
            if is_first and member.starts == 1:
                shown = replace(process, roles=tuple(chosen(start.roles, config)))
                for text in introduction(config, start.loaded, notes, shown, pages):
                    say(text)
            async with becoming_ready(process, stop):
                settle()
                if process.ready.is_set():
                    line.say("ready")
                await stop.wait()
            await process.drain()
            if is_first and member.leaves_last:
                with suppress(TimeoutError):
                    async with asyncio.timeout(limit_s):
                        await member.alone.wait()
        ear.cancel()


def _taking(rereading: Rereading) -> Take:
    async def take(proposal: Proposal) -> Commit | Problems:
        try:
            return await rereading.prepared(proposal)
        except (HectorError, TimeoutError) as error:
            return problems_of(error)

    return take
