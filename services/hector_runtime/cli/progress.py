"""Shows how far the indexes are while a process becomes ready."""

import asyncio
import contextlib
import sys
import time
from collections.abc import Sequence

import click
import grpc.aio

from hector.document.v1 import DocumentStoreStub, GetIndexStatusRequest, IndexStatus
from hector_mesh import Call, scope
from hector_runtime.process import Process

from .output import columns, cut

LIVE_S, LINES_S = 0.2, 3.0  # between two looks: on a terminal, elsewhere


async def until_ready(process: Process) -> None:
    """Wait until every role is ready, and say on standard error how far the documents are.

    On a terminal it is one line that changes; elsewhere a line every few seconds, if something has. At the
    end a line says what there is, unless it took no time that anybody noticed.
    """
    live = sys.stderr.isatty()
    pause_s, begun, last, seen = (LIVE_S if live else LINES_S), time.monotonic(), "", False
    try:
        while not process.ready.is_set():
            try:
                async with asyncio.timeout(pause_s):
                    await process.ready.wait()
                    break
            except TimeoutError:
                pass
            line = told(await statuses(process))
            if live and line:
                # The cursor goes back, so that a line of the log takes this one's place.
                shown = cut(f"  {line} ({time.monotonic() - begun:.1f} s)", columns() - 1)
                _print(f"\r\033[K{shown}\r", nl=False)
            elif line != last:
                _print(f"  {line} ({time.monotonic() - begun:.0f} s)")
            last, seen = line, seen or bool(line)
    finally:
        if live and seen:
            _print("\033[K", nl=False)
    if seen:
        _print(f"  {told(await statuses(process), whole=True)} ({time.monotonic() - begun:.1f} s)")


def _print(text: str, *, nl: bool = True) -> None:
    """Print beside the answer; that nobody reads it ends nothing."""
    with contextlib.suppress(OSError):
        click.echo(text, err=True, nl=nl)


async def statuses(process: Process) -> Sequence[IndexStatus]:
    """Return how far every document store is; none where nobody knows."""
    if "document" not in process.roles:
        return ()
    try:
        with scope(Call()):
            stub = DocumentStoreStub(process.mesh)
            answer = await stub.GetIndexStatus(GetIndexStatusRequest(), timeout=LINES_S)
    except grpc.aio.AioRpcError:
        return ()
    return answer.statuses


def told(found: Sequence[IndexStatus], *, whole: bool = False) -> str:
    """Return how far all stores are, on one line; `whole` says of what could not be read why."""
    return "; ".join(_told(status, whole=whole) for status in found)


def _told(status: IndexStatus, *, whole: bool) -> str:
    if not status.documents_total and not whole:
        return f"{status.document_store}: looking for documents" + (
            f" ({status.error})" if status.error else ""
        )
    done = status.documents_indexed + status.documents_failed
    text = f"{status.document_store}: {done:,}/{status.documents_total:,} documents"
    text += f", {status.passages:,} passages"
    if status.documents_failed:
        text += f", {status.documents_failed:,} could not be read"
    if whole and status.failures:
        first = "; ".join(f"{failure.document}: {failure.error}" for failure in status.failures[:3])
        text += f" ({first}{'; …' if status.documents_failed > 3 else ''})"
    return text + (f" ({status.error})" if status.error else "")
