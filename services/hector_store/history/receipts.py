"""Receipts: that a user's data was erased, when, and how much of what, without any of it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import Connection, insert, select, update

from hector_store.clock import now
from hector_store.schema import receipts

_C = receipts.c


@dataclass(frozen=True, slots=True)
class Receipt:
    """That a user was erased. Whoever knows the user can see that it is about him, and nobody else."""

    id: str
    app: str
    """"": in all apps."""
    subject: str
    """SHA-256 of id, app and user, a line each."""
    begun_time_us: int
    done_time_us: int
    """0: it is not done yet."""
    counts: Mapping[str, int]
    """Rows that went, by table."""
    hash: str
    """SHA-256 of all of the above as JSON with sorted keys; "" as long as it is not done."""

    def is_about(self, user: str) -> bool:
        """Say whether this user was erased."""
        return self.subject == subject_of(self.id, self.app, user)

    @property
    def is_whole(self) -> bool:
        """Whether it is done, and as it was written."""
        return bool(self.hash) and self.hash == hash_of(self)


def subject_of(receipt_id: str, app: str, user: str) -> str:
    """Return what stands for a user: another value in every receipt."""
    return hashlib.sha256(f"{receipt_id}\n{app}\n{user}".encode()).hexdigest()


def hash_of(receipt: Receipt) -> str:
    """Return what shows that nothing in a receipt was changed."""
    told = {
        "id": receipt.id,
        "app": receipt.app,
        "subject": receipt.subject,
        "begun_time_us": receipt.begun_time_us,
        "done_time_us": receipt.done_time_us,
        "counts": dict(receipt.counts),
    }
    return hashlib.sha256(json.dumps(told, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def begin(connection: Connection, receipt_id: str, app: str, user: str) -> Receipt:
    """Write down that a user is about to be erased."""
    receipt = Receipt(receipt_id, app, subject_of(receipt_id, app, user), now(connection), 0, {}, "")
    connection.execute(insert(receipts), _row(receipt))
    return receipt


def finish(connection: Connection, begun: Receipt, counts: Mapping[str, int]) -> Receipt:
    """Write down what went."""
    done = replace(begun, done_time_us=now(connection), counts=dict(counts))
    done = replace(done, hash=hash_of(done))
    connection.execute(update(receipts).where(_C.id == done.id).values(_row(done)))
    return done


def latest(connection: Connection, limit: int) -> Sequence[Receipt]:
    """Return receipts, the latest first."""
    rows = connection.execute(select(receipts).order_by(_C.begun_time.desc(), _C.id.desc()).limit(limit))
    return [
        Receipt(
            row.id,
            row.app,
            row.subject,
            row.begun_time,
            row.done_time,
            json.loads(row.counts or "{}"),
            row.hash,
        )
        for row in rows
    ]


def _row(receipt: Receipt) -> dict[str, object]:
    return {
        "id": receipt.id,
        "app": receipt.app,
        "subject": receipt.subject,
        "begun_time": receipt.begun_time_us,
        "done_time": receipt.done_time_us,
        "counts": json.dumps(dict(receipt.counts), sort_keys=True),
        "hash": receipt.hash,
    }
