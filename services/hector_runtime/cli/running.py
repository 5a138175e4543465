"""Runs a command's coroutine and turns what can go wrong into one line and an exit code."""

import asyncio
import errno
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager, suppress
from typing import NoReturn, TypeVar

import click

from .exits import exit_for
from .output import aside, is_watched

T = TypeVar("T")

PATIENCE_S = 3.0
"""How long what is left over may take to end when everything else has."""


def run(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; leave the program with a message when it fails.

    Ctrl-C and SIGTERM cancel it; a second one leaves at once. This is the outermost border: what gets here
    unforeseen is a bug, and is shown as such.
    """
    told: list[signal.Signals] = []
    if not logging.root.handlers:
        _hush()

    last: list[threading.Timer] = []

    async def stoppable() -> T:
        with _stopping(told):
            try:
                return await work
            finally:
                if len(asyncio.all_tasks()) > 1:  # code that does not stop may keep the loop from ending
                    last.append(_leave_later(int(sys.exc_info()[0] is not None)))

    try:
        return _loop_run(stoppable())
    except (KeyboardInterrupt, asyncio.CancelledError):
        sys.exit(128 + (told[0] if told else signal.SIGINT))
    except (click.ClickException, BrokenPipeError):
        raise  # click shows the one, and for the other nobody is there to see anything
    except Exception as error:
        fail(error)
    finally:
        for timer in last:
            timer.cancel()  # the loop has ended after all: whoever called this goes on


def attempt(work: Callable[[], T]) -> T:
    """Do what needs no loop; leave the program with a message when it fails, as `run` does."""
    if not logging.root.handlers:
        _hush()
    try:
        return work()
    except (click.ClickException, BrokenPipeError):
        raise
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except Exception as error:
        fail(error)


def fail(error: Exception) -> NoReturn:
    """Print why it did not work, for programs too if they want JSON, and leave with an exit code."""
    cause = _first_of(error)
    if isinstance(cause, click.ClickException):
        raise cause
    message, reason = told(cause), reason_of(cause)
    context = click.get_current_context(silent=True)
    if context is not None and context.params.get("form") in ("json", "jsonl"):
        indent = 2 if context.params["form"] == "json" else None
        click.echo(json.dumps({"error": message, "reason": reason}, ensure_ascii=False, indent=indent))
    click.echo(f"Error: {message}", err=True)
    if os.environ.get("HECTOR_DEBUG"):
        import traceback

        click.echo("".join(traceback.format_exception(cause)), err=True)
    sys.exit(exit_for(reason))


def told(error: BaseException) -> str:
    """Return an error as a person should read it."""
    if _is_hectors(error):
        return str(error)
    if _is_a_call(error):
        details, reason = error.details(), reason_of(error)  # type: ignore[attr-defined]
        return f"{details}" + (f" [{reason}]" if reason else "")
    if isinstance(error, OSError):
        if error.errno == errno.ENOSPC and not error.filename:
            return "no space left on device: nothing more can be written to where standard output goes"
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return (
        f"something in Hector went wrong ({type(error).__name__}: {error}); please report it, "
        "with what the same command prints under HECTOR_DEBUG=1"
    )


def reason_of(error: BaseException) -> str:
    """Return an error's reason, as programs read it; a server's own where a server refused."""
    if _is_hectors(error):
        facts: dict[str, str] = getattr(error, "facts", {})
        own = str(getattr(error, "reason", ""))
        return (facts.get("reason") or own) if own == "REFUSED_BY_SERVER" else own
    if _is_a_call(error):
        from hector_mesh import info_of

        return str(info_of(error).reason)  # type: ignore[arg-type]
    return ""


# What is not imported has raised nothing: help and usage errors do without gRPC.


def _is_hectors(error: BaseException) -> bool:
    mesh = sys.modules.get("hector_mesh")
    return mesh is not None and isinstance(error, mesh.HectorError)


def _is_a_call(error: BaseException) -> bool:
    grpc = sys.modules.get("grpc.aio")
    return grpc is not None and isinstance(error, grpc.AioRpcError)


def _first_of(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return error


@contextmanager
def _stopping(told: list[signal.Signals]) -> Iterator[None]:
    """Cancel the task that runs this when the user says so; the second time leave on the spot."""
    task, loop = asyncio.current_task(), asyncio.get_running_loop()
    assert task is not None

    def stop(number: signal.Signals) -> None:
        if told:
            leave(128 + told[0])
        told.append(number)
        if is_watched():
            aside("\nStopping … (Ctrl-C again leaves at once)")
        task.cancel()

    signals = (signal.SIGINT, signal.SIGTERM)
    with suppress(NotImplementedError, RuntimeError):  # Windows has none, nor has a thread
        for number in signals:
            loop.add_signal_handler(number, stop, number)
    try:
        yield
    finally:
        with suppress(NotImplementedError, RuntimeError):
            for number in signals:
                loop.remove_signal_handler(number)


def _leave_later(code: int) -> threading.Timer:
    """End the process in a moment; a custom agent's code may go on whatever it is told."""
    last = threading.Timer(PATIENCE_S, leave, (code,))
    last.daemon = True
    last.start()
    return last


def _hush() -> None:
    """Keep the log to itself: a command that is no server says all it has to say by itself.

    Python would print its warnings, and the tracebacks of its errors, in the middle of an answer.
    """
    if os.environ.get("HECTOR_DEBUG"):
        from hector_runtime.logs import start_logging

        start_logging("debug", "text")
    else:
        logging.root.addHandler(logging.NullHandler())


def leave(code: int) -> NoReturn:
    """End the process at once, with what was printed shown; nothing is waited for."""
    with suppress(OSError, ValueError):
        for handler in logging.root.handlers:
            handler.flush()
        sys.stdout.flush()
        sys.stderr.flush()
    os._exit(code)


def _loop_run(work: Coroutine[object, object, T]) -> T:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(work)
    result: T = uvloop.run(work)
    return result
