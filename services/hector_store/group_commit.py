"""Many writes, one transaction: what one of them does wrong is that one's alone."""

import enum
import logging
from collections.abc import Callable, Sequence
from typing import TypeVar

from sqlalchemy import Connection

from .work import AnyWork, Many

log = logging.getLogger(__name__)

F = TypeVar("F")


class Fault(enum.Enum):
    """What an exception says about the transaction in which it was raised."""

    OF_ITEM = "only what was asked for is wrong; the transaction goes on"
    RETRY = "somebody was in the way: the whole transaction can be done again"
    OF_STORAGE = "the transaction is lost: disk full, connection gone, file damaged"


def commit(connection: Connection, works: Sequence[AnyWork], fault: Callable[[Exception], Fault]) -> None:
    """Do `works` in one transaction and leave each one's outcome in it.

    Works that are written alike are written together, in order of submission; different kinds in order of
    first appearance.

    Raises:
        Exception: Nothing was written, and the outcomes mean nothing; see `fault`.
    """
    groups: dict[Many[object, object], list[AnyWork]] = {}
    for work in works:
        groups.setdefault(work.many, []).append(work)
    with connection.begin():
        for many, group in groups.items():
            _write(connection, many, group, fault)


def _write(
    connection: Connection,
    many: Many[object, object],
    group: Sequence[AnyWork],
    fault: Callable[[Exception], Fault],
) -> None:
    savepoint = connection.begin_nested()
    try:
        outcomes = many(connection, [work.item for work in group])
    except Exception as error:  # the border: callers' functions run here, and their errors are the callers'
        if fault(error) is not Fault.OF_ITEM:
            raise  # the savepoint is gone with its transaction
        savepoint.rollback()
        if len(group) == 1:
            group[0].outcome = error
            return
        log.debug("group of writes failed and was done one by one", extra={"writes": len(group)})
        for work in group:
            _write(connection, many, [work], fault)
        return
    savepoint.commit()
    for work, outcome in zip(group, outcomes, strict=True):
        work.outcome = outcome


def each(connection: Connection, functions: Sequence[Callable[[Connection], F]]) -> list[F | Exception]:
    """Call functions one by one: the `Many` of writes that have nothing in common."""
    return [function(connection) for function in functions]
