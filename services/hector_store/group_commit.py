"""Many writes, one transaction: what one of them does wrong is that one's alone."""

import enum
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from operator import attrgetter
from typing import TypeVar

from sqlalchemy import Connection

from hector_mesh import HectorError

from .work import AnyWork, Many

log = logging.getLogger(__name__)

F = TypeVar("F")


class Fault(enum.Enum):
    """What an exception says about the transaction in which it was raised."""

    OF_ITEM = "only what was asked for is wrong; the transaction goes on"
    RETRY = "somebody was in the way: the whole transaction can be done again"
    OF_CONNECTION = "the connection is gone, and the transaction with it: it can be done again on a new one"
    OF_STORAGE = "the transaction is lost: disk full, file damaged"


def commit(
    connection: Connection,
    works: Sequence[AnyWork],
    fault: Callable[[Exception], Fault],
    begun: Callable[[Connection], AbstractContextManager[object]] = Connection.begin,
) -> None:
    """Do `works` in one transaction, made by `begun`, and leave each one's outcome in it.

    Works that are written alike are written together, in order of submission; different kinds in order of
    first appearance. When one of them makes that fail, all are done again one by one.

    Raises:
        Exception: Nothing was written, and the outcomes mean nothing; see `fault`.
    """
    try:
        with begun(connection):
            _together(connection, works)
    except Exception as error:  # the border: callers' functions run here, and their errors are the callers'
        if fault(error) is not Fault.OF_ITEM:
            raise
    else:
        return
    log.debug("group of writes failed and is done one by one", extra={"writes": len(works)})
    with begun(connection):
        for work in works:
            _alone(connection, work, fault)


def each(connection: Connection, functions: Sequence[Callable[[Connection], F]]) -> list[F | Exception]:
    """Call functions one by one: the `Many` of writes that have nothing in common."""
    outcomes: list[F | Exception] = []
    for function in functions:
        connection.exec_driver_sql(_SAVE)
        try:
            outcomes.append(function(connection))
        except HectorError as refusal:  # an answer like another: the rest of the group need not be done again
            connection.exec_driver_sql(_UNDO)
            outcomes.append(refusal)
        else:
            connection.exec_driver_sql(_KEEP)
    return outcomes


_many_of, _item_of = attrgetter("many"), attrgetter("item")


def _together(connection: Connection, works: Sequence[AnyWork]) -> None:
    kinds: dict[Many[object, object], None] = dict.fromkeys(map(_many_of, works))
    for many in kinds:
        group = works if len(kinds) == 1 else [work for work in works if work.many == many]
        outcomes = many(connection, list(map(_item_of, group)))
        for work, outcome in zip(group, outcomes, strict=True):
            work.outcome = outcome


def _alone(connection: Connection, work: AnyWork, fault: Callable[[Exception], Fault]) -> None:
    connection.exec_driver_sql(_SAVE_ALONE)
    try:
        (work.outcome,) = work.many(connection, [work.item])
    except Exception as error:
        if fault(error) is not Fault.OF_ITEM:
            raise  # the savepoint is gone with its transaction
        connection.exec_driver_sql(_UNDO_ALONE)
        work.outcome = error
    else:
        connection.exec_driver_sql(_KEEP_ALONE)


# Spelt out: all three databases say it like this, and SQLAlchemy's own is compiled anew every time.
# Two names, because MySQL forgets an outer savepoint when an inner one has the same.
_SAVE, _UNDO, _KEEP = (
    "SAVEPOINT hector_write",
    "ROLLBACK TO SAVEPOINT hector_write",
    "RELEASE SAVEPOINT hector_write",
)
_SAVE_ALONE, _UNDO_ALONE, _KEEP_ALONE = (
    "SAVEPOINT hector_alone",
    "ROLLBACK TO SAVEPOINT hector_alone",
    "RELEASE SAVEPOINT hector_alone",
)
