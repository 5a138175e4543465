"""What becomes of a call that failed, by its status: one table for built-ins and plugins alike.

docs/plugins/errors.md shows it, with what each status is for.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from grpc import StatusCode


@dataclass(frozen=True, slots=True)
class Rule:
    """What follows from one status."""

    use: str
    """When a provider answers with it."""
    repeated: bool = False
    """A plugin's call is made once more by itself, if its rpc is idempotent and nothing has come yet."""
    trips: bool = False
    """It counts as the plugin's failure: enough of them open its circuit breaker."""
    may_pass: bool = False
    """Time may mend it: agents ask again as `agents.<name>.retry` says, and else give up."""


_FINE = "It worked. A non-empty `error` in the message makes it a failure all the same."

RULES: Mapping[StatusCode, Rule] = {
    StatusCode.OK: Rule(_FINE),
    StatusCode.CANCELLED: Rule("The caller has left, or the plugin was replaced and the call took too long."),
    StatusCode.UNKNOWN: Rule("An exception that nobody translated.", trips=True, may_pass=True),
    StatusCode.INVALID_ARGUMENT: Rule("The request is wrong, whenever it is made: name the field."),
    StatusCode.DEADLINE_EXCEEDED: Rule("There was no answer in time.", trips=True, may_pass=True),
    StatusCode.NOT_FOUND: Rule("There is no such model, tool, collection."),
    StatusCode.ALREADY_EXISTS: Rule("It is there already, and different."),
    StatusCode.PERMISSION_DENIED: Rule("Who asks may not do this."),
    StatusCode.RESOURCE_EXHAUSTED: Rule(
        "Too much, or too often: a RetryInfo says when to come back.", may_pass=True
    ),
    StatusCode.FAILED_PRECONDITION: Rule(
        "Somebody has to do something first: a key is wrong, a quota is used up."
    ),
    StatusCode.ABORTED: Rule("Somebody else was faster: the same again may work.", may_pass=True),
    StatusCode.OUT_OF_RANGE: Rule("Behind the end of what there is."),
    StatusCode.UNIMPLEMENTED: Rule(
        "An optional rpc that this provider has not got: the caller does without."
    ),
    StatusCode.INTERNAL: Rule("A bug of the provider.", trips=True, may_pass=True),
    StatusCode.UNAVAILABLE: Rule(
        "It cannot be reached, or what it stands on cannot.", repeated=True, trips=True, may_pass=True
    ),
    StatusCode.DATA_LOSS: Rule("What it kept is damaged."),
    StatusCode.UNAUTHENTICATED: Rule("The caller showed no token, or a wrong one."),
}
"""Every status that there is."""

MAY_PASS = frozenset(code for code, rule in RULES.items() if rule.may_pass)
TRIPS = frozenset(code for code, rule in RULES.items() if rule.trips)
REPEATED = frozenset(code for code, rule in RULES.items() if rule.repeated)
