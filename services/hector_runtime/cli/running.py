"""Runs a command's coroutine and turns what can go wrong into one line and an exit code."""

import asyncio
import logging
import os
import sys
import traceback
from collections.abc import Coroutine
from typing import NoReturn, TypeVar

import click
import grpc.aio

from hector_mesh import HectorError, info_of
from hector_runtime.process import first_of

T = TypeVar("T")


def run(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; leave the program with a message when it fails.

    This is the outermost border: what gets here unforeseen is a bug, and is shown as such.
    """
    if not logging.root.handlers:
        _hush()
    try:
        return _loop_run(work)
    except KeyboardInterrupt:
        sys.exit(130)
    except (click.ClickException, BrokenPipeError):
        raise  # click shows the one, and for the other nobody is there to see anything
    except Exception as error:
        fail(error)


def fail(error: Exception) -> NoReturn:
    """Print why it did not work, and leave with exit code 1."""
    cause = first_of(error)
    if isinstance(cause, click.ClickException):
        raise cause
    click.echo(f"Error: {told(cause)}", err=True)
    if os.environ.get("HECTOR_DEBUG"):
        click.echo("".join(traceback.format_exception(cause)), err=True)
    sys.exit(1)


def told(error: BaseException) -> str:
    """Return an error as a person should read it."""
    if isinstance(error, HectorError):
        return str(error)
    if isinstance(error, grpc.aio.AioRpcError):
        reason = info_of(error).reason
        return f"{error.details()}" + (f" [{reason}]" if reason else "")
    if isinstance(error, OSError):
        return f"{error.strerror or error}" + (f": {error.filename}" if error.filename else "")
    return (
        f"something in Hector went wrong ({type(error).__name__}: {error}); please report it, "
        "with what the same command prints under HECTOR_DEBUG=1"
    )


def _hush() -> None:
    """Keep the log to itself: a command that is no server says all it has to say by itself.

    Python would print its warnings, and the tracebacks of its errors, in the middle of an answer.
    """
    if os.environ.get("HECTOR_DEBUG"):
        from hector_runtime.logs import start_logging

        start_logging("debug", "text")
    else:
        logging.root.addHandler(logging.NullHandler())


def _loop_run(work: Coroutine[object, object, T]) -> T:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(work)
    result: T = uvloop.run(work)
    return result
