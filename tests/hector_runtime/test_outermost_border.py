"""The outermost border of a command: what becomes of whatever goes wrong."""

import asyncio
import os
import signal

import click
import grpc
import pytest

from hector_mesh import HectorError
from hector_runtime.cli import running
from hector_runtime.cli.running import run, told


@pytest.fixture(autouse=True)
def not_debugging(monkeypatch):
    monkeypatch.delenv("HECTOR_DEBUG", raising=False)


class Broken(HectorError):
    reason = "BROKEN"


async def raises(error):
    raise error


@pytest.mark.parametrize(
    ("error", "line"),
    [
        (Broken("it broke; mend it"), "Error: it broke; mend it\n"),
        (ExceptionGroup("many", [ExceptionGroup("few", [Broken("deep")])]), "Error: deep\n"),
        (PermissionError(13, "Permission denied", "/x"), "Error: Permission denied: /x\n"),
    ],
)
def test_what_was_foreseen_is_one_line_and_exit_code_1(error, line, capsys):
    with pytest.raises(SystemExit) as left:
        run(raises(error))
    assert left.value.code == 1
    assert capsys.readouterr().err == line


def test_what_was_not_foreseen_shows_no_traceback_but_how_to_report_it(capsys, monkeypatch):
    with pytest.raises(SystemExit) as left:
        run(raises(KeyError("x")))
    told_ = capsys.readouterr().err
    assert left.value.code == 1
    assert "KeyError" in told_
    assert "report it" in told_
    assert "Traceback" not in told_
    monkeypatch.setenv("HECTOR_DEBUG", "1")
    with pytest.raises(SystemExit):
        run(raises(KeyError("x")))
    assert "Traceback" in capsys.readouterr().err


def test_ctrl_c_is_exit_code_130():
    async def interrupted():
        os.kill(os.getpid(), signal.SIGINT)
        await asyncio.sleep(5)

    with pytest.raises(SystemExit) as left:
        run(interrupted())
    assert left.value.code == 130


def test_usage_errors_stay_usage_errors_however_deep():
    with pytest.raises(click.UsageError):
        run(raises(ExceptionGroup("x", [click.UsageError("so not")])))


def test_a_failed_call_is_told_with_its_reason():
    error = grpc.aio.AioRpcError(
        grpc.StatusCode.NOT_FOUND, grpc.aio.Metadata(), grpc.aio.Metadata(), details="no such thing"
    )
    assert told(error) == "no such thing"


def test_a_program_that_ran_a_command_goes_on_when_the_command_is_over(monkeypatch):
    left = []
    monkeypatch.setattr(running, "leave", left.append)
    timers = []
    monkeypatch.setattr(running, "_leave_later", lambda code: timers.append(Timer()) or timers[-1])

    async def work():
        asyncio.get_running_loop().create_task(asyncio.Event().wait())  # ended with the loop
        return "done"

    assert run(work()) == "done"
    assert [timer.is_cancelled for timer in timers] == [True]


class Timer:
    """Ends a process, if nobody stops it."""

    is_cancelled = False

    def cancel(self):
        self.is_cancelled = True
