"""Runs the checks, one after the other, and turns what they raise into verdicts."""

import asyncio
import logging
import time
from collections.abc import Callable

import grpc.aio

from . import groups  # noqa: F401  each module adds its checks
from .checks import CHECKS, Broken, Check, NotApplicable
from .connected import answer_of
from .launching import CannotStart
from .stage import Stage
from .subject import Subject, name_of
from .verdicts import Outcome, Report, Verdict

log = logging.getLogger(__name__)

FIRST = "H2"
"""What comes before everything else: it starts."""
DECIDING = ("H5", "I8")
"""Rules without which most of the others cannot be tried: it is well, and configured."""
ALWAYS = ("H1", "H8")
"""Rules that can be tried on a plugin that does not start."""
CHECK_S = 180.0
"""How long one check may take, with all its calls."""


async def run(subject: Subject, told: Callable[[Verdict], None] | None = None) -> Report:
    """Test a plugin.

    Args:
        subject: What to test.
        told: Called with each verdict as it is there.

    Raises:
        CannotStart: There is no such command.
        ValueError: `only` names no check.
    """
    wanted = chosen(subject.only)
    stage = Stage(subject)
    verdicts: list[Verdict] = []

    def say(verdict: Verdict) -> None:
        verdicts.append(verdict)
        if told is not None:
            told(verdict)

    try:
        first = CHECKS[FIRST]
        started = await _judged(first, stage)
        if started.outcome is Outcome.FAIL:
            stage.hopeless = f"it does not start: see {FIRST}"
        else:
            await stage.meet()
        if first in wanted or stage.hopeless:
            say(started)
        for check in wanted:
            if check is first or (check.kind and stage.kinds and check.kind not in stage.kinds):
                continue
            verdict = await _judged(check, stage)
            if check.id in DECIDING and verdict.outcome is Outcome.FAIL:
                stage.hopeless = f"see {check.id}"
            say(verdict)
    finally:
        await stage.close()
    kinds = tuple(map(name_of, stage.kinds))
    return Report(subject.called, stage.name, stage.version, kinds, stage.bare, tuple(verdicts))


def chosen(only: frozenset[str]) -> list[Check]:
    """Return the checks of these numbers, or whose numbers begin with these letters; all if there are none.

    Raises:
        ValueError: There is none of that number.
    """
    if not only:
        return list(CHECKS.values())
    for name in only:
        if name not in CHECKS and name not in map(_letters, CHECKS):
            raise ValueError(f"there is no check {name!r} (there are: {', '.join(CHECKS)})")
    return [check for number, check in CHECKS.items() if number in only or _letters(number) in only]


def _letters(number: str) -> str:
    return number.rstrip("0123456789")


async def _judged(check: Check, stage: Stage) -> Verdict:
    begun = time.monotonic()
    if stage.hopeless and check.id not in ALWAYS:
        return Verdict(check.id, check.level, check.title, Outcome.SKIP, why=stage.hopeless)
    if check.kind and check.kind not in stage.kinds:
        return Verdict(
            check.id, check.level, check.title, Outcome.SKIP, why=f"it is no {name_of(check.kind)}"
        )
    stage.last = None
    begins = stage.log_begins()
    sent = came = why = ""
    outcome = Outcome.PASS
    try:
        async with asyncio.timeout(CHECK_S):
            await check.run(stage)
    except NotApplicable as skipped:
        outcome, why = Outcome.SKIP, str(skipped)
    except Broken as broken:
        outcome, sent, came = Outcome.FAIL, broken.sent, broken.came
    except grpc.aio.AioRpcError as error:
        outcome, came = Outcome.FAIL, str(answer_of(error))
    except TimeoutError:
        outcome, came = Outcome.FAIL, f"no end within {CHECK_S:g} s"
    except CannotStart:
        raise
    except Exception as error:  # the border: a stranger may send anything, and a check may trip over it
        log.debug("a check could not read an answer", extra={"check": check.id}, exc_info=error)
        outcome, came = Outcome.FAIL, f"an answer that cannot be read ({type(error).__name__}: {error})"
    if outcome is Outcome.FAIL and not sent and stage.last is not None:
        sent = stage.last.sent
    took_s = time.monotonic() - begun
    logged = await stage.logged_since(begins) if outcome is Outcome.FAIL else ()
    return Verdict(
        check.id, check.level, check.title, outcome, check.rule, sent, came, check.mend, why, took_s, logged
    )
