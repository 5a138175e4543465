"""Runs a command's coroutine and turns what can go wrong into one line and an exit code."""

import asyncio
import logging
import os
import sys
from collections.abc import Coroutine
from typing import NoReturn, TypeVar

import click
import grpc.aio

from hector_mesh import HectorError, info_of

T = TypeVar("T")
log = logging.getLogger("hector")


def run(work: Coroutine[object, object, T]) -> T:
    """Run a coroutine to its end; leave the program with a message when it fails.

    This is the outermost border: what gets here unforeseen is a bug, logged, and shown as such.
    """
    try:
        return _loop_run(work)
    except KeyboardInterrupt:
        sys.exit(130)
    except (HectorError, grpc.aio.AioRpcError, OSError) as error:
        fail(error)
    except BaseExceptionGroup as group:
        fail(_first(group))


def fail(error: BaseException) -> NoReturn:
    """Print why it did not work, and leave with exit code 1."""
    click.echo(f"Error: {told(error)}", err=True)
    if os.environ.get("HECTOR_DEBUG"):
        log.error("command failed", exc_info=error)
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
        f"something in Hector went wrong ({type(error).__name__}: {error}); "
        "please report it, with the output of HECTOR_DEBUG=1"
    )


def _first(error: BaseException) -> BaseException:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, asyncio.CancelledError):
        raise KeyboardInterrupt
    return error


def _loop_run(work: Coroutine[object, object, T]) -> T:
    try:
        import uvloop
    except ImportError:  # Windows has none
        return asyncio.run(work)
    result: T = uvloop.run(work)
    return result
