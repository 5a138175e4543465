"""Where a2a-sdk's server answers differently, and why Hector does not do as it does.

A difference that is not in this table fails the tests, and so does an entry that no difference belongs to.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

ALL = ("RpcV1", "RpcV03", "RestV1", "RestV03", "GrpcV1", "GrpcV03")
V1 = ("RpcV1", "RestV1", "GrpcV1")
V03 = ("RpcV03", "RestV03", "GrpcV03")


@dataclass(frozen=True)
class Known:
    """One entry of the table."""

    where: str
    """Scenario, step and field, as `streamed: events.first.task.status.state`; `*` is anything."""
    doors: tuple[str, ...]
    reason: str

    def covers(self, where: str, door: str) -> bool:
        return door in self.doors and fnmatchcase(where.replace("[", "("), self.where.replace("[", "("))


KNOWN = (
    Known(
        "streamed*: events.first.task.status.state",
        ALL,
        "Hector's task is at work when it can be seen; the SDK shows it before it begins. A2A allows both.",
    ),
    Known(
        "streamed*: events.first.task.status.timestamp",
        ALL,
        "A2A 1.0, 4.1.2: a status has the time at which it was recorded. The SDK's first one has none.",
    ),
    Known(
        "*: *.refused",
        ("RpcV03", "GrpcV03"),
        "0.3 has no reasons. Hector's clients get 1.0's all the same: a word that never varies.",
    ),
    Known(
        "*: *.fields*",
        ALL,
        "Hector names every wrong field in camelCase, as A2A's JSON has it; the SDK in snake_case, or none.",
    ),
    Known(
        "listed: *",
        ("RestV03",),
        "0.3's text has GET /v1/tasks. The SDK has removed it from 0.3; its answer lacks what must be there.",
    ),
    Known(
        "push configs: deleted",
        ("RpcV03", "RestV03"),
        "A2A 0.3: the result of deleting is null, over HTTP+JSON {}. The SDK answers without any.",
    ),
    Known(
        "push configs: again",
        ("RpcV03", "RestV03"),
        "As above; deleting once more is no failure.",
    ),
    Known(
        "push configs: gone*",
        ("RestV03",),
        "What was deleted is gone. Over HTTP+JSON in 0.3 the SDK does not delete it.",
    ),
    Known(
        "streamed to a webhook: events.*",
        V03,
        "A2A 0.3, 9.5: the webhook of a 0.3 client gets the whole task. The SDK sends events of 1.0.",
    ),
    Known(
        "*: subscribe*",
        ("RestV03",),
        "An error before the first event is a plain JSON error. The SDK breaks off the chunked response.",
    ),
    Known(
        "things that are over: subscribe*",
        ("GrpcV03",),
        "0.3's contract has the stream show a task that is over, and end. In 1.0 both refuse it.",
    ),
    Known(
        "wrong things: an empty part*",
        ALL,
        "A2A 1.0, 4.1.6: a part has exactly one content. The SDK takes one that has none.",
    ),
    Known(
        "wrong things: *",
        ("RpcV03",),
        "JSON-RPC 2.0: wrong parameters are -32602. The SDK calls the envelope wrong, in a shape of its own.",
    ),
    Known(
        "wrong things: no role*",
        ("RestV03", "GrpcV03"),
        "A2A 0.3: a message has a role. The SDK takes one that has none.",
    ),
)


def unknown(found: Iterable[str], door: str) -> list[str]:
    """Return the differences that are not in the table."""
    return [where for where in found if not any(known.covers(where, door) for known in KNOWN)]


def stale(found: Iterable[str], door: str) -> list[str]:
    """Return the entries for a door that no difference belongs to."""
    seen = list(found)
    mine = [known for known in KNOWN if door in known.doors]
    return [known.where for known in mine if not any(known.covers(where, door) for where in seen)]
