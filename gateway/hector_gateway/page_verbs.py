"""What pages that show somebody their own have in common."""

from .errors import Headers, WrongVerb
from .exchange import Exchange

PRIVATE: Headers = ((b"cache-control", b"private, no-store"),)
"""Nobody keeps it for others."""


def check_verb(exchange: Exchange, *verbs: str) -> None:
    """Let requests pass that say one of these.

    Raises:
        WrongVerb: It says another one.
    """
    if exchange.verb not in verbs:
        raise WrongVerb(exchange.verb, verbs)
